//! The folder of a leaderboard: a JSON file a row, and the pages of all rows.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cifake::file::{self, FolderLock, check_writable, read_limited, write_atomic};
use cifake::text::path_text;

use super::check::{Fault, RowError, check_version};
use super::name::file_name;
use super::row::{Row, VERSION};
use super::{html, markdown};

/// Largest file of a row, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Most rows of a folder.
const MAX_ROWS: usize = 1000;
/// Names of the pages, and the line that each has within its first [`HEAD`] bytes.
const PAGES: [(&str, &str); 2] =
    [("leaderboard.md", markdown::MARK), ("leaderboard.html", html::MARK)];
/// Bytes at the beginning of a page.
const HEAD: u64 = 4096;

/// The rows in a folder, which belongs to this process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// By the names of their files.
    rows: Vec<(PathBuf, Row)>,
    _lock: FolderLock,
}

impl Folder {
    /// The folder at `path`, which is made where it is not there. If rows are made `again`, those of another
    /// [`VERSION`] are left out.
    ///
    /// # Errors
    ///
    /// - Another process works in it.
    /// - Its pages cannot be written.
    /// - It holds a JSON file that is no row, or too many of them.
    /// - It has no row, but a page that this program did not write.
    pub(crate) fn open(path: &Path, again: bool) -> Result<Self> {
        let shown = path_text(path);
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {shown}"))?;
        let lock = FolderLock::acquire(path)?;
        let lock = lock.with_context(|| format!("another program works in {shown}"))?;
        for (page, _) in PAGES {
            check_writable(&path.join(page))?;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {shown}"))?;
        let (mut rows, mut n_rows) = (Vec::new(), 0);
        for entry in entries {
            let file = entry.with_context(|| format!("cannot read {shown}"))?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                ensure!(n_rows < MAX_ROWS, "{shown} has more than {MAX_ROWS} rows");
                n_rows += 1;
                if let Some(row) = read(&file, again)? {
                    rows.push((file, row));
                }
            }
        }
        if n_rows == 0 {
            check_pages(path)?;
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
        let files = PAGES.map(|(name, _)| self.path.join(name));
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

/// Refuses pages in `folder` that this program did not write.
fn check_pages(folder: &Path) -> Result<()> {
    for (name, mark) in PAGES {
        let page = folder.join(name);
        // Nothing is lost where there is no file.
        if !page.is_file() {
            continue;
        }
        let (mut head, shown) = (Vec::new(), path_text(&page));
        let read = file::open(&page)?.take(HEAD).read_to_end(&mut head);
        read.with_context(|| format!("cannot read {shown}"))?;
        ensure!(
            String::from_utf8_lossy(&head).lines().any(|line| line == mark),
            "{shown} is no page of this program, and would be replaced; move it, or choose another folder with --out"
        );
    }
    Ok(())
}

/// The only field of a row that rows of all versions have.
#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

/// The row in `file`, checked; the fields that follow from others are made anew. `None` for a row of another version
/// where rows are made `again`.
fn read(file: &Path, again: bool) -> Result<Option<Row>> {
    let bytes = read_limited(file, MAX_BYTES)?;
    if let Ok(Versioned { version }) = serde_json::from_slice(&bytes) {
        if again && version != VERSION {
            return Ok(None);
        }
        check_version(file, version)?;
    }
    let mut row: Row = serde_json::from_slice(&bytes).with_context(|| {
        format!("{} is no row of a leaderboard; move it out of the folder", path_text(file))
    })?;
    row.check(file)?;
    row.settle();
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::row;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let out = place.path().join("a/b");
        let mut folder = Folder::open(&out, false).expect("it can be made");
        let row = row("résumé / <b>", 0.975);
        folder.save(&row).expect("it is writable");
        folder.save(&row).expect("it is writable");
        assert!(Folder::open(&out, false).is_err(), "it is in use");
        drop(folder);
        let folder = Folder::open(&out, false).expect("it is there");
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
            let error = format!("{:#}", Folder::open(place.path(), false).expect_err("no row"));
            assert!(error.contains("x.json is no row"), "{error}");
        }
        let mut stale = row("x", 0.96625);
        stale.clean_acc = "100.00".to_owned();
        std::fs::write(&file, json(&stale)).expect("it is writable");
        let folder = Folder::open(place.path(), false).expect("a row");
        assert_eq!(folder.rows()[0].clean_acc, "96.63", "it follows from the counts");
    }

    #[test]
    fn a_folder_that_cannot_hold_the_pages_is_refused_at_once() {
        let place = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(place.path().join("leaderboard.html")).expect("it is writable");
        let error =
            format!("{:#}", Folder::open(place.path(), false).expect_err("a folder in the way"));
        assert!(error.contains("leaderboard.html"), "{error}");
        let file = place.path().join("file");
        std::fs::write(&file, "").expect("it is writable");
        assert!(Folder::open(&file.join("out"), false).is_err());
    }

    #[test]
    fn a_page_of_somebody_else_is_never_replaced() {
        let place = tempfile::tempdir().expect("a temporary folder");
        for (name, _) in PAGES {
            let page = place.path().join(name);
            for text in ["# Leaderboard\n\nOf a game.\n", ""] {
                std::fs::write(&page, text).expect("it is writable");
                let error = Folder::open(place.path(), false).expect_err("foreign").to_string();
                assert!(error.contains(name) && error.contains("--out"), "{error}");
            }
            std::fs::remove_file(page).expect("it is there");
        }
        // Its own are known without a row, also those without a table.
        let folder = Folder::open(place.path(), false).expect("an empty folder");
        folder.write_pages().expect("it is writable");
        drop(folder);
        let mut folder = Folder::open(place.path(), false).expect("its own pages");
        folder.save(&row("a", 0.9)).expect("it is writable");
        drop(folder);
        std::fs::write(place.path().join(PAGES[0].0), "mine").expect("it is writable");
        Folder::open(place.path(), false).expect("beside rows, pages are those of the rows");
    }

    #[test]
    fn a_row_of_another_version_stands_on_no_page() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let mut json = serde_json::to_value(row("a", 0.9)).expect("plain data");
        json["version"] = (VERSION + 1).into();
        // Its fields may be others.
        json["measures"] = "unknown".into();
        std::fs::write(place.path().join("a.json"), json.to_string()).expect("it is writable");
        let error = Folder::open(place.path(), false).expect_err("another version").to_string();
        assert!(error.contains("a.json") && error.contains("--again"), "{error}");
        let mut folder = Folder::open(place.path(), true).expect("it is made again");
        assert_eq!(folder.rows(), Vec::<&Row>::new());
        folder.save(&row("a", 0.8)).expect("it replaces the other");
        drop(folder);
        assert_eq!(Folder::open(place.path(), false).expect("a row").rows().len(), 1);
    }
}
