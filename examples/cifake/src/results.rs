//! The files with the results of an attack.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::named::Named;
use crate::spared::Spared;

/// Refuses to attack `pictures` where a result in `out` would replace one of them.
///
/// # Errors
///
/// The first such result.
pub(crate) fn keep_pictures(pictures: &[Named], out: &Path) -> anyhow::Result<()> {
    let spared = Spared::of(pictures.iter().map(|picture| &picture.path));
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
    pub(crate) fn of(stem: &OsStr, out: &Path) -> Self {
        let file = |ending: &str| {
            let mut name = stem.to_owned();
            name.push(ending);
            out.join(name)
        };
        Self { attacked: file(".attacked.png"), compared: file(".compared.png") }
    }

    fn files(self) -> [PathBuf; 2] {
        [self.attacked, self.compared]
    }
}

#[cfg(test)]
mod tests {
    use cifake::text::path_text;

    use super::*;
    use crate::named::pictures;

    #[test]
    fn a_result_that_would_replace_a_picture_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [a, b] = ["a.png", "a.attacked.png"].map(|name| folder.path().join(name));
        for path in [&a, &b] {
            std::fs::write(path, b"").expect("it is writable");
        }
        let pictures = pictures(&[a, b]).expect("they are there");
        let error = keep_pictures(&pictures, folder.path()).expect_err("one would be replaced");
        assert!(error.to_string().contains("a.attacked.png"), "{error}");
        let elsewhere = folder.path().join("out");
        assert!(keep_pictures(&pictures, &elsewhere).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_have_results_and_texts_of_their_own() {
        use std::os::unix::ffi::OsStrExt;
        let [a, b] = [b"a\xff.png", b"a\xfe.png"].map(|name| Path::new(OsStr::from_bytes(name)));
        assert_eq!([path_text(a), path_text(b)], [r"a\xFF.png", r"a\xFE.png"]);
        let [a, b] = [a, b].map(|path| Results::of(path.as_os_str(), Path::new("out")).files());
        assert!(a[0] != b[0] && a[1] != b[1]);
    }
}
