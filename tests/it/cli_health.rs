//! `tintype health`: exit 0 if and only if the control plane answers GET /healthz with 200.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

fn health(address: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    for name in ["TINTYPE_ADMIN__LISTEN", "TINTYPE_ADMIN__TOKEN", "TINTYPE_ADMIN__TOKEN_FILE"] {
        command.env_remove(name);
    }
    command.args(["health", "--admin", address]).args(arguments).output().unwrap()
}

/// Answers one request with `status` and gives back its head.
fn answer_once(listener: TcpListener, status: &'static str) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        head.join("\n").to_lowercase()
    })
}

#[test]
fn the_exit_code_follows_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    for (status, code) in [("200 OK", 0), ("503 Service Unavailable", 1), ("401 Unauthorized", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let head = answer_once(listener, status);
        let output = health(&address, &["--token-file", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let head = head.join().unwrap();
        assert!(head.starts_with("get /healthz http/1.1\n"), "{head}");
        assert!(head.contains("authorization: bearer 0123456789abcdef"), "{head}");
    }
}

/// Where others would see it.
#[test]
fn no_token_is_taken_on_the_command_line() {
    let output = health("127.0.0.1:1", &["--token", "0123456789abcdef"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let missing = health("127.0.0.1:1", &["--token-file", "missing"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("missing"), "{missing:?}");
}

#[test]
fn all_addresses_are_asked_on_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let head = answer_once(listener, "200 OK");
    assert_eq!(health(&format!("0.0.0.0:{port}"), &[]).status.code(), Some(0));
    assert!(head.join().unwrap().contains(&format!("host: 127.0.0.1:{port}")));
}

#[test]
fn nobody_there_and_no_answer_are_unhealthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = health(&address, &["--timeout", "50ms"]);
    assert_eq!(silent.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&silent.stderr).contains("no answer within 50ms"), "{silent:?}");
    // A freed port could soon be another test's; nobody listens on this one.
    let refused = health("127.0.0.1:1", &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("unhealthy: "), "{refused:?}");
}
