//! `cifake serve`: the detector behind HTTP, with a page for people.

use std::future::{Future, ready};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cifake_serve::{Limits, Server, Service, Token, is_loopback, stop_signal};

use crate::args::DetectorArgs;

/// Longest file with a token, in bytes.
const MAX_TOKEN_FILE: u64 = 4096;
/// Time for the last threads after the last answer.
const GRACE: Duration = Duration::from_secs(2);

/// Serves a page for people and an interface for programs on this machine.
///
/// The page is at the address that is printed; GET /openapi.json describes the interface. Pictures stay in memory
/// until their answer, and nothing of them is kept or logged. Ctrl-C or SIGTERM ends the program after the accepted
/// requests are answered; a second one ends it at once.
///
/// Only programs of this machine reach it by default. Another address needs a token, which clients send as
/// `Authorization: Bearer TOKEN`.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("max_pixels", |argument| argument.default_value("40000000")),
    after_help = "Examples:
  cifake serve
  cifake serve --port 0 --weights adversarial
  cifake serve --listen 0.0.0.0 --token-file token.txt
  curl -F file=@photo.jpg http://127.0.0.1:8080/v1/detect"
)]
pub(crate) struct Args {
    /// The port; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// The address to listen to.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Ask clients for the token in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    token_file: Option<PathBuf>,
    /// Ask nobody for a token, whoever reaches the address.
    #[arg(long)]
    no_auth: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    detector: DetectorArgs,
    /// Serve on a free port, and end at once.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// The limits on clients.
#[derive(Debug, clap::Args)]
struct LimitArgs {
    /// Longest body of a request, in bytes.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_body_bytes)]
    max_body_bytes: u64,
    /// Most pictures of one request.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_files)]
    max_files: usize,
    /// Requests with pictures that are worked on at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_in_flight)]
    max_in_flight: usize,
    /// Requests with pictures of one network address at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_per_client)]
    max_per_client: usize,
    /// Pictures that wait to be decoded.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_queue)]
    max_queue: usize,
    /// Bytes of all bodies in memory.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_queue_bytes)]
    max_queue_bytes: u64,
    /// Seconds from a whole body to its answer.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().timeout.as_secs())]
    timeout: u64,
}

/// Returns 0 when it was asked to end.
pub(crate) fn run(args: &Args) -> Result<usize> {
    let is_local = is_loopback(args.listen);
    ensure!(
        is_local || args.no_auth || args.token_file.is_some(),
        "other machines reach {}: add --token-file FILE, or --no-auth to let everybody in",
        args.listen
    );
    let token = args.token_file.as_deref().map(token).transpose()?;
    let (detector, _) = args.detector.detector()?;
    let mut builder = Service::builder(detector).limits(args.limits());
    if let Some(token) = token {
        builder = builder.token(token);
    }
    if is_local {
        builder = builder.local_only();
    }
    let service = builder.build();
    let port = if args.smoke { 0 } else { args.port };
    let stop: Pin<Box<dyn Future<Output = ()>>> =
        if args.smoke { Box::pin(ready(())) } else { Box::pin(stop_signal()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let server = Server::bind(SocketAddr::new(args.listen, port)).await?;
        writeln!(io::stdout(), "http://{}  (Ctrl-C ends it)", server.address())?;
        tokio::select! {
            () = server.run(&service, service.router(), stop) => {}
            () = second_signal() => {}
        }
        Ok(0)
    });
    runtime.shutdown_timeout(GRACE);
    outcome
}

/// Returns when the user asks once more, and does not want to wait for answers.
async fn second_signal() {
    stop_signal().await;
    stop_signal().await;
}

impl Args {
    fn limits(&self) -> Limits {
        let limits = &self.limits;
        Limits {
            max_body_bytes: limits.max_body_bytes,
            max_pixels: self.detector.max_pixels(),
            max_files: limits.max_files,
            max_in_flight: limits.max_in_flight,
            max_per_client: limits.max_per_client,
            max_queue: limits.max_queue,
            max_queue_bytes: limits.max_queue_bytes,
            timeout: Duration::from_secs(limits.timeout),
            ..Limits::default()
        }
    }
}

/// The token in the file at `path`.
fn token(path: &Path) -> Result<Token> {
    let bytes = cifake::file::read_limited(path, MAX_TOKEN_FILE)?;
    let text =
        String::from_utf8(bytes).ok().with_context(|| format!("{} is no text", path.display()))?;
    Token::new(&text).with_context(|| format!("no token in {}", path.display()))
}
