//! The files with the results of an attack.

use std::path::{Path, PathBuf};

use crate::named::Named;
use crate::spared::Spared;

/// Refuses to attack `pictures` where a result in `out` would replace one of them.
///
/// # Errors
///
/// The first such result.
pub(crate) fn keep_pictures(pictures: &[Named], out: &Path) -> anyhow::Result<()> {
    let spared = Spared::of(pictures.iter().filter_map(|picture| picture.input.path()));
    let mut results = pictures.iter().flat_map(|picture| Results::of(&picture.stem, out).files());
    results.try_for_each(|file| spared.refuse(&file))
}

/// The files with the results of a picture.
pub(crate) struct Results {
    pub(crate) attacked: PathBuf,
    pub(crate) compared: PathBuf,
}

impl Results {
    /// `STEM.attacked.png` and `STEM.compared.png` in `out`.
    pub(crate) fn of(stem: &str, out: &Path) -> Self {
        let file = |ending: &str| out.join(format!("{stem}.{ending}.png"));
        Self { attacked: file("attacked"), compared: file("compared") }
    }

    fn files(self) -> [PathBuf; 2] {
        [self.attacked, self.compared]
    }
}

#[cfg(test)]
mod tests {
    use cifake::Input;

    use super::*;
    use crate::named::named;

    #[test]
    fn a_result_that_would_replace_a_picture_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [a, b] = ["a.png", "a.attacked.png"].map(|name| folder.path().join(name));
        for path in [&a, &b] {
            std::fs::write(path, b"").expect("it is writable");
        }
        let pictures = named([a, b].map(Input::file).into());
        let error = keep_pictures(&pictures, folder.path()).expect_err("one would be replaced");
        assert!(error.to_string().contains("a.attacked.png"), "{error}");
        let elsewhere = folder.path().join("out");
        assert!(keep_pictures(&pictures, &elsewhere).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_have_results_and_texts_of_their_own() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let inputs = [b"a\xff.png", b"a\xfe.png"].map(|name| Input::file(OsStr::from_bytes(name)));
        let pictures = named(inputs.into());
        let names: Vec<&str> = pictures.iter().map(|picture| picture.input.name()).collect();
        assert_eq!(names, [r"a\xFF.png", r"a\xFE.png"]);
        let files = |picture: &Named| Results::of(&picture.stem, Path::new("out")).files();
        let [a, b] = [&pictures[0], &pictures[1]].map(files);
        assert!(a[0] != b[0] && a[1] != b[1]);
    }
}
