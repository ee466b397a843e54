//! One picture before and after an attack.

use std::io::Cursor;
use std::path::Path;

use burn::tensor::Device;
use cifake::text::path_text;
use cifake::{Answer, Detector, Fitted, rgb8_from_tensor, tensor_from_rgb8};
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
    /// The answer before the attack.
    pub(crate) answer_before: Answer,
    /// Probability of FAKE before the attack.
    pub(crate) before: f32,
    /// The answer after the attack, for the 8-bit picture that was written.
    pub(crate) answer_after: Answer,
    /// Probability of FAKE after the attack, for that picture.
    pub(crate) after: f32,
    /// l2 size of the perturbation, for pixels in `[0, 1]`.
    pub(crate) l2: f32,
    /// linf size of the perturbation, for pixels in `[0, 1]`.
    pub(crate) linf: f32,
    /// The file with the attacked picture.
    pub(crate) attacked: String,
    /// The file with the original, the attacked picture and their difference.
    pub(crate) compared: String,
}

impl Attacked {
    /// The headings of [`row`](Self::row).
    pub(crate) fn header() -> String {
        columns(["BEFORE", "P(FAKE)", "AFTER", "P(FAKE)", "L2", "LINF", "PICTURE -> ATTACKED"])
    }

    /// A line of a table.
    pub(crate) fn row(&self) -> String {
        let percent = |p: f32| format!("{:.1} %", 100.0 * p);
        columns([
            self.answer_before.as_str(),
            &percent(self.before),
            self.answer_after.as_str(),
            &percent(self.after),
            &format!("{:.3}", self.l2),
            &format!("{:.1}/255", 255.0 * self.linf),
            &format!("{} -> {}", self.path, self.attacked),
        ])
    }
}

fn columns([before, p_before, after, p_after, l2, linf, files]: [&str; 7]) -> String {
    format!("{before:<6}  {p_before:>7}  {after:<6}  {p_after:>7}  {l2:>7}  {linf:>9}  {files}")
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
    let fitted = fitted?;
    let (before, picture) = (detector.detect_fitted(&fitted)?, fitted.picture.clone());
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
    let samples = Samples::new(images.clone(), vec![before.label], vec![id]);
    let found = attack.perturb(target, &samples, seed)?;
    let attacked = rgb8_from_tensor(found.images).remove(0);
    let results = Results::of(&stem, out);
    write_png(&RgbImage::from(attacked.clone()), &results.attacked)?;
    write_png(&side_by_side(&picture, &attacked), &results.compared)?;
    let delta = tensor_from_rgb8(std::slice::from_ref(&attacked), device)? - images;
    let after = detector.detect_fitted(&Fitted { picture: attacked, ..fitted })?;
    Ok(Attacked {
        path,
        answer_before: before.answer,
        before: before.p_fake,
        answer_after: after.answer,
        after: after.p_fake,
        l2: Norm::L2.sizes(delta.clone())[0],
        linf: Norm::Linf.sizes(delta)[0],
        attacked: path_text(&results.attacked),
        compared: path_text(&results.compared),
    })
}

/// Writes `image` as a PNG, whole or not at all.
fn write_png(image: &RgbImage, path: &Path) -> anyhow::Result<()> {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png)?;
    Ok(cifake::file::write_atomic(path, &png.into_inner())?)
}
