//! `POST /v1/provenance`: the declarations of a picture's file.

use std::sync::Arc;

use ::provenance::{Claim, Credentials, Declarations, Format};
use axum::extract::{Request, State as Of};
use axum::response::Response;
use serde::Serialize;

use crate::client::Client;
use crate::problem::{Problem, ProblemKind};
use crate::queue::{Lane, Pending};
use crate::state::State;
use crate::work::{self, File};

/// Longest file of the lane of small pictures, in bytes: declarations are read without decoding a picture.
const SMALL_BYTES: usize = 1 << 20;

/// The declarations of a file, each with its sentence.
#[derive(Serialize)]
pub(crate) struct Declared {
    format: Format,
    claims: Vec<Said>,
    credentials: Checked,
    damage: Option<&'static str>,
    text: String,
}

#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    credentials: Credentials,
    text: String,
}

#[derive(Serialize)]
struct Said {
    #[serde(flatten)]
    claim: Claim,
    text: String,
}

impl From<Declarations> for Declared {
    fn from(declarations: Declarations) -> Self {
        let text = declarations.to_string();
        let Declarations { format, claims, credentials, damage, .. } = declarations;
        let said = |claim: Claim| Said { text: claim.to_string(), claim };
        let claims = claims.into_iter().map(said).collect();
        let credentials = Checked { text: credentials.to_string(), credentials };
        Self { format, claims, credentials, damage, text }
    }
}

/// Answers with the declarations of each file.
pub(crate) async fn provenance(
    Of(state): Of<Arc<State>>,
    request: Request,
) -> Result<Response, Problem> {
    work::each(&state, request, |client, file| {
        let state = Arc::clone(&state);
        async move { pending(&state, client, &file, read)?.answer().await? }
    })
    .await
}

/// The declarations of a file beside its verdict; `None` for a format without any.
pub(crate) fn beside(
    state: &State,
    client: Client,
    file: &File,
) -> Result<Pending<Option<Declared>>, Problem> {
    pending(state, client, file, |bytes| read(bytes).ok())
}

fn pending<T: Send + 'static>(
    state: &State,
    client: Client,
    file: &File,
    read: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<Pending<T>, Problem> {
    let lane = if file.bytes.len() <= SMALL_BYTES { Lane::Small } else { Lane::Large };
    let file = file.clone();
    state.queue.add(client, lane, move || read(&file.bytes))
}

fn read(bytes: &[u8]) -> Result<Declared, Problem> {
    match ::provenance::read(bytes) {
        Ok(declarations) => Ok(declarations.into()),
        Err(error @ ::provenance::Error::Format) => {
            Err(Problem::new(ProblemKind::Unsupported, error.to_string()))
        }
        Err(_) => Err(Problem::internal()),
    }
}
