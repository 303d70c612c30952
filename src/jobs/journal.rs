//! Jobs on disk: a file for each, to which every event is appended as a line of JSON. What a crash cut short is a last line that cannot
//! be read, and its item is taken again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::event::Event;

const ENDING: &str = "jsonl";
/// Bytes of one file; ours are far shorter.
const LONGEST: u64 = 64 << 20;

/// The file of one job.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins the journal of a job in `folder`; it is on disk when this returns.
    pub(super) fn begin(folder: &Path, id: &str, accepted: &Event) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{id}.{ENDING}"));
        // It may hold what its webhook wants to be told.
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path)?;
        let journal = Journal { file, path };
        let begun = journal.append(accepted).and_then(|()| journal.file.sync_data());
        match begun.and_then(|()| File::open(folder)?.sync_all()) {
            Ok(()) => Ok(journal),
            Err(error) => {
                journal.remove();
                Err(error)
            }
        }
    }

    /// Appends a line. It is the system's then, and outlives this process, though not yet the machine.
    pub(super) fn append(&self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        (&self.file).write_all(&line)
    }

    /// Takes it away.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the journal of a job cannot be removed");
        }
    }
}

/// The events and the journal of every job in `folder`. Other files stay as they are.
pub(super) fn all(folder: &Path) -> Vec<(Vec<Event>, Journal)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let ours = paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
    let read = |path: PathBuf| match read(&path) {
        Ok(found) if matches!(found.0.first(), Some(Event::Accepted { .. })) => Some(found),
        Ok(_) => {
            tracing::warn!(path = %path.display(), "no job can be read here");
            None
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a job cannot be read");
            None
        }
    };
    ours.filter_map(read).collect()
}

fn read(path: &Path) -> io::Result<(Vec<Event>, Journal)> {
    let file = OpenOptions::new().append(true).open(path)?;
    if file.metadata()?.len() > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let text = fs::read(path)?;
    // The rest of a line would swallow the next one.
    let whole = text.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
    if whole < text.len() {
        file.set_len(whole as u64)?;
    }
    let events: Vec<Event> = text[..whole]
        .split(|&octet| octet == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    Ok((events, Journal { file, path: path.to_owned() }))
}
