//! Pictures under their maps, a file each.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cifake::Picture;
use explain::Report;

use crate::spared::Spared;

/// Least longer side of an overlay, in pixels.
const SIDE: u32 = 512;

/// Writes overlays to one target: a folder, or a file for the first and numbered files for the rest.
pub(crate) struct Overlays {
    target: PathBuf,
    /// The files that were written.
    written: HashSet<PathBuf>,
    /// The pictures, which no overlay may replace.
    spared: Spared,
}

impl Overlays {
    /// Writes to `target`. It is a folder if it exists as one, or ends with a slash.
    pub(crate) fn new(target: PathBuf, spared: Spared) -> Self {
        Self { target, written: HashSet::new(), spared }
    }

    /// Writes the picture of `report` under its map.
    ///
    /// # Errors
    ///
    /// If the file is one of the pictures, the folder cannot be made, or the file cannot be written.
    pub(crate) fn write(&mut self, report: &Report) -> Result<()> {
        let file = self.file(&report.provenance.path);
        self.spared.refuse(&file)?;
        if self.is_folder() {
            let folder = &self.target;
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let png = Picture::from(report.overlay(SIDE)).to_png();
        cifake::file::write_atomic(&file, &png)?;
        self.written.insert(file);
        Ok(())
    }

    fn is_folder(&self) -> bool {
        self.target.is_dir() || self.target.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)
    }

    /// The file for the picture called `name`, which no other picture of this run has.
    fn file(&self, name: &str) -> PathBuf {
        let (folder, stem, extension) = match self.is_folder() {
            true => (self.target.as_path(), Path::new(name).file_stem(), ".overlay.png"),
            false => {
                (self.target.parent().unwrap_or(Path::new("")), self.target.file_stem(), ".png")
            }
        };
        let stem = stem.unwrap_or_default().to_string_lossy();
        let first = match self.is_folder() {
            true => folder.join(format!("{stem}{extension}")),
            false => self.target.clone(),
        };
        let is_device = self.target.exists() && !self.target.is_file() && !self.is_folder();
        if is_device || !self.written.contains(&first) {
            return first;
        }
        let numbered = (2..).map(|number| folder.join(format!("{stem}-{number}{extension}")));
        numbered.into_iter().find(|file| !self.written.contains(file)).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_has_a_file_of_its_own() {
        let mut overlays = Overlays::new("maps/o.png".into(), Spared::default());
        let next = |overlays: &mut Overlays, name: &str| {
            let file = overlays.file(name);
            overlays.written.insert(file.clone());
            file
        };
        let files = ["a.png", "b.png", "c.png"].map(|name| next(&mut overlays, name));
        assert_eq!(files, ["maps/o.png", "maps/o-2.png", "maps/o-3.png"].map(PathBuf::from));
        let mut overlays = Overlays::new("maps/".into(), Spared::default());
        let files = ["x/a.png", "y/a.jpg", "b.png"].map(|name| next(&mut overlays, name));
        let expected = ["maps/a.overlay.png", "maps/a-2.overlay.png", "maps/b.overlay.png"];
        assert_eq!(files, expected.map(PathBuf::from));
    }
}
