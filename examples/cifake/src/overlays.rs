//! Pictures under their maps, a file each.

use std::path::{MAIN_SEPARATOR, PathBuf};

use anyhow::{Context, Result};
use cifake::Picture;
use explain::Report;

use crate::named::numbered;
use crate::spared::Spared;

/// Least longer side of an overlay, in pixels.
const SIDE: u32 = 512;

/// Writes overlays to one target: a folder, or a file for the first and numbered files for the rest.
pub(crate) struct Overlays {
    target: PathBuf,
    n_written: usize,
    /// The pictures, which no overlay may replace.
    spared: Spared,
}

impl Overlays {
    /// Writes to `target`. It is a folder if it exists as one, or ends with a slash.
    ///
    /// # Errors
    ///
    /// A target that cannot be written, or that is one of the pictures.
    pub(crate) fn new(target: PathBuf, spared: Spared) -> Result<Self> {
        let overlays = Self { target, n_written: 0, spared };
        match overlays.is_folder() {
            true => overlays.spared.folder(&overlays.target)?,
            false => overlays.spared.file(&overlays.target)?,
        }
        Ok(overlays)
    }

    /// Writes the picture of `report` under its map. No two pictures have one `stem`.
    ///
    /// # Errors
    ///
    /// If the file is one of the pictures, the folder cannot be made, or the file cannot be written.
    pub(crate) fn write(&mut self, report: &Report, stem: &str) -> Result<()> {
        let file = self.file(stem);
        self.spared.refuse(&file)?;
        if self.is_folder() {
            let folder = &self.target;
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let png = Picture::from(report.overlay(SIDE)).to_png();
        cifake::file::write_atomic(&file, &png)?;
        self.n_written += 1;
        Ok(())
    }

    fn is_folder(&self) -> bool {
        self.target.is_dir() || self.target.to_string_lossy().ends_with(MAIN_SEPARATOR)
    }

    /// The file for the next picture, whose results begin with `stem`.
    fn file(&self, stem: &str) -> PathBuf {
        if self.is_folder() {
            return self.target.join(format!("{stem}.overlay.png"));
        }
        let is_device = self.target.exists() && !self.target.is_file();
        if is_device || self.n_written == 0 {
            return self.target.clone();
        }
        let stem = self.target.file_stem().unwrap_or_default().to_string_lossy();
        self.target.with_file_name(format!("{}.png", numbered(&stem, self.n_written + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = |target: &str| {
            let target = folder.path().join(target);
            let mut overlays = Overlays::new(target, Spared::default()).expect("it is writable");
            ["a", "a-2", "b"].map(|stem| {
                let file = overlays.file(stem);
                overlays.n_written += 1;
                file
            })
        };
        let expected = ["new/o.png", "new/o-2.png", "new/o-3.png"];
        assert_eq!(files("new/o.png"), expected.map(|name| folder.path().join(name)));
        let expected = ["maps/a.overlay.png", "maps/a-2.overlay.png", "maps/b.overlay.png"];
        assert_eq!(files("maps/"), expected.map(|name| folder.path().join(name)));
    }
}
