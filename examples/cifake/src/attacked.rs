//! One picture before and after an attack.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::bail;
use burn::tensor::Device;
use cifake::{Detector, rgb8_from_tensor, tensor_from_rgb8};
use cifake_attacks::{Attack, Norm, Samples, Victim};
use image::RgbImage;
use serde::Serialize;

use crate::comparison::side_by_side;

/// What became of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Attacked {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Probability of FAKE before the attack.
    pub(crate) before: f32,
    /// The same after it, of the 8-bit picture that was written.
    pub(crate) after: f32,
    /// l2 size of the perturbation, for pixels in `[0, 1]`.
    pub(crate) l2: f32,
    /// linf size of the perturbation, for pixels in `[0, 1]`.
    pub(crate) linf: f32,
}

/// The pictures that `paths` name: files, and all pictures in folders.
///
/// # Errors
///
/// If a folder holds no picture or cannot be read, or two results would have one name.
pub(crate) fn pictures(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let found = |path: &PathBuf| match path.is_dir() {
        true => cifake::image_files(path),
        false => Ok(vec![path.clone()]),
    };
    let found: Result<Vec<_>, _> = paths.iter().map(found).collect();
    let found = found?.concat();
    let mut stems = HashSet::new();
    match found.iter().find(|path| !stems.insert(path.file_stem())) {
        Some(again) => bail!("{} has the name of another picture: one at a time", again.display()),
        None => Ok(found.clone()),
    }
}

/// Takes from the picture at `path`, brought to the detector's size, the label that the detector
/// on `device` gives it, and writes `NAME.attacked.png` and `NAME.compared.png` into `folder`.
///
/// # Errors
///
/// If the picture cannot be read or a file not be written, or the attack cannot run.
pub(crate) fn attack_file(
    detector: &Detector,
    attack: &dyn Attack,
    path: &Path,
    [id, seed]: [u64; 2],
    folder: &Path,
    device: &Device,
) -> anyhow::Result<Attacked> {
    let (width, height) = detector.input_size();
    let picture = detector.decoder().read_fitted(path, width, height)?.picture;
    let before = detector.detect(picture.clone())?;
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
    let samples = Samples::new(images.clone(), vec![before.label], vec![id]);
    // The compiled network answers, which is faster than the one that has gradients.
    let victim = Victim::new(detector.classifier()).with_answers(detector);
    let found = attack.perturb(&victim, &samples, seed)?;
    let attacked = rgb8_from_tensor(found.images).remove(0);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = |kind: &str| folder.join(format!("{stem}.{kind}.png"));
    RgbImage::from(attacked.clone()).save(file("attacked"))?;
    side_by_side(&picture, &attacked).save(file("compared"))?;
    let delta = tensor_from_rgb8(std::slice::from_ref(&attacked), device)? - images;
    Ok(Attacked {
        path: path.to_owned(),
        before: before.p_fake,
        after: detector.detect(attacked)?.p_fake,
        l2: Norm::L2.sizes(delta.clone())[0],
        linf: Norm::Linf.sizes(delta)[0],
    })
}
