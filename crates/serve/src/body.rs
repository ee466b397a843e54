//! The pictures in the body of a request, within limits while they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::multipart::{MultipartError, Upload, uploads};
use crate::problem::{Problem, ProblemKind};

/// Bytes of all bodies in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    n_bytes: AtomicU64,
}

/// Bytes of one body; its drop gives them back.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    n_bytes: u64,
}

/// The pictures of a request.
#[derive(Debug)]
pub(crate) struct Uploads {
    /// At least one.
    pub(crate) files: Vec<Upload>,
    /// Kept as long as somebody holds a file.
    pub(crate) share: Arc<Share>,
}

impl Memory {
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes.load(Ordering::Relaxed)
    }
}

impl Share {
    fn new(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), n_bytes: 0 }
    }

    /// Takes `n_bytes` more; false if all bodies together would have more than `limit`.
    fn grow(&mut self, n_bytes: u64, limit: u64) -> bool {
        let grown = |total: u64| total.checked_add(n_bytes).filter(|total| *total <= limit);
        let total = &self.memory.n_bytes;
        let is_taken = total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        self.n_bytes += if is_taken { n_bytes } else { 0 };
        is_taken
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.n_bytes.fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}

/// The form of a body, by its content type.
enum Form {
    Raw,
    Multipart(String),
}

/// Reads the pictures of a request.
///
/// # Errors
///
/// 400, 408, 413, 415 or 503, as the body demands.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    memory: &Arc<Memory>,
    limits: &Limits,
) -> Result<Uploads, Problem> {
    let form = form(headers)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > limits.max_body_bytes)
    {
        return Err(too_long(limits));
    }
    let mut share = Share::new(memory);
    let whole = timeout(limits.body_timeout, collected(body, &mut share, limits));
    let bytes = whole.await.map_err(|_| too_slow(limits.body_timeout))??;
    let files = match form {
        Form::Raw if bytes.is_empty() => {
            let detail = "the body is empty; send the bytes of a picture";
            return Err(Problem::new(ProblemKind::InvalidInput, detail));
        }
        Form::Raw => vec![Upload { name: None, bytes }],
        Form::Multipart(content_type) => uploads(&content_type, bytes, limits.max_files)?,
    };
    Ok(Uploads { files, share: Arc::new(share) })
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Form::Raw) };
    let text = value.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "multipart/form-data" => Ok(Form::Multipart(text.to_owned())),
        "application/octet-stream" => Ok(Form::Raw),
        kind if kind.starts_with("image/") => Ok(Form::Raw),
        _ => Err(Problem::new(
            ProblemKind::Unsupported,
            "the content type must be image/*, application/octet-stream or multipart/form-data; with curl, \
             write -F file=@photo.jpg or add -H 'Content-Type: image/jpeg'",
        )),
    }
}

/// The whole body, as long as it keeps to the limits.
async fn collected(mut body: Body, share: &mut Share, limits: &Limits) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    loop {
        let frame = timeout(limits.pause_timeout, body.frame()).await;
        let frame = match frame.map_err(|_| too_slow(limits.pause_timeout))? {
            None => return Ok(bytes.freeze()),
            Some(frame) => frame.map_err(|_| {
                Problem::new(ProblemKind::InvalidInput, "the body ended before its stated length")
            })?,
        };
        let Ok(data) = frame.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > limits.max_body_bytes {
            return Err(too_long(limits));
        }
        if !share.grow(data.len() as u64, limits.max_queue_bytes) {
            return Err(Problem::overloaded());
        }
        bytes.extend_from_slice(&data);
    }
}

fn too_long(limits: &Limits) -> Problem {
    let detail = format!("the body has more than {} bytes", limits.max_body_bytes);
    Problem::new(ProblemKind::TooLarge, detail)
}

fn too_slow(time: Duration) -> Problem {
    let detail = format!("the body did not arrive within {} seconds", time.as_secs_f64());
    Problem::new(ProblemKind::TooSlow, detail)
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        let kind = match error {
            MultipartError::TooManyFiles { .. } => ProblemKind::TooLarge,
            _ => ProblemKind::InvalidInput,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_and_given_back() {
        let memory = Arc::new(Memory::default());
        let (mut first, mut second) = (Share::new(&memory), Share::new(&memory));
        assert!(first.grow(6, 10) && second.grow(4, 10));
        assert!(!second.grow(1, 10) && !first.grow(u64::MAX, u64::MAX));
        drop(first);
        assert!(second.grow(6, 10));
        drop(second);
        assert_eq!(memory.n_bytes(), 0);
    }
}
