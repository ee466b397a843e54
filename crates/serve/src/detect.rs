//! `POST /v1/detect`: a verdict a picture.

use std::sync::Arc;

use ::provenance::Declared;
use axum::extract::{Request, State as Of};
use axum::response::Response;
use cifake::Verdict;
use serde::Serialize;

use crate::client::Client;
use crate::extent::lane;
use crate::problem::Problem;
use crate::provenance::Beside;
use crate::state::State;
use crate::work::{self, File};

/// The fields of an answer.
#[derive(Serialize)]
struct Detected {
    #[serde(flatten)]
    verdict: Verdict,
    /// Present where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Option<Declared>>,
}

/// Answers with a verdict for each picture.
pub(crate) async fn detect(
    Of(state): Of<Arc<State>>,
    request: Request,
) -> Result<Response, Problem> {
    let with_provenance = work::asks_for(&request, "provenance")?;
    work::each(&state, request, |client, file| {
        let state = Arc::clone(&state);
        async move {
            let provenance = Beside::begin(with_provenance, &state, client, &file)?;
            let verdict = verdict(&state, client, file).await?;
            Ok(Detected { verdict, provenance: provenance.answer().await? })
        }
    })
    .await
}

/// Decodes the picture in its turn, and judges it together with those of others.
async fn verdict(state: &Arc<State>, client: Client, file: File) -> Result<Verdict, Problem> {
    let expected = state.batcher.expect();
    let (detector, lane) = (state.detector.clone(), lane(&file.bytes));
    let decode = move || {
        let (width, height) = detector.input_size();
        detector.decoder().decode_fitted(&file.bytes, width, height)
    };
    let fitted = state.queue.add(client, lane, decode)?.answer().await??;
    expected.verdict(fitted).await
}
