//! Small data sets that are made when they are needed, for `--smoke`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use cifake::{Drawing, Label};

/// Kinds of the pictures of each label.
const KINDS: [Drawing; 2] = [Drawing::Noise, Drawing::Shapes];

/// Writes a data set of 32x32 drawings with a training and a test split and one of larger drawings with
/// a training and a validation split into `folder`; returns where they are.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn drawn(folder: &Path) -> Result<[PathBuf; 2]> {
    let [known, others] = ["known", "others"].map(|name| folder.join(name));
    write(&known.join("train"), 32, 0..300)?;
    write(&known.join("test"), 32, 300..320)?;
    write(&others.join("train"), 48, 400..440)?;
    write(&others.join("validation"), 48, 440..500)?;
    Ok([known, others])
}

/// As many pictures of each label as there are `numbers`.
fn write(folder: &Path, side: u32, numbers: std::ops::Range<u64>) -> Result<()> {
    for (label, kind) in Label::ALL.into_iter().zip(KINDS) {
        let folder = folder.join(label.as_str());
        std::fs::create_dir_all(&folder)?;
        for number in numbers.clone() {
            let png = kind.picture(side, 1, number).to_png();
            std::fs::write(folder.join(format!("{number} (2).png")), png)?;
        }
    }
    Ok(())
}
