//! The pictures of a command.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cifake::text::{counted, one_line, path_text};
use cifake::{ImageSearch, Input, SeenFiles};

/// Pictures to judge, and what a user should know of those that are left out.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The pictures, each once, in the order of the arguments.
    pub inputs: Vec<Input>,
    /// Inputs that were named again.
    pub n_again: usize,
    /// The number of pictures of each format that is not read.
    pub unread: BTreeMap<String, usize>,
}

/// The pictures that `paths` name: files, folders, patterns; `-` is one on standard input. Says on
/// standard error which pictures were left out.
#[must_use]
pub fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    let found = Inputs::of(paths);
    for note in found.notes() {
        eprintln!("note: {}", one_line(&note));
    }
    found.inputs
}

impl Inputs {
    /// The pictures that `paths` name.
    #[must_use]
    pub fn of(paths: &[PathBuf]) -> Self {
        let (mut found, mut seen) = (Self::default(), SeenFiles::default());
        for path in paths {
            if path.as_os_str() == "-" {
                match seen.is_new(path) {
                    true => found.inputs.push(Input::reader("-", io::stdin())),
                    false => found.n_again += 1,
                }
                continue;
            }
            if let Some(reason) = address(path) {
                found.inputs.push(Input::failed(path_text(path), reason));
                continue;
            }
            match cifake::find_images(path) {
                Ok(search) => found.add(search, &mut seen),
                Err(error) => found.inputs.push(Input::failed(path_text(path), error)),
            }
        }
        found
    }

    fn add(&mut self, search: ImageSearch, seen: &mut SeenFiles) {
        for image in search.found {
            match seen.is_new(&image.path) {
                true => self.inputs.push(Input::found(image)),
                false => self.n_again += 1,
            }
        }
        for path in search.unread.iter().filter(|path| seen.is_new(path)) {
            let format = path.extension().unwrap_or_default().to_string_lossy().to_uppercase();
            *self.unread.entry(format).or_default() += 1;
        }
    }

    /// The pictures that were left out, in sentences.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.n_again > 0 {
            let again = counted(self.n_again, "input");
            notes.push(format!("named more than once, and judged once: {again}"));
        }
        if !self.unread.is_empty() {
            let formats: Vec<String> =
                self.unread.iter().map(|(format, n)| format!("{n} {format}")).collect();
            notes.push(format!(
                "pictures in formats that are not read were passed over: {}; convert them to PNG or JPEG",
                formats.join(", ")
            ));
        }
        notes
    }
}

/// The error of an address, which no program here opens.
fn address(path: &Path) -> Option<cifake::DatasetError> {
    let text = path.to_str()?;
    let is_address = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    let address = || cifake::DatasetError::Address { address: text.to_owned() };
    (is_address && !path.exists()).then(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &Inputs) -> Vec<&str> {
        found.inputs.iter().map(|input| input.name().rsplit('/').next().unwrap_or("")).collect()
    }

    #[test]
    fn a_picture_that_is_named_again_is_judged_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["a.png", "b.png", "c.heic", "d.tif", "e.heic"] {
            std::fs::write(folder.path().join(name), b"").expect("it is writable");
        }
        let again = folder.path().join("./a.png");
        let whole = folder.path().to_owned();
        let dash = PathBuf::from("-");
        let found = Inputs::of(&[dash.clone(), again, whole.clone(), whole.join("*.png"), dash]);
        assert_eq!(names(&found), ["-", "a.png", "b.png"]);
        assert_eq!(found.n_again, 4);
        let notes = found.notes();
        assert!(notes[0].ends_with("4 inputs"), "{notes:?}");
        assert!(notes[1].contains("2 HEIC, 1 TIF"), "{notes:?}");
        assert!(Inputs::of(&[folder.path().join("a.png")]).notes().is_empty());
    }
}
