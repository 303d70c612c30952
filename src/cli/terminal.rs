//! What all subcommands share: exit codes, output streams, colours, marks and tables.
//!
//! Results go to standard output, problems and progress to standard error. Text for people is
//! coloured if the stream supports it ([`Paint::of_stdout`], [`Paint::of_stderr`]). Piped text is
//! plain.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use console::measure_text_width;

/// The exit codes of all subcommands. They are stable, because scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, and everything is good.
    Good = 0,
    /// The subcommand failed while it ran, or its check found a failure.
    Failed = 1,
    /// Wrong usage or configuration. clap uses the same code.
    Misused = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The exit codes in the text of `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes of every verb:
  0  done, and all is good
  1  it failed while it ran, or what it looked at is not good
  2  wrong usage or configuration";

/// Writes to standard output. A closed pipe is no error.
pub(super) fn print(text: &str) {
    let _ = put(text);
}

/// Like [`print`], for long output: fails if standard output has no reader.
pub(super) fn put(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    noted(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// The error of standard output, unless its reader closed the pipe.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Remembers a failure of standard output, such as a full disk.
pub(super) fn noted(written: std::io::Result<()>) -> std::io::Result<()> {
    written.inspect_err(|error| {
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            UNWRITTEN.get_or_init(|| error.to_string());
        }
    })
}

/// The exit code of a subcommand that ended with `code`. A subcommand whose result could not be
/// written has failed, unless its reader closed the pipe.
pub(super) fn exit_of(code: ExitCode) -> ExitCode {
    match UNWRITTEN.get() {
        Some(why) => {
            complain(&format!("error: cannot write to standard output: {why}\n"));
            Exit::Failed.into()
        }
        None => code,
    }
}

/// Whether standard output is a pipe, so that lists are printed as lines of JSON.
pub(super) fn is_piped() -> bool {
    !std::io::stdout().is_terminal()
}

/// Whether questions can be asked on the terminal.
pub(super) fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Writes to standard error, like [`print`].
pub(super) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// An error with all its causes on one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Why a subcommand or an argument cannot be used, in words for people. No decision depends on the
/// text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Complaint(String);

impl From<String> for Complaint {
    fn from(words: String) -> Self {
        Complaint(words)
    }
}

impl From<&str> for Complaint {
    fn from(words: &str) -> Self {
        Complaint(words.to_owned())
    }
}

/// Whether standard error is a terminal, so that progress can be shown there.
pub(super) fn is_watched() -> bool {
    std::io::stderr().is_terminal() && !is_dumb()
}

/// The state of a checked thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Good,
    Warning,
    Failure,
}

impl Mark {
    /// The name of the mark for people and programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Mark::Good => "ok",
            Mark::Warning => "warning",
            Mark::Failure => "failure",
        }
    }
}

/// Adds colours to text, or leaves it plain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    colour: bool,
}

impl Paint {
    /// The colours of standard output.
    pub(super) fn of_stdout() -> Self {
        Paint::of(std::io::stdout().is_terminal())
    }

    /// The colours of standard error.
    pub(super) fn of_stderr() -> Self {
        Paint::of(std::io::stderr().is_terminal())
    }

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Paint { colour: false }
    }

    fn of(is_terminal: bool) -> Self {
        let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let (no, force) = (variable("NO_COLOR"), variable("CLICOLOR_FORCE"));
        Paint { colour: wants_colour(no.as_deref(), force.as_deref(), is_terminal && !is_dumb()) }
    }

    /// Whether text gets colours.
    pub(super) fn is_coloured(self) -> bool {
        self.colour
    }

    /// Text that matters in its line.
    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Text of less importance.
    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Text in the colour of `mark`.
    pub(super) fn mark(self, mark: Mark, text: &str) -> String {
        match mark {
            Mark::Good => self.with("32", text),
            Mark::Warning => self.with("1;33", text),
            Mark::Failure => self.with("1;31", text),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// <https://no-color.org> takes precedence over <https://bixense.com/clicolors>, and that over the
/// kind of the stream. This is our own code, because anstream takes `CLICOLOR_FORCE=0` as set, and
/// console gives it precedence over NO_COLOR.
fn wants_colour(no: Option<&str>, force: Option<&str>, is_terminal: bool) -> bool {
    let is_set = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
    !is_set(no) && ((is_set(force) && force != Some("0")) || is_terminal)
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Rows with aligned columns, two spaces between them, and no trailing spaces. Escape sequences of
/// [`Paint`] have no width.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| measure_text_width(cell))
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(&widths) {
            line += cell;
            line += &" ".repeat(widest - measure_text_width(cell) + 2);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_goes_over_force_and_that_over_the_stream() {
        for (no, force, is_terminal, expected) in [
            (None, None, true, true),
            (None, None, false, false),
            (Some(""), None, true, true),
            (Some("1"), None, true, false),
            (Some("1"), Some("1"), true, false),
            (None, Some("1"), false, true),
            (None, Some("0"), false, false),
            (None, Some(""), false, false),
        ] {
            assert_eq!(wants_colour(no, force, is_terminal), expected, "{no:?} {force:?} {is_terminal}");
        }
    }

    #[test]
    fn tables_are_aligned_with_and_without_colours() {
        for colour in [false, true] {
            let paint = Paint { colour };
            let row = |mark: Mark, rest: &[&str]| {
                let first = paint.mark(mark, mark.name());
                std::iter::once(first).chain(rest.iter().map(|&cell| cell.to_owned())).collect()
            };
            let text = table(&[row(Mark::Good, &["disk", "1"]), row(Mark::Warning, &["é", ""]), vec![]]);
            let plain =
                ["\x1b[32m", "\x1b[1;33m", "\x1b[0m"].iter().fold(text, |text, code| text.replace(code, ""));
            assert_eq!(plain, "ok       disk  1\nwarning  é\n\n");
        }
    }

    #[test]
    fn codes_are_what_scripts_rely_on() {
        assert_eq!([Exit::Good as u8, Exit::Failed as u8, Exit::Misused as u8], [0, 1, 2]);
    }
}
