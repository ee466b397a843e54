//! `POST /v1/explain`: verdict, map and reasons of a picture.

use std::sync::Arc;

use ::explain::{Analysis, ShownReport};
use ::provenance::Declared;
use axum::extract::{Request, State as Of};
use axum::response::Response;
use cifake::{Detector, error_chain};
use serde::Serialize;

use crate::problem::Problem;
use crate::provenance::Beside;
use crate::queue::Lane;
use crate::state::State;
use crate::work::{self, File};

/// The name in the report of a picture that has none.
const NAMELESS: &str = "picture";

/// The fields of an answer.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    report: ShownReport,
    /// Present where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Option<Declared>>,
}

/// Answers with the report on each picture.
pub(crate) async fn explain(
    Of(state): Of<Arc<State>>,
    request: Request,
) -> Result<Response, Problem> {
    let with_provenance = work::asks_for(&request, "provenance")?;
    work::each(&state, request, |client, file| {
        let state = Arc::clone(&state);
        async move {
            let provenance = Beside::begin(with_provenance, &state, client, &file)?;
            let detector = state.detector.clone();
            let work = move || explained(&detector, &file);
            // Gradients and measurements take longer than any small picture.
            let report = state.queue.add(client, Lane::Large, work)?.answer().await??;
            Ok(Explained { report, provenance: provenance.answer().await? })
        }
    })
    .await
}

fn explained(detector: &Detector, file: &File) -> Result<ShownReport, Problem> {
    let picture = detector.decoder().decode(&file.bytes)?;
    let name = file.name.as_deref().unwrap_or(NAMELESS);
    Ok(Analysis::of(detector).report(name, &picture)?.into())
}

impl From<::explain::Error> for Problem {
    fn from(error: ::explain::Error) -> Self {
        match error {
            ::explain::Error::Verdict(error) | ::explain::Error::File(error) => error.into(),
            // A detector without a map is no fault of the picture, and its text names no file.
            ::explain::Error::Map(error) => {
                Self { detail: error_chain(&error), ..Self::internal() }
            }
            _ => Self::internal(),
        }
    }
}
