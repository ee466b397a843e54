//! The list of routes.

use std::sync::Arc;

use axum::extract::State as Of;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};

use crate::state::State;
use crate::{detect, explain, front, model, openapi, page, problem, provenance};

/// A route: its path, whether it needs no token, and its handler.
struct Route {
    path: &'static str,
    /// It is open to clients without a token: it tells nothing of other clients and takes no work.
    is_open: bool,
    handler: fn() -> MethodRouter<Arc<State>>,
}

/// Every route but the files of the page.
const ROUTES: &[Route] = &[
    Route { path: "/v1/detect", is_open: false, handler: || post(detect::detect) },
    Route { path: "/v1/explain", is_open: false, handler: || post(explain::explain) },
    Route { path: "/v1/provenance", is_open: false, handler: || post(provenance::provenance) },
    Route { path: "/v1/model", is_open: false, handler: || get(model::model) },
    Route { path: "/healthz", is_open: true, handler: || get(|| async { "ok" }) },
    Route { path: "/metrics", is_open: false, handler: || get(figures) },
    Route { path: "/openapi.json", is_open: true, handler: || get(openapi::openapi) },
];

/// The router of `state`.
pub(crate) fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = (route.handler)();
        let handler = match route.is_open {
            true => handler,
            false => handler.layer(middleware::from_fn_with_state(Arc::clone(state), front::token)),
        };
        router = router.route(route.path, handler);
    }
    for &(path, content_type, content) in page::FILES {
        router = router.route(path, get(move || async move { page::page(content_type, content) }));
    }
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(state), front::front))
        .with_state(Arc::clone(state))
}

/// `GET /metrics`.
async fn figures(Of(state): Of<Arc<State>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.figures())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_lists_every_route() {
        let described = openapi::document();
        let described = described["paths"].as_object().expect("an object");
        let mut routes: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
        routes.push("/");
        routes.sort_unstable();
        let mut described: Vec<&str> = described.keys().map(String::as_str).collect();
        described.sort_unstable();
        assert_eq!(described, routes);
    }
}
