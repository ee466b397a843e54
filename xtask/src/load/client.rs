//! A client that keeps its connection: HTTP/1.1, as much of it as the load needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Time for an answer, beyond every limit of the server.
const PATIENCE: Duration = Duration::from_secs(150);

/// A client.
pub(super) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// The status of the answer to `request`, or 0 for a connection that ended without one. A request that
    /// `breaks_off` is followed by the end of the connection, and its status is not waited for.
    pub(super) fn ask(&mut self, request: &[u8], breaks_off: bool) -> u16 {
        let is_reused = self.connection.is_some();
        let mut answered = self.try_ask(request, breaks_off);
        if answered.is_err() && is_reused {
            // The server may have closed it in the meantime, as after a body that it did not read.
            self.connection = None;
            answered = self.try_ask(request, breaks_off);
        }
        if breaks_off || answered.is_err() {
            self.connection = None;
        }
        answered.unwrap_or(0)
    }

    fn try_ask(&mut self, request: &[u8], breaks_off: bool) -> io::Result<u16> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                self.connection.insert(BufReader::new(stream))
            }
        };
        let written = connection.get_mut().write_all(request);
        if breaks_off {
            return written.map(|()| 200);
        }
        // A server may refuse a body before its end; its answer is then there to be read.
        let (status, keeps) = answer(connection)?;
        if !keeps {
            self.connection = None;
        }
        Ok(status)
    }
}

/// Reads an answer to its end: its status, and whether the connection stays open.
fn answer(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, bool)> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
    let (mut n_bytes, mut keeps) = (0, true);
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let lower = line.trim_end().to_ascii_lowercase();
        match lower.split_once(": ") {
            Some(("content-length", value)) => n_bytes = value.parse().map_err(|_| malformed())?,
            Some(("connection", value)) => keeps = value != "close",
            _ if lower.is_empty() => break,
            _ => {}
        }
    }
    let read = io::copy(&mut connection.by_ref().take(n_bytes), &mut io::sink())?;
    if read == n_bytes { Ok((status, keeps)) } else { Err(malformed()) }
}
