//! A service on a socket.
//!
//! `axum::serve` has no limit on connections, none on the time of a request's head, and none on that of an answer. A
//! client that sends a byte now and then, or reads none, would hold a connection forever.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower::Service as _;

use crate::error::Error;
use crate::service::Service;

/// Most connections at once.
const MAX_CONNECTIONS: usize = 1024;
/// Time for the head of a request, and for the pause between two requests of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Time in which a client takes no byte of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Time for the last bytes of answers after the service has ended.
const GRACE: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection, for instance for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that waits for clients of a [`Service`].
///
/// ```no_run
/// # async fn run(detector: cifake::Detector) -> Result<(), cifake_serve::Error> {
/// use cifake_serve::{Server, Service, stop_signal};
///
/// let service = Service::builder(detector).local_only().build();
/// let server = Server::bind(([127, 0, 0, 1], 8080).into()).await?;
/// server.run(&service, service.router(), stop_signal()).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    max_connections: usize,
    head_timeout: Duration,
    write_timeout: Duration,
}

impl Server {
    /// Listens to `address`; the system chooses the port where it is 0.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] if the address cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let listen = |source: io::Error| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self {
            listener,
            address,
            max_connections: MAX_CONNECTIONS,
            head_timeout: HEAD_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
        })
    }

    /// The address, with the port that the system has chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves at most `n` connections at once, 1,024 by default. Others wait.
    #[must_use]
    pub fn max_connections(self, n: usize) -> Self {
        Self { max_connections: n, ..self }
    }

    /// Closes a connection whose next request has no whole head within `time`, 15 seconds by default.
    #[must_use]
    pub fn head_timeout(self, time: Duration) -> Self {
        Self { head_timeout: time, ..self }
    }

    /// Closes a connection whose client takes no byte of its answer for `time`, 30 seconds by default.
    #[must_use]
    pub fn write_timeout(self, time: Duration) -> Self {
        Self { write_timeout: time, ..self }
    }

    /// Answers by `router`, which may hold more than that of `service`, until `stop` ends. Then no connection is
    /// accepted, and the accepted requests get their answers.
    pub async fn run(self, service: &Service, router: Router, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let (stream, peer, place) = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept(&places) => accepted,
            };
            let (head_timeout, write_timeout) = (self.head_timeout, self.write_timeout);
            let connection = Connection { peer, head_timeout, write_timeout, _place: place };
            tokio::spawn(connection.serve(stream, router.clone(), graceful.watcher()));
        }
        drop(self.listener);
        service.close();
        let limits = service.limits();
        let longest = limits.timeout.saturating_add(limits.body_timeout).saturating_add(GRACE);
        // A connection that is left belongs to a client that does not read its answer.
        let _ = tokio::time::timeout(longest, graceful.shutdown()).await;
    }

    /// The next connection, as soon as there is a place for it.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let place = Arc::clone(places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// The connection of a client.
struct Connection {
    peer: SocketAddr,
    head_timeout: Duration,
    write_timeout: Duration,
    /// Given back at the end of the connection.
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Answers the requests of `stream` until one side ends it.
    async fn serve(self, stream: TcpStream, router: Router, watcher: Watcher) {
        // Answers are written as a whole; a delay would gain nothing.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_timeout));
        let answer = service_fn(|mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(self.peer));
            let mut router = router.clone();
            async move {
                let response: Result<Response, Infallible> =
                    router.call(request.map(Body::new)).await;
                response
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(Box::pin(stream)), answer);
        // A client that breaks off, or breaks the protocol, is no fault of the service.
        let _ = watcher.watch(connection).await;
    }
}
