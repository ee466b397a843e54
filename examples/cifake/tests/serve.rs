//! `cifake serve` as a program: its address, its answers, its end.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program that serves.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut child = serve(&["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it prints its address");
        let address = line.strip_prefix("http://").and_then(|line| line.split_whitespace().next());
        Self { address: address.unwrap_or_else(|| panic!("{line}")).to_owned(), child }
    }

    /// The answer to a request that begins with `first` and has the picture as its body.
    fn ask(&self, first: &str, picture: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = picture.len();
        let head = format!(
            "{first}\r\nHost: {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(&[head.as_bytes(), picture].concat()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in text");
        answer
    }

    /// Asks it to end, and returns its exit status.
    fn end(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill exists");
        assert!(sent.success());
        self.child.wait().expect("it ends").code()
    }
}

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cifake"));
    command.arg("serve").args(arguments);
    command
}

fn sample() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    std::fs::read(folder.join("fake-airplane-1.jpg")).expect("the repository holds it")
}

#[test]
fn it_answers_and_ends_with_zero_when_asked_to() {
    let serving = Serving::start(&["--threads", "1"]);
    let answer = serving.ask("POST /v1/detect HTTP/1.1", &sample());
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"answer\":\"FAKE\""),
        "{answer}"
    );
    assert!(serving.ask("GET / HTTP/1.1", b"").contains("<!doctype html>"));
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_token_in_a_file_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "correct-horse-battery\n").expect("it is writable");
    let file = file.to_str().expect("it is UTF-8");
    let serving = Serving::start(&["--threads", "1", "--token-file", file]);
    let ask = |first: &str| serving.ask(first, &sample());
    assert!(ask("POST /v1/detect HTTP/1.1").starts_with("HTTP/1.1 401"));
    let answer = ask("POST /v1/detect HTTP/1.1\r\nAuthorization: Bearer correct-horse-battery");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn another_address_needs_a_token_or_a_word() {
    let output = serve(&["--listen", "0.0.0.0", "--port", "0"]).output().expect("it was built");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("--token-file") && message.contains("--no-auth"), "{message}");
    let missing = serve(&["--token-file", "/no/such/file"]).output().expect("it was built");
    assert_eq!(missing.status.code(), Some(2));
}
