//! A detector as a service.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use cifake::{DecodeLimits, Detector};

use crate::auth::Token;
use crate::limits::Limits;
use crate::route;
use crate::state::State;

/// A detector as a service: a router for any axum application. A clone is the same service.
///
/// ```
/// # fn app(detector: cifake::Detector) -> axum::Router {
/// use cifake_serve::{Limits, Service};
///
/// let limits = Limits { max_files: 8, ..Limits::default() };
/// let service = Service::builder(detector).limits(limits).build();
/// axum::Router::new().nest("/pictures", service.router())
/// # }
/// ```
///
/// The router needs a tokio runtime. Clients are told apart by axum's
/// [`ConnectInfo`](axum::extract::ConnectInfo) of a `SocketAddr`; without it, each request is a client of its own.
#[derive(Clone)]
pub struct Service {
    state: Arc<State>,
}

/// The construction of a [`Service`].
#[derive(Debug, Clone)]
pub struct ServiceBuilder {
    detector: Detector,
    limits: Limits,
    token: Option<Token>,
    is_local: bool,
}

impl Service {
    /// The builder of a service of `detector`.
    #[must_use]
    pub fn builder(detector: Detector) -> ServiceBuilder {
        ServiceBuilder { detector, limits: Limits::default(), token: None, is_local: false }
    }

    /// The router. All routers of a service share its queue and its limits.
    pub fn router(&self) -> Router {
        route::router(&self.state)
    }

    /// Refuses further requests with 503. Those that were accepted get their answers.
    pub fn close(&self) {
        self.state.is_closing.store(true, Ordering::Relaxed);
    }

    /// The limits of the service.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.state.limits
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("detector", &self.state.detector).finish_non_exhaustive()
    }
}

impl ServiceBuilder {
    /// Spends no more than `limits` on clients. They replace the detector's own limits on files.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Asks every client for `token`. The page, the description and the state of health stay open.
    #[must_use]
    pub fn token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Answers only requests to `localhost`, `127.0.0.1` or `[::1]`, so that no website reaches a service of this
    /// machine. Others get 403.
    #[must_use]
    pub fn local_only(self) -> Self {
        Self { is_local: true, ..self }
    }

    /// The service.
    #[must_use]
    pub fn build(self) -> Service {
        let Self { detector, limits, token, is_local } = self;
        let decoding = DecodeLimits::default()
            .with_max_pixels(limits.max_pixels)
            .with_max_file_bytes(limits.max_body_bytes);
        let detector = detector.with_limits(decoding);
        Service { state: Arc::new(State::new(detector, limits, token, is_local)) }
    }
}
