//! `tintype completions` and `tintype man`, and the help of every verb:
//!
//! - each shell gets a script that names every verb; an unknown shell is wrong usage;
//! - man prints the main page, or writes one for each verb; a folder that cannot be is a failure;
//! - help is coloured in a terminal and plain in a pipe, and tells the exit codes.

use super::support::terminal::{in_pipe, in_terminal, tintype};

const VERBS: [&str; 15] = [
    "batch",
    "warm",
    "serve",
    "check",
    "doctor",
    "get",
    "purge",
    "ls",
    "gc",
    "explain",
    "stats",
    "bench",
    "health",
    "completions",
    "man",
];

#[test]
fn each_shell_gets_a_script_with_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, errors) = in_pipe(tintype(&["completions", shell]));
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{shell}");
        for verb in VERBS {
            assert!(script.contains(verb), "{shell} {verb}");
        }
    }
    let (code, _, errors) = in_pipe(tintype(&["completions", "cmd"]));
    assert_eq!(code, Some(2));
    assert!(errors.contains("possible values: bash"), "{errors}");
}

#[test]
fn bash_reads_its_script() {
    let (_, script, _) = in_pipe(tintype(&["completions", "bash"]));
    let asked =
        "COMP_WORDS=(tintype do); COMP_CWORD=1; _tintype tintype do tintype; echo \"${COMPREPLY[@]}\"";
    let bash = std::process::Command::new("bash").args(["-c", &format!("{script}\n{asked}")]).output();
    match bash {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "doctor", "{output:?}"),
        Err(error) => eprintln!("SKIPPED: no bash here: {error}"),
    }
}

#[test]
fn man_prints_the_main_page_or_writes_all() {
    let (code, page, _) = in_pipe(tintype(&["man"]));
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH tintype 1") && page.contains("tintype\\-doctor(1)"), "{page}");
    assert!(page.contains("it failed while it ran"), "{page}");

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man/man1");
    let (code, printed, errors) = in_pipe(tintype(&["man", dir.to_str().unwrap()]));
    assert_eq!((code, printed.as_str(), errors.as_str()), (Some(0), "", ""));
    assert!(dir.join("tintype.1").is_file());
    for verb in VERBS {
        let page = std::fs::read_to_string(dir.join(format!("tintype-{verb}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{verb}");
    }

    let file = dir.join("tintype.1/below");
    let (code, _, errors) = in_pipe(tintype(&["man", file.to_str().unwrap()]));
    assert_eq!(code, Some(1));
    assert!(errors.starts_with("error: cannot write the pages"), "{errors}");
}

#[test]
fn help_is_coloured_in_a_terminal_alone() {
    for verb in VERBS {
        let (code, plain, _) = in_pipe(tintype(&[verb, "--help"]));
        assert_eq!(code, Some(0));
        assert!(!plain.contains('\x1b') && plain.contains("Usage:"), "{plain}");
        let (code, coloured) = in_terminal(tintype(&[verb, "--help"]), 100);
        assert_eq!(code, Some(0));
        assert!(coloured.contains('\x1b'), "{coloured}");
    }
    let (_, help, _) = in_pipe(tintype(&["--help"]));
    assert!(help.contains("Exit codes of every verb:\n  0  done"), "{help}");
}
