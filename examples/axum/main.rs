//! The detector inside of an axum application of one's own.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use axum::{Router, routing::get};
use cifake_serve::{Limits, Server, Service, stop_signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // At most 64 requests at once, each for at most ten seconds; others are told to come again.
    let time = Duration::from_secs(10);
    let limits = Limits { max_in_flight: 64, timeout: time, ..Limits::default() };
    let service = Service::builder(tinyvit::embedded()?).limits(limits).local_only().build();
    let app = Router::new()
        .route("/", get(|| async { "POST a picture to /pictures/v1/detect\n" }))
        .nest("/pictures", service.router());

    // With --smoke: a free port, and an end at once.
    let is_trial = std::env::args().any(|argument| argument == "--smoke");
    let port = if is_trial { 0 } else { 3000 };
    let stop = async move {
        if !is_trial {
            stop_signal().await;
        }
    };
    let server = Server::bind(([127, 0, 0, 1], port).into()).await?;
    writeln!(stdout(), "http://{}", server.address())?;
    server.run(&service, app, stop).await;
    Ok(())
}
