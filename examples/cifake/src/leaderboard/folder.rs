//! The folder of a leaderboard: a JSON file a row, and the pages of all rows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cifake::file::{FolderLock, read_limited, write_atomic};
use cifake::text::path_text;

use super::row::Row;
use super::{html, markdown};

/// Largest file of a row, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Longest name of a row.
const MAX_NAME: usize = 100;

/// The rows in a folder, which belongs to this process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// By the names of their files.
    rows: Vec<(PathBuf, Row)>,
    _lock: FolderLock,
}

impl Folder {
    /// The folder at `path`, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// If another process works in it, or it holds a JSON file that is no row.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path_text(path);
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {shown}"))?;
        let lock = FolderLock::acquire(path)?;
        let lock = lock.with_context(|| format!("another program works in {shown}"))?;
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {shown}"))?;
        let mut rows = Vec::new();
        for entry in entries {
            let file = entry.with_context(|| format!("cannot read {shown}"))?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                rows.push((file.clone(), read(&file)?));
            }
        }
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self { path: path.to_owned(), rows, _lock: lock })
    }

    /// All rows, by the names of their files.
    pub(crate) fn rows(&self) -> Vec<&Row> {
        self.rows.iter().map(|(_, row)| row).collect()
    }

    /// The row called `name`.
    ///
    /// # Errors
    ///
    /// A name that cannot be a file's, or whose file is that of a row of another name.
    pub(super) fn row(&self, name: &str) -> Result<Option<&Row>> {
        let file = self.file(name)?;
        let Some((_, row)) = self.rows.iter().find(|(of, _)| *of == file) else {
            return Ok(None);
        };
        ensure!(
            row.name == name,
            "{} is the row of {}; choose another name than {name}",
            path_text(&file),
            row.name
        );
        Ok(Some(row))
    }

    /// Writes `row` in place of the one of its name.
    ///
    /// # Errors
    ///
    /// As [`row`](Self::row); a file that cannot be written.
    pub(super) fn save(&mut self, row: &Row) -> Result<()> {
        self.row(&row.name)?;
        let file = self.file(&row.name)?;
        let mut json = serde_json::to_vec_pretty(row)?;
        json.push(b'\n');
        write_atomic(&file, &json)?;
        self.rows.retain(|(of, _)| *of != file);
        self.rows.push((file, row.clone()));
        self.rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(())
    }

    /// Writes `leaderboard.md` and `leaderboard.html`, and returns where they are.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub(crate) fn write_pages(&self) -> Result<[PathBuf; 2]> {
        let rows = self.rows();
        let files = ["leaderboard.md", "leaderboard.html"].map(|name| self.path.join(name));
        write_atomic(&files[0], markdown::document(&rows).as_bytes())?;
        write_atomic(&files[1], html::page(&rows).as_bytes())?;
        Ok(files)
    }

    /// The file of the row called `name`.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let is_short = (1..=MAX_NAME).contains(&name.chars().count());
        ensure!(is_short, "the name of a row has 1 to {MAX_NAME} characters");
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._+@".contains(c) { c } else { '-' };
        let stem: String = name.chars().map(plain).collect();
        Ok(self.path.join(format!("{}.json", stem.trim_start_matches('.'))))
    }
}

fn read(file: &Path) -> Result<Row> {
    let bytes = read_limited(file, MAX_BYTES)?;
    serde_json::from_slice(&bytes).with_context(|| {
        format!("{} is no row of a leaderboard; move it out of the folder", path_text(file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::row;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let out = place.path().join("a/b");
        let mut folder = Folder::open(&out).expect("it can be made");
        let row = row("résumé / <b>", 0.975);
        folder.save(&row).expect("it is writable");
        folder.save(&row).expect("it is writable");
        assert!(Folder::open(&out).is_err(), "it is in use");
        drop(folder);
        let folder = Folder::open(&out).expect("it is there");
        assert_eq!(folder.rows(), [&row]);
        assert_eq!(folder.row("résumé / <b>").expect("its own name"), Some(&row));
        assert!(folder.row("nobody").expect("a name").is_none());
        // Another name for the same file.
        let error = folder.row("r!sum! / <b>").expect_err("another row's file").to_string();
        assert!(error.contains("another name"), "{error}");
        assert!(folder.row("").is_err() && folder.row(&"a".repeat(101)).is_err());
    }

    #[test]
    fn a_file_that_is_no_row_is_named() {
        let place = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(place.path().join("x.json"), "{\"name\": 3}").expect("it is writable");
        let error = format!("{:#}", Folder::open(place.path()).expect_err("no row"));
        assert!(error.contains("x.json") && error.contains("no row"), "{error}");
    }
}
