//! One picture before and after an attack.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use cifake::{Label, Picture, rgb8_from_tensor, tensor_from_rgb8};
use cifake_attacks::{Attack, Norm, Samples, Victim};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde::Serialize;
use tinyvit::Detector;

/// How much a difference is amplified.
const GAIN: f32 = 10.0;
/// Least side of a tile, so that a picture of 32 pixels can be looked at.
const SIDE: u32 = 256;
/// Between tiles.
const GAP: u32 = 8;

/// What became of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attacked {
    /// Its file.
    pub path: PathBuf,
    /// Probability of FAKE before the attack.
    pub before: f32,
    /// The same after it, of the 8-bit picture that was written.
    pub after: f32,
    /// l2 size of the perturbation, for pixels in `[0, 1]`.
    pub l2: f32,
    /// linf size of the perturbation, for pixels in `[0, 1]`.
    pub linf: f32,
}

/// The pictures that `paths` name: files, and all pictures in folders.
///
/// # Errors
///
/// If a folder holds no picture or cannot be read.
pub fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>, cifake::Error> {
    let found = |path: &PathBuf| match path.is_dir() {
        true => cifake::image_files(path),
        false => Ok(vec![path.clone()]),
    };
    let found: Result<Vec<_>, _> = paths.iter().map(found).collect();
    Ok(found?.concat())
}

/// Takes from the picture at `path`, brought to the detector's size, the label that the detector
/// on `device` gives it, and writes `NAME.attacked.png` and `NAME.compared.png` into `folder`.
///
/// # Errors
///
/// If the picture cannot be read or a file not be written, or the attack cannot run.
pub fn attack_file(
    detector: &Detector,
    attack: &dyn Attack,
    path: &Path,
    [id, seed]: [u64; 2],
    folder: &Path,
    device: &Device,
) -> anyhow::Result<Attacked> {
    let (width, height) = detector.input_size();
    let picture = detector.decoder().read_fitted(path, width, height)?.picture;
    let before = detector.detect(picture.clone())?.p_fake;
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
    let label = if before > 0.5 { Label::Fake } else { Label::Real };
    let samples = Samples::new(images.clone(), vec![label], vec![id]);
    let found = attack.perturb(&Victim::new(detector.classifier()), &samples, seed)?;
    let attacked = rgb8_from_tensor(found.images).remove(0);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = |kind: &str| folder.join(format!("{stem}.{kind}.png"));
    RgbImage::from_raw(width, height, attacked.pixels().to_vec())
        .context("a picture holds three bytes a pixel")?
        .save(file("attacked"))?;
    side_by_side(&picture, &attacked).save(file("compared"))?;
    let delta = tensor_from_rgb8(std::slice::from_ref(&attacked), device)? - images;
    Ok(Attacked {
        path: path.to_owned(),
        before,
        after: detector.detect(attacked)?.p_fake,
        l2: Norm::L2.sizes(delta.clone())[0],
        linf: Norm::Linf.sizes(delta)[0],
    })
}

/// A picture of three tiles: `original`, `attacked`, and ten times their difference about grey.
#[must_use]
fn side_by_side(original: &Picture, attacked: &Picture) -> RgbImage {
    let (width, height) = (original.width(), original.height());
    let difference =
        |(a, b): (&u8, &u8)| (127.5 + GAIN * (f32::from(*b) - f32::from(*a))).round() as u8;
    let difference =
        original.pixels().iter().zip(attacked.pixels()).map(difference).collect::<Vec<u8>>();
    let tiles = [original.pixels().to_vec(), attacked.pixels().to_vec(), difference];
    let zoom = SIDE.div_ceil(width.max(height)).max(1);
    let (tile_width, tile_height) = (width * zoom, height * zoom);
    let mut sheet =
        RgbImage::from_pixel(3 * tile_width + 2 * GAP, tile_height, Rgb([255, 255, 255]));
    for (i, pixels) in tiles.into_iter().enumerate() {
        let tile = RgbImage::from_raw(width, height, pixels).expect("three bytes a pixel");
        let tile = imageops::resize(&tile, tile_width, tile_height, FilterType::Nearest);
        let left = i as i64 * i64::from(tile_width + GAP);
        imageops::replace(&mut sheet, &tile, left, 0);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_tile_shows_ten_times_the_difference() {
        let picture = |level| Picture::new(vec![level; 2 * 4 * 3], 4, 2).expect("eight pixels");
        let sheet = side_by_side(&picture(100), &picture(103));
        assert_eq!(sheet.dimensions(), (3 * 256 + 16, 128));
        assert_eq!(sheet.get_pixel(0, 0).0, [100; 3]);
        assert_eq!(sheet.get_pixel(264, 0).0, [103; 3]);
        assert_eq!(sheet.get_pixel(528, 127).0, [158; 3]);
    }
}
