//! `POST /v1/provenance`: the declarations of a picture's file.

use std::sync::Arc;

use ::provenance::Declared;
use axum::extract::{Request, State as Of};
use axum::response::Response;

use crate::client::Client;
use crate::problem::{Problem, ProblemKind};
use crate::queue::{Lane, Pending};
use crate::state::State;
use crate::work::{self, File};

/// Longest file of the lane of small pictures, in bytes: declarations are read without decoding a picture.
const SMALL_BYTES: usize = 1 << 20;

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

/// The declarations of a file beside another answer, where they are asked for; `None` within for a format without any.
pub(crate) struct Beside(Option<Pending<Option<Declared>>>);

impl Beside {
    /// Begins to read them if it `is_asked`.
    pub(crate) fn begin(
        is_asked: bool,
        state: &State,
        client: Client,
        file: &File,
    ) -> Result<Self, Problem> {
        let begin = || pending(state, client, file, |bytes| read(bytes).ok());
        Ok(Self(is_asked.then(begin).transpose()?))
    }

    /// Waits for them.
    pub(crate) async fn answer(self) -> Result<Option<Option<Declared>>, Problem> {
        match self.0 {
            Some(pending) => Ok(Some(pending.answer().await?)),
            None => Ok(None),
        }
    }
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
