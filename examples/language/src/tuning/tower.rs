//! A detector's network as the eyes of a model of text.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::FeatureClassifier;
use tinyvit::{Detector, TinyVitClassifier};
use vlm_lora::models::{CutTower, Prefix, Seeing};
use vlm_lora::training::{Chat, PicturePlace};
use vlm_lora::{Assistant, Random, Storage};

/// Seed of the projector before its training.
const SEED: u64 = 1;

/// The decoder of `assistant` behind the detector of `weights`, which is `clean`, `robust` or a weight
/// file, cut at its last layer; `image_token`, a token of the tokenizer, stands for a picture.
pub(super) fn with_tower(
    assistant: &Assistant,
    weights: &Path,
    image_token: &str,
    device: &Device,
) -> Result<(Seeing<CutTower<TinyVitClassifier>>, Chat)> {
    let detector = Detector::named(weights)?;
    let (width, height) = detector.input_size();
    let classifier = detector.classifier().clone();
    let layer = classifier.layers().last().context("a network has layers")?.clone();
    let image_size = [height as usize, width as usize];
    let token = assistant.tokenizer().token(image_token);
    let token = token.with_context(|| format!("the tokenizer has no token `{image_token}`"))?;
    let mut projector = Random::new(SEED, Storage::F32, device);
    let decoder = assistant.decoder().clone();
    let prefix = Prefix::new(&mut projector, layer.channels, decoder, token)?;
    let mut chat = Chat::of(assistant)?;
    chat.picture = PicturePlace::Text(image_token.to_owned());
    Ok((Seeing { tower: CutTower { classifier, layer, image_size }, prefix }, chat))
}
