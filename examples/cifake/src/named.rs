//! Pictures with names for their results.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// A picture, and how the names of its results begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its file.
    pub(crate) path: PathBuf,
    /// The name of the file without its ending, with a number behind it where another picture has it.
    pub(crate) stem: OsString,
}

/// The pictures that `paths` name: files, and all pictures in folders. No two have one stem.
///
/// # Errors
///
/// If a folder holds no picture or cannot be read.
pub(crate) fn pictures(paths: &[PathBuf]) -> Result<Vec<Named>, cifake::Error> {
    let found = |path: &PathBuf| match path.is_dir() {
        true => cifake::image_files(path),
        false => Ok(vec![path.clone()]),
    };
    let found: Result<Vec<_>, _> = paths.iter().map(found).collect();
    Ok(named(found?.concat()))
}

/// Gives each of `paths` a stem of its own. Those that are alone keep theirs.
fn named(paths: Vec<PathBuf>) -> Vec<Named> {
    let own = |path: &PathBuf| path.file_stem().unwrap_or_default().to_owned();
    let theirs: HashSet<OsString> = paths.iter().map(own).collect();
    let mut given = HashSet::new();
    let mut free = |path: &PathBuf| {
        let first = own(path);
        if given.insert(first.clone()) {
            return first;
        }
        // Appended to the bytes of the name, which need not be UTF-8.
        let numbered = (2..).map(|number| {
            let mut stem = first.clone();
            stem.push(format!("-{number}"));
            stem
        });
        let stem =
            numbered.into_iter().find(|stem| !theirs.contains(stem) && !given.contains(stem));
        let stem = stem.unwrap_or(first);
        given.insert(stem.clone());
        stem
    };
    let stems: Vec<OsString> = paths.iter().map(&mut free).collect();
    paths.into_iter().zip(stems).map(|(path, stem)| Named { path, stem }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_one_name_get_numbers_that_no_other_has() {
        let paths = ["a/x.png", "b/x.png", "c/x-2.png", "d/x.jpg", "e/y.png"].map(PathBuf::from);
        let stems = named(paths.to_vec()).into_iter().map(|named| named.stem);
        assert_eq!(stems.collect::<Vec<_>>(), ["x", "x-3", "x-2", "x-4", "y"]);
    }
}
