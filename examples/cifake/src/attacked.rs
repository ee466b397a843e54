//! One picture before and after an attack.

use std::io::Cursor;
use std::path::Path;

use burn::tensor::Device;
use cifake::{Detector, rgb8_from_tensor, tensor_from_rgb8};
use cifake_attacks::{Attack, Norm, Samples, TargetModel};
use image::{ImageFormat, RgbImage};
use serde::Serialize;

use crate::comparison::side_by_side;
use crate::named::Named;
use crate::results::Results;

/// A picture before and after an attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Attacked {
    /// Its file.
    pub(crate) path: String,
    /// Probability of FAKE before the attack.
    pub(crate) before: f32,
    /// Probability of FAKE after the attack, for the 8-bit picture that was written.
    pub(crate) after: f32,
    /// l2 size of the perturbation, for pixels in `[0, 1]`.
    pub(crate) l2: f32,
    /// linf size of the perturbation, for pixels in `[0, 1]`.
    pub(crate) linf: f32,
}

/// Attacks a picture, resized to the detector's input, away from the label that the
/// detector on `device` gives it, and writes the [`Results`] into `out`.
///
/// # Errors
///
/// If the picture cannot be read, a file cannot be written, or the attack fails.
pub(crate) fn attack_file(
    detector: &Detector,
    (target, attack): (&TargetModel<'_>, &dyn Attack),
    Named { input, stem }: Named,
    [id, seed]: [u64; 2],
    out: &Path,
    device: &Device,
) -> anyhow::Result<Attacked> {
    let (path, fitted) = input.fitted(detector.decoder(), detector.input_size());
    let picture = fitted?.picture;
    let before = detector.detect(picture.clone())?;
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
    let samples = Samples::new(images.clone(), vec![before.label], vec![id]);
    let found = attack.perturb(target, &samples, seed)?;
    let attacked = rgb8_from_tensor(found.images).remove(0);
    let results = Results::of(&stem, out);
    write_png(&RgbImage::from(attacked.clone()), &results.attacked)?;
    write_png(&side_by_side(&picture, &attacked), &results.compared)?;
    let delta = tensor_from_rgb8(std::slice::from_ref(&attacked), device)? - images;
    Ok(Attacked {
        path,
        before: before.p_fake,
        after: detector.detect(attacked)?.p_fake,
        l2: Norm::L2.sizes(delta.clone())[0],
        linf: Norm::Linf.sizes(delta)[0],
    })
}

/// Writes `image` as a PNG, whole or not at all.
fn write_png(image: &RgbImage, path: &Path) -> anyhow::Result<()> {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png)?;
    Ok(cifake::file::write_atomic(path, &png.into_inner())?)
}
