//! The program in a real terminal: a pseudo terminal of this process, with nobody else's program between.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The built program with none of our settings around it.
pub(crate) fn tintype(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TINTYPE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("TERM", "xterm-256color").args(arguments);
    command
}

/// Who sits at a terminal.
pub(crate) struct Hand {
    terminal: File,
    program: Pid,
}

impl Hand {
    /// Types `text`.
    pub(crate) fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Does what Ctrl-C does.
    pub(crate) fn interrupts(&mut self) {
        kill_process(self.program, Signal::INT).unwrap();
    }
}

/// Runs `command` on a terminal of `columns`, and gives back its exit code and everything that it wrote there.
pub(crate) fn in_terminal(command: Command, columns: u16) -> (Option<i32>, String) {
    watched_in_terminal(command, columns, |_, _| {})
}

/// The same, with somebody who sees all that was written so far, whenever there is more, and may act on it.
pub(crate) fn watched_in_terminal(
    mut command: Command,
    columns: u16,
    mut watcher: impl FnMut(&str, &mut Hand) + Send + 'static,
) -> (Option<i32>, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let open = || -> File { OpenOptions::new().read(true).write(true).open(&name).unwrap() };
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // Kept open until the program is gone, so that what it wrote last is not lost.
    let side = open();
    tcsetwinsize(&side, size).unwrap();
    let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
    drop(command);
    let mut terminal = File::from(terminal);
    let mut hand = Hand { terminal: terminal.try_clone().unwrap(), program: Pid::from_child(&child) };
    let reader = std::thread::spawn(move || {
        let (mut written, mut piece) = (Vec::new(), [0; 4096]);
        // The end of a terminal is an error.
        while let Ok(length @ 1..) = terminal.read(&mut piece) {
            written.extend_from_slice(&piece[..length]);
            watcher(&String::from_utf8_lossy(&written), &mut hand);
        }
        written
    });
    let status = child.wait().unwrap();
    drop(side);
    (status.code(), String::from_utf8(reader.join().unwrap()).unwrap())
}

/// Runs `command` with pipes.
pub(crate) fn in_pipe(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}
