//! `GET /v1/model`: the model and the limits.

use std::sync::Arc;

use axum::extract::State as Of;
use axum::response::Response;
use serde::Serialize;

use crate::state::State;
use crate::work::json;

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    /// Of the weight file.
    sha256: &'a str,
    input: Size,
    threshold: f32,
    /// Of the service.
    version: &'static str,
    limits: Accepted,
}

#[derive(Serialize)]
struct Size {
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Accepted {
    max_body_bytes: u64,
    max_pixels: u64,
    max_files: usize,
}

/// Answers with the model and the limits.
pub(crate) async fn model(Of(state): Of<Arc<State>>) -> Response {
    let (detector, limits) = (&state.detector, &state.limits);
    let (width, height) = detector.input_size();
    json(&Model {
        name: detector.model_name(),
        sha256: &detector.weights().sha256,
        input: Size { width, height },
        threshold: detector.threshold(),
        version: env!("CARGO_PKG_VERSION"),
        limits: Accepted {
            max_body_bytes: limits.max_body_bytes,
            max_pixels: limits.max_pixels,
            max_files: limits.max_files,
        },
    })
}
