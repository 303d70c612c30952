//! `tintype completions` and `tintype man`: write the files that packages install beside the
//! program, from clap's definitions.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::terminal::{Exit, complain, print, with_causes};

pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  tintype completions bash > /etc/bash_completion.d/tintype
  tintype completions zsh > \"${fpath[1]}/_tintype\"
  tintype completions fish > ~/.config/fish/completions/tintype.fish";

pub(super) const MAN_HELP: &str = "\
Examples:
  tintype man | man -l -
  tintype man /usr/local/share/man/man1";

#[derive(clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell to write for
    shell: Shell,
}

#[derive(clap::Args)]
pub(super) struct ManArgs {
    /// Folder to write all pages to, created if it is missing; without it the main page is printed
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, mut program: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "tintype", &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Good.into()
}

pub(super) fn man(args: &ManArgs, program: Command) -> ExitCode {
    let written = match &args.dir {
        None => main_page(program).map(|page| print(&page)),
        Some(dir) => all_pages(dir, program),
    };
    match written {
        Ok(()) => Exit::Good.into(),
        Err(error) => {
            complain(&format!("error: cannot write the pages: {}\n", with_causes(&error)));
            Exit::Failed.into()
        }
    }
}

fn main_page(program: Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(program).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn all_pages(dir: &Path, program: Command) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(program, dir)
}
