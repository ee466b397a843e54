//! One picture before and after an attack.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::bail;
use burn::tensor::Device;
use cifake::{rgb8_from_tensor, tensor_from_rgb8};
use cifake_attacks::{Attack, Norm, Samples, TargetModel};
use image::{ImageFormat, RgbImage};
use serde::Serialize;
use tinyvit::Detector;

use crate::comparison::side_by_side;

/// A picture before and after an attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Attacked {
    /// Its file, see [`path_text`].
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

/// The pictures that `paths` name: files, and all pictures in folders.
///
/// # Errors
///
/// If a folder holds no picture or cannot be read, two results would have one name, or a result would
/// replace one of the pictures.
pub(crate) fn pictures(paths: &[PathBuf], out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = |path: &PathBuf| match path.is_dir() {
        true => cifake::image_files(path),
        false => Ok(vec![path.clone()]),
    };
    let found: Result<Vec<_>, _> = paths.iter().map(found).collect();
    let found = found?.concat();
    let mut stems = HashSet::new();
    if let Some(again) = found.iter().find(|path| !stems.insert(path.file_stem())) {
        bail!("{} has the name of another picture: attack them one by one", path_text(again));
    }
    let real = |path: &Path| path.canonicalize().ok();
    let inputs: HashSet<PathBuf> = found.iter().filter_map(|path| real(path)).collect();
    let results = found.iter().flat_map(|path| Results::of(path, out).files());
    match results.filter_map(|file| real(&file)).find(|file| inputs.contains(file)) {
        Some(file) => bail!("{} would be replaced: choose another --out", path_text(&file)),
        None => Ok(found),
    }
}

/// The text of `path`: each byte that is not UTF-8, and each control character, is an escape, so that
/// different paths have different texts on one line.
pub(crate) fn path_text(path: &Path) -> String {
    let is_plain = path.to_str().is_some();
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' if !is_plain => text.push_str(r"\\"),
                _ if c.is_control() => text.extend(c.escape_default()),
                _ => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            write!(text, r"\x{byte:02X}").expect("a string takes all text");
        }
    }
    text
}

/// The files with the results of a picture.
struct Results {
    attacked: PathBuf,
    compared: PathBuf,
}

impl Results {
    /// `NAME.attacked.png` and `NAME.compared.png` in `out`, where the picture is `NAME.*`.
    fn of(picture: &Path, out: &Path) -> Self {
        let file = |ending: &str| {
            // Appended to the bytes of the name, which need not be UTF-8.
            let mut name: OsString = picture.file_stem().unwrap_or_default().to_owned();
            name.push(ending);
            out.join(name)
        };
        Self { attacked: file(".attacked.png"), compared: file(".compared.png") }
    }

    fn files(self) -> [PathBuf; 2] {
        [self.attacked, self.compared]
    }
}

/// Attacks the picture at `path`, resized to the detector's input, away from the label that the
/// detector on `device` gives it, and writes the [`Results`] into `out`.
///
/// # Errors
///
/// If the picture cannot be read, a file cannot be written, or the attack fails.
pub(crate) fn attack_file(
    detector: &Detector,
    (target, attack): (&TargetModel<'_>, &dyn Attack),
    path: &Path,
    [id, seed]: [u64; 2],
    out: &Path,
    device: &Device,
) -> anyhow::Result<Attacked> {
    let (width, height) = detector.input_size();
    let picture = detector.decoder().read_fitted(path, width, height)?.picture;
    let before = detector.detect(picture.clone())?;
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
    let samples = Samples::new(images.clone(), vec![before.label], vec![id]);
    let found = attack.perturb(target, &samples, seed)?;
    let attacked = rgb8_from_tensor(found.images).remove(0);
    let results = Results::of(path, out);
    write_png(&RgbImage::from(attacked.clone()), &results.attacked)?;
    write_png(&side_by_side(&picture, &attacked), &results.compared)?;
    let delta = tensor_from_rgb8(std::slice::from_ref(&attacked), device)? - images;
    Ok(Attacked {
        path: path_text(path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_would_replace_a_picture_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [a, b] = ["a.png", "a.attacked.png"].map(|name| folder.path().join(name));
        for path in [&a, &b] {
            std::fs::write(path, b"").expect("it is writable");
        }
        let error = pictures(&[a.clone(), b.clone()], folder.path()).expect_err("b would go");
        assert!(error.to_string().contains("a.attacked.png"), "{error}");
        let elsewhere = folder.path().join("out");
        assert_eq!(pictures(&[a.clone(), b.clone()], &elsewhere).expect("no conflict"), [a, b]);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_have_results_and_texts_of_their_own() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let [a, b] = [b"a\xff.png", b"a\xfe.png"].map(|name| Path::new(OsStr::from_bytes(name)));
        assert_eq!([path_text(a), path_text(b)], [r"a\xFF.png", r"a\xFE.png"]);
        assert_eq!(path_text(Path::new("a\n\u{1b}[2J.png")), r"a\n\u{1b}[2J.png");
        let [a, b] = [a, b].map(|path| Results::of(path, Path::new("out")).files());
        assert!(a[0] != b[0] && a[1] != b[1]);
    }
}
