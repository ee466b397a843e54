//! Parts that all models share: reading `config.json`, and merging text with pictures.

use std::path::Path;

use burn::tensor::Tensor;
use serde_json::Value;

use crate::error::Error;
use crate::text::Decoder;

/// The most bytes of a `config.json`.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// The `config.json` of a model's folder.
pub(crate) fn read_config(folder: &Path) -> Result<Value, Error> {
    let path = folder.join("config.json");
    let bytes = cifake::file::read_limited(&path, MAX_CONFIG_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { path, source })
}

/// `tokens` with each `place` repeated as often as a picture has tokens. Errors call it `placeholder`.
///
/// # Errors
/// [`Error::PicturePlaces`] unless there are `n_pictures` of them.
pub(super) fn expanded(
    tokens: &[u32],
    place: u32,
    [n_pictures, n_tokens]: [usize; 2],
    placeholder: &str,
) -> Result<Vec<u32>, Error> {
    let places = tokens.iter().filter(|token| **token == place).count();
    if places != n_pictures {
        let placeholder = placeholder.to_owned();
        let (what, found) = ("pictures", n_pictures);
        return Err(Error::PicturePlaces { what, places, found, placeholder });
    }
    let repeated =
        |token: &u32| std::iter::repeat_n(*token, if *token == place { n_tokens } else { 1 });
    Ok(tokens.iter().flat_map(repeated).collect())
}

/// The vectors of `tokens`, `[tokens, d_model]`: those of `pictures` in turn where `is_picture`,
/// the embedding's elsewhere.
///
/// # Errors
/// [`Error::Tokens`] for no token, or one outside the vocabulary.
///
/// # Panics
/// If `pictures` have not as many rows as there are such tokens.
pub(super) fn merged(
    decoder: &Decoder,
    tokens: &[u32],
    is_picture: impl Fn(u32) -> bool,
    pictures: Option<Tensor<2>>,
) -> Result<Tensor<2>, Error> {
    let limit = decoder.config().vocab_size;
    if tokens.is_empty() {
        return Err(Error::Tokens { reason: "there is none".to_owned() });
    }
    if let Some(token) = tokens.iter().find(|token| **token as usize >= limit) {
        let reason = format!("{token} is outside the vocabulary of {limit}");
        return Err(Error::Tokens { reason });
    }
    let text = decoder.embed(tokens);
    let Some(pictures) = pictures else { return Ok(text) };
    let (mut at, mut used, mut parts) = (0, 0, Vec::new());
    for run in tokens.chunk_by(|a, b| is_picture(*a) == is_picture(*b)) {
        if is_picture(run[0]) {
            parts.push(pictures.clone().narrow(0, used, run.len()));
            used += run.len();
        } else {
            parts.push(text.clone().narrow(0, at, run.len()));
        }
        at += run.len();
    }
    assert_eq!(used, pictures.dims()[0], "one vector a token of a picture");
    Ok(Tensor::cat(parts, 0))
}
