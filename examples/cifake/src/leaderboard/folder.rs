//! The folder of a leaderboard: a JSON file a row, and the pages of all rows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cifake::file::{FolderLock, check_writable, read_limited, write_atomic};
use cifake::text::path_text;

use super::check::{Fault, RowError};
use super::name::file_name;
use super::row::Row;
use super::{html, markdown};

/// Largest file of a row, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Most rows of a folder.
const MAX_ROWS: usize = 1000;
/// Names of the pages.
const PAGES: [&str; 2] = ["leaderboard.md", "leaderboard.html"];

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
    /// If another process works in it, its pages cannot be written, or it holds a JSON file that is no row or
    /// more of them than can be.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path_text(path);
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {shown}"))?;
        let lock = FolderLock::acquire(path)?;
        let lock = lock.with_context(|| format!("another program works in {shown}"))?;
        for page in PAGES {
            check_writable(&path.join(page))?;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {shown}"))?;
        let mut rows = Vec::new();
        for entry in entries {
            let file = entry.with_context(|| format!("cannot read {shown}"))?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                ensure!(rows.len() < MAX_ROWS, "{shown} has more than {MAX_ROWS} rows");
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
    /// A name that cannot be a file's, or whose file is that of a row of another name, small and capital letters
    /// being the same.
    pub(super) fn row(&self, name: &str) -> Result<Option<&Row>> {
        let file = self.file(name)?;
        // Some file systems make no difference between small and capital letters.
        let is_it = |of: &Path| of.as_os_str().eq_ignore_ascii_case(file.as_os_str());
        let Some((_, row)) = self.rows.iter().find(|(of, _)| is_it(of)) else {
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
    /// As [`row`](Self::row); a row that cannot be; a file that cannot be written.
    pub(super) fn save(&mut self, row: &Row) -> Result<()> {
        self.row(&row.name)?;
        let file = self.file(&row.name)?;
        // A row that cannot be read again is not written.
        row.check(&file)?;
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
        let files = PAGES.map(|name| self.path.join(name));
        write_atomic(&files[0], markdown::document(&rows).as_bytes())?;
        write_atomic(&files[1], html::page(&rows).as_bytes())?;
        Ok(files)
    }

    /// The file of the row called `name`.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let file = file_name(name).ok_or_else(|| RowError::new(Path::new(name), Fault::Name))?;
        Ok(self.path.join(file))
    }
}

/// The row in `file`, checked; the fields that follow from others are made anew.
fn read(file: &Path) -> Result<Row> {
    let bytes = read_limited(file, MAX_BYTES)?;
    let mut row: Row = serde_json::from_slice(&bytes).with_context(|| {
        format!("{} is no row of a leaderboard; move it out of the folder", path_text(file))
    })?;
    row.check(file)?;
    row.settle();
    Ok(row)
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
        assert!(folder.row("R-sum- - -B-").is_err(), "the same file for some systems");
        for name in ["", "...", &"a".repeat(101)] {
            assert!(folder.row(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_no_row_is_named() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let file = place.path().join("x.json");
        let json = |row: &Row| serde_json::to_string(row).expect("plain data");
        let mut wrong = row("x", 0.9);
        wrong.measures.confusion.real_as_real = usize::MAX;
        for text in
            ["{\"name\": 3}", &json(&row("../x", 0.9)), &json(&row("y", 0.9)), &json(&wrong)]
        {
            std::fs::write(&file, text).expect("it is writable");
            let error = format!("{:#}", Folder::open(place.path()).expect_err("no row"));
            assert!(error.contains("x.json is no row"), "{error}");
        }
        let mut stale = row("x", 0.96625);
        stale.clean_acc = "100.00".to_owned();
        std::fs::write(&file, json(&stale)).expect("it is writable");
        let folder = Folder::open(place.path()).expect("a row");
        assert_eq!(folder.rows()[0].clean_acc, "96.63", "it follows from the counts");
    }

    #[test]
    fn a_folder_that_cannot_hold_the_pages_is_refused_at_once() {
        let place = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(place.path().join("leaderboard.html")).expect("it is writable");
        let error = format!("{:#}", Folder::open(place.path()).expect_err("a folder in the way"));
        assert!(error.contains("leaderboard.html"), "{error}");
        let file = place.path().join("file");
        std::fs::write(&file, "").expect("it is writable");
        assert!(Folder::open(&file.join("out")).is_err());
    }
}
