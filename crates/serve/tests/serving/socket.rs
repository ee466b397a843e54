//! The service over a real socket.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cifake_serve::{Limits, Server, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{figure, png};
use crate::toy;

/// A service that runs, and its end.
struct Running {
    service: Service,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    async fn start(configure: impl FnOnce(Server) -> Server) -> Self {
        let limits = Limits { pause_timeout: Duration::from_millis(500), ..Limits::default() };
        let service = Service::builder(toy::detector()).limits(limits).local_only().build();
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let server = configure(server);
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = service.clone();
        let ended = tokio::spawn(async move {
            let stop = async { stopped.await.unwrap_or_default() };
            server.run(&running, running.router(), stop).await;
        });
        Self { service, address, stop, ended }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Sends `bytes` and reads until the other side closes.
    async fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("it reads");
        rest(&mut stream).await
    }

    async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.ended.await.expect("it ends without a panic");
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request with a picture, that closes the connection or keeps it.
fn request(connection: &str) -> Vec<u8> {
    let picture = png(toy::SIDE, toy::SIDE, 9);
    let head = format!(
        "POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
        picture.len()
    );
    [head.into_bytes(), picture].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_answered_over_a_socket() {
    let running = Running::start(|server| server).await;
    let answer = running.talk(&request("close")).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"p_fake\":"),
        "{answer}"
    );
    let foreign = b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(running.talk(foreign).await.starts_with("HTTP/1.1 403"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_waits_for_accepted_requests_and_refuses_connections() {
    let running = Running::start(|server| server).await;
    let address = running.address;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = running.connect().await;
        stream.write_all(&request("keep-alive")).await.expect("it reads");
        streams.push(stream);
    }
    while figure(&running.service, "cifake_requests_open").await < 4.0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.stop().await;
    for mut stream in streams {
        let answer = rest(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"p_fake\":"),
            "{answer}"
        );
    }
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends_is_given_up() {
    let running = Running::start(|server| server.head_timeout(Duration::from_millis(200))).await;
    let start = Instant::now();
    let mut stream = running.connect().await;
    let dripping = async {
        for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), dripping).await;
    assert!(ended.is_ok() && start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let mut kept = running.connect().await;
    kept.write_all(&request("keep-alive")).await.expect("it reads");
    let answer = rest(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "an idle connection is closed: {answer}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_no_answer_is_given_up() {
    let running = Running::start(|server| {
        server.write_timeout(Duration::from_millis(300)).max_connections(1)
    })
    .await;
    let mut stream = running.connect().await;
    // Answers fill the buffers of both sides, until the service can write no more and reads no more.
    let asking = async {
        while stream
            .write_all(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .is_ok()
        {}
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), asking).await;
    assert!(ended.is_ok(), "the connection is still open");
    let request = request("close");
    let next = tokio::time::timeout(Duration::from_secs(20), running.talk(&request));
    assert!(next.await.expect("its place is free").starts_with("HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let running = Running::start(|server| server).await;
    let whole = request("close");
    let mut stream = running.connect().await;
    stream.write_all(&whole[..whole.len() - 10]).await.expect("it reads");
    drop(stream);
    let mut stream = running.connect().await;
    stream.write_all(&whole[..whole.len() - 10]).await.expect("it reads");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    while figure(&running.service, "cifake_requests_open").await > 0.0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(figure(&running.service, "cifake_body_bytes").await, 0.0);
    assert!(running.talk(&whole).await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_wait() {
    let running = Running::start(|server| server.max_connections(1)).await;
    let idle = running.connect().await;
    // It is accepted, and holds the only place.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let request = request("close");
    let mut waiting = Box::pin(running.talk(&request));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(early.is_err(), "there is no place");
    drop(idle);
    assert!(waiting.await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}
