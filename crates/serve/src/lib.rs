//! A detector of AI-generated pictures behind HTTP.
//!
//! [`Service`] makes an axum router of a [`Detector`](cifake::Detector), and [`Server`] puts it on a socket:
//!
//! ```no_run
//! # async fn run(detector: cifake::Detector) -> Result<(), cifake_serve::Error> {
//! use cifake_serve::{Server, Service, stop_signal};
//!
//! let service = Service::builder(detector).local_only().build();
//! let server = Server::bind(([127, 0, 0, 1], 8080).into()).await?;
//! println!("http://{}", server.address());
//! server.run(&service, service.router(), stop_signal()).await;
//! # Ok(())
//! # }
//! ```
//!
//! | route | answer |
//! |---|---|
//! | `POST /v1/detect` | a verdict for each picture |
//! | `POST /v1/explain` | verdict, map and reasons for each picture |
//! | `POST /v1/provenance` | the declarations of each file |
//! | `GET /v1/model` | the model and the limits |
//! | `GET /healthz`, `/metrics`, `/openapi.json` | the state, figures for Prometheus, the description |
//! | `GET /` | a page for people, without any resource from elsewhere |
//!
//! Pictures of several clients go through the model together. Clients take turns in the queue, and large
//! pictures do not delay small ones. [`Limits`] bound bodies, pixels, memory and time; a client beyond them gets
//! a problem document (RFC 9457).
//!
//! Nothing of a picture is kept, and nothing is logged. The crate never sends a picture anywhere.

mod admission;
mod auth;
mod batch;
mod body;
mod client;
mod detect;
mod error;
mod explain;
mod extent;
mod front;
mod host;
mod limits;
mod metrics;
mod model;
mod multipart;
mod openapi;
mod page;
mod problem;
mod provenance;
mod queue;
mod route;
mod schema;
mod server;
mod service;
mod shutdown;
mod state;
mod work;

pub use auth::Token;
pub use error::Error;
pub use host::is_loopback;
pub use limits::Limits;
pub use multipart::{MultipartError, Upload, uploads};
pub use server::Server;
pub use service::{Service, ServiceBuilder};
pub use shutdown::stop_signal;
