//! Outputs, looked at before the work: they replace no input and can be written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cifake::text::path_text;

/// The files and folders that a command reads, by their real paths. No output may replace one, nor a picture or an
/// archive inside such a folder.
#[derive(Debug, Clone, Default)]
pub struct Spared(HashSet<PathBuf>);

impl Spared {
    /// The files and folders at `paths`. A path that leads nowhere is left out: nothing can be lost there.
    pub fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self(paths.into_iter().filter_map(|path| path.as_ref().canonicalize().ok()).collect())
    }

    /// Refuses `output` if it is one of the files, by whatever way it leads there.
    ///
    /// # Errors
    ///
    /// The output that would replace an input.
    pub fn refuse(&self, output: &Path) -> Result<()> {
        let Ok(real) = output.canonicalize() else { return Ok(()) };
        let is_below = || real.ancestors().skip(1).any(|folder| self.0.contains(folder));
        if self.0.contains(&real) || is_data(&real) && is_below() {
            bail!("{} is an input and would be replaced; choose another output", path_text(output))
        }
        Ok(())
    }

    /// Looks at a file that is to be written, before the work for it begins, and makes the folder that holds it.
    ///
    /// # Errors
    ///
    /// An input; a folder; a folder around it that cannot be made or written to.
    pub fn file(&self, output: &Path) -> Result<()> {
        self.refuse(output)?;
        match std::fs::metadata(output) {
            Ok(found) if found.is_dir() => {
                bail!("{} is a folder; name a file", path_text(output))
            }
            // A device or a pipe is written as it is.
            Ok(found) if !found.is_file() => return Ok(()),
            _ => {}
        }
        let real = output.canonicalize().unwrap_or_else(|_| output.to_owned());
        let around = around(&real);
        let named = || format!("{} cannot be written", path_text(output));
        std::fs::create_dir_all(around).with_context(named)?;
        probe(around).with_context(named)?;
        // Through a folder that was just made, the path may lead elsewhere.
        self.refuse(output)
    }

    /// Looks at the files of `outputs` that are given, as [`file`](Self::file) does.
    ///
    /// # Errors
    ///
    /// As [`file`](Self::file), of the first; two outputs that are one file.
    pub fn files<'a>(&self, outputs: impl IntoIterator<Item = &'a Option<PathBuf>>) -> Result<()> {
        let mut seen = HashSet::new();
        for output in outputs.into_iter().flatten() {
            self.file(output)?;
            let folder = around(output).canonicalize().unwrap_or_default();
            let named = output.file_name().map(|name| folder.join(name));
            let real = output.canonicalize().ok().or(named);
            ensure!(seen.insert(real), "two outputs are the file {}", path_text(output));
        }
        Ok(())
    }

    /// Looks at a folder that results are to be written into, before the work begins. It is not made yet.
    ///
    /// # Errors
    ///
    /// A file; a folder that cannot be made or written to.
    pub fn folder(&self, output: &Path) -> Result<()> {
        self.refuse(output)?;
        let mut nearest = output;
        while !nearest.exists() {
            nearest = around(nearest);
        }
        let of = || format!("the folder {} cannot be written to", path_text(output));
        ensure!(nearest.is_dir(), "{}: {} is no folder", of(), path_text(nearest));
        probe(nearest).with_context(of)
    }
}

/// Whether `path` leads to a file that a data set is made of: a picture, an archive or a table.
fn is_data(path: &Path) -> bool {
    const ARCHIVES: [&str; 2] = ["zip", "parquet"];
    let is = |extension: &str| ARCHIVES.iter().any(|known| known.eq_ignore_ascii_case(extension));
    let extension = path.extension().and_then(|extension| extension.to_str());
    path.is_file() && (cifake::is_image_file(path) || extension.is_some_and(is))
}

/// The folder that holds `path`.
fn around(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file into `folder` and removes it. Its name is always the same, so that the next probe removes what a
/// killed process left.
fn probe(folder: &Path) -> Result<(), cifake::Error> {
    cifake::file::check_writable(&folder.join("cifake-probe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_folder_removes_what_a_killed_one_left() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let entries = || std::fs::read_dir(folder.path()).expect("it is readable").count();
        Spared::default().folder(folder.path()).expect("it is writable");
        assert_eq!(entries(), 0);
        std::fs::write(folder.path().join(".cifake-probe.tmp"), "").expect("it is writable");
        Spared::default().folder(folder.path()).expect("it is writable");
        assert_eq!(entries(), 0);
    }

    #[test]
    fn an_output_that_would_replace_an_input_is_refused_whatever_leads_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("a.png");
        std::fs::write(&input, b"").expect("it is writable");
        let spared = Spared::of([&input, &folder.path().join("missing.png")]);
        let looks = [Spared::refuse, Spared::file, Spared::folder];
        for look in looks {
            let error = look(&spared, &folder.path().join("./a.png")).expect_err("it is the input");
            assert!(error.to_string().contains("is an input"), "{error}");
        }
        let through = folder.path().join("new/../a.png");
        assert!(spared.file(&through).is_err(), "the folder that is made leads to the input");
        let within = Spared::of([folder.path()]);
        assert!(within.file(&input).is_err(), "it is a picture of a data set");
        std::fs::write(folder.path().join("scores.csv"), b"").expect("it is writable");
        assert!(within.file(&folder.path().join("scores.csv")).is_ok());
        for other in ["b.png", "missing.png"] {
            assert!(looks.iter().all(|look| look(&spared, &folder.path().join(other)).is_ok()));
        }
    }

    #[test]
    fn an_output_that_cannot_be_written_is_refused_before_the_work() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("it is writable");
        let (spared, below) = (Spared::default(), file.join("below/page.html"));
        for (outcome, part) in [
            (spared.file(&below), "cannot be written"),
            (spared.file(folder.path()), "is a folder"),
            (spared.folder(&below), "is no folder"),
            (spared.folder(&file), "is no folder"),
        ] {
            let error = outcome.expect_err(part);
            assert!(error.to_string().contains(part), "{error}");
        }
        let new = folder.path().join("a/b/page.html");
        spared.folder(&new).expect("it can be made");
        assert!(!folder.path().join("a").exists(), "a folder is made by who writes into it");
        spared.file(&new).expect("it can be written");
        assert!(folder.path().join("a/b").is_dir() && !new.exists());
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).expect("it is there").count(), 0);
        let twice = [Some(new.clone()), None, Some(new)];
        assert!(spared.files(&twice[..2]).is_ok());
        assert!(spared.files(&twice).is_err());
        let other_way = Some(folder.path().join("a/b/../b/page.html"));
        assert!(spared.files(&[twice[0].clone(), other_way]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_can_be_written() {
        assert!(Spared::default().file(Path::new("/dev/null")).is_ok());
    }
}
