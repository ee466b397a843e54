//! A server that answers what a test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The reply to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, headers and a body.
    Full(u16, &'static str, String),
    /// Nothing for that long, then the end of the connection.
    Silence(Duration),
    /// Headers that promise more bytes than come.
    BrokenOff(&'static str),
    /// Bytes without end.
    Endless,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// Answers requests one after the other from a list; its last reply again and again.
pub(crate) struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        // It ends with the process of the test: nothing tells it apart from a server.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (replies, seen) = (replies.clone(), Arc::clone(&seen));
                thread::spawn(move || serve(stream, &replies, &seen));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no thread failed").clone()
    }
}

fn serve(mut stream: TcpStream, replies: &[Reply], seen: &Mutex<Vec<Request>>) -> Option<()> {
    let request = read(&mut stream)?;
    let reply = {
        let mut seen = seen.lock().expect("no thread failed");
        seen.push(request);
        replies[(seen.len() - 1).min(replies.len() - 1)].clone()
    };
    match reply {
        Reply::Full(status, headers, body) => {
            let head = format!(
                "HTTP/1.1 {status} S\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).ok()
        }
        Reply::Silence(time) => {
            thread::sleep(time);
            None
        }
        Reply::BrokenOff(start) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(format!("{head}{start}").as_bytes()).ok()
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").ok()?;
            while stream.write_all(&[b' '; 4096]).is_ok() {}
            None
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body: serde_json::from_slice(&body).ok()? })
}
