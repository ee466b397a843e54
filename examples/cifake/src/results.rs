//! The files with the results of an attack.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::spared::Spared;

/// Refuses to attack `pictures` where a result in `out` would replace one of them.
///
/// # Errors
///
/// The first such result.
pub(crate) fn keep_pictures(pictures: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let spared = Spared::of(pictures);
    let mut results = pictures.iter().flat_map(|path| Results::of(path, out).files());
    results.try_for_each(|file| spared.refuse(&file))
}

/// The files with the results of a picture.
pub(crate) struct Results {
    pub(crate) attacked: PathBuf,
    pub(crate) compared: PathBuf,
}

impl Results {
    /// `NAME.attacked.png` and `NAME.compared.png` in `out`, where the picture is `NAME.*`.
    pub(crate) fn of(picture: &Path, out: &Path) -> Self {
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

#[cfg(test)]
mod tests {
    use cifake::text::path_text;

    use super::*;

    #[test]
    fn a_result_that_would_replace_a_picture_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [a, b] = ["a.png", "a.attacked.png"].map(|name| folder.path().join(name));
        for path in [&a, &b] {
            std::fs::write(path, b"").expect("it is writable");
        }
        let pictures = [a, b];
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
        let [a, b] = [b"a\xff.png", b"a\xfe.png"].map(|name| Path::new(OsStr::from_bytes(name)));
        assert_eq!([path_text(a), path_text(b)], [r"a\xFF.png", r"a\xFE.png"]);
        let [a, b] = [a, b].map(|path| Results::of(path, Path::new("out")).files());
        assert!(a[0] != b[0] && a[1] != b[1]);
    }
}
