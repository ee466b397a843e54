//! Explanations of many pictures as training material, in the form of LLaVA.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use cifake::file::FolderLock;
use cifake::{Label, Picture, file, weights};

use crate::record::{PICTURES, files};
use crate::{Error, Explanation, Origin, Record, Subject, Turn};

const ORIGIN: &str = "origin.json";
const RECORDS: &str = "explanations.jsonl";
/// Longest file of records that is read back, in bytes.
const MAX_BYTES: u64 = 4 << 30;
/// Placeholders of the two pictures in a conversation: the picture, and the picture under its map.
pub(crate) const PLACEHOLDERS: &str = "<image>\n<image>\n";

/// A folder of explained pictures that grows by one line a picture.
///
/// An interrupted process loses nothing that was written. Opened again, the set knows its pictures, so
/// that each is explained once; a line or file that was broken off is removed. One process at a time
/// has the set open: a lock on a file in the folder keeps a second one out until the first one ends.
#[derive(Debug)]
pub struct ExplanationSet {
    folder: PathBuf,
    origin: Origin,
    held: HashSet<String>,
    records: File,
    _lock: FolderLock,
}

impl ExplanationSet {
    /// Opens the set in `folder`, or begins one.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] while another process has the set open; [`Error::OtherOrigin`] if the folder
    /// holds a set of another origin; [`Error::Record`] for a line that is not a record; files that
    /// cannot be read or written.
    pub fn open(folder: &Path, origin: Origin) -> Result<Self, Error> {
        let pictures = folder.join(PICTURES);
        std::fs::create_dir_all(&pictures)
            .map_err(|source| Error::Write { path: pictures, source })?;
        let lock = FolderLock::acquire(folder)?;
        let lock = lock.ok_or_else(|| Error::InUse { folder: folder.to_owned() })?;
        let path = folder.join(ORIGIN);
        if path.exists() {
            let theirs = read_origin(&path)?;
            if theirs != origin {
                let (theirs, ours) = (Box::new(theirs), Box::new(origin));
                return Err(Error::OtherOrigin { folder: folder.to_owned(), theirs, ours });
            }
        } else {
            let json = serde_json::to_vec_pretty(&origin).expect("plain data has a JSON form");
            file::write_atomic(&path, &json)?;
        }
        for folder in [folder, &folder.join(PICTURES)] {
            remove_broken_off(folder)?;
        }
        let path = folder.join(RECORDS);
        let held = read(&path)?.into_iter().map(|record| record.sha256).collect();
        let records = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| Error::Write { path, source })?;
        Ok(Self { folder: folder.to_owned(), origin, held, records, _lock: lock })
    }

    /// The origin and the records of the set in `folder`, read without a lock: another process may be
    /// adding to it. A last line without an end is skipped.
    ///
    /// # Errors
    ///
    /// If there is no set; [`Error::Record`] for a line that is not a record.
    pub fn read(folder: &Path) -> Result<(Origin, Vec<Record>), Error> {
        let origin = read_origin(&folder.join(ORIGIN))?;
        let path = folder.join(RECORDS);
        let bytes = file::read_limited(&path, MAX_BYTES)?;
        Ok((origin, parse_records(&bytes[..whole_lines(&bytes)], &path)?))
    }

    /// Number of pictures in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether the set has no picture yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a picture with the same pixels is in the set.
    #[must_use]
    pub fn holds(&self, picture: &Picture) -> bool {
        self.held.contains(&weights::sha256_hex(picture.pixels()))
    }

    /// The records of the set, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] for a line that is not a record; a file that cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        read(&self.folder.join(RECORDS))
    }

    /// Adds the explanation of `subject`, the sample `id`, with its pictures as they are
    /// [shown](Subject::shown). A picture that is in the set is not added again.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], or [`Error::File`] for a picture; the record is then not added.
    pub fn add(
        &mut self,
        id: &str,
        subject: &Subject<'_>,
        explanation: &Explanation,
    ) -> Result<(), Error> {
        let sha256 = weights::sha256_hex(subject.picture.pixels());
        if self.held.contains(&sha256) {
            return Ok(());
        }
        let image = files(&sha256);
        for (name, picture) in image.iter().zip(subject.shown()) {
            file::write_atomic(&self.folder.join(name), &picture.to_png())?;
        }
        let record = Record {
            id: id.to_owned(),
            sha256: sha256.clone(),
            image,
            conversations: conversation(&self.origin.prompt, subject.label, explanation),
            label: subject.label,
            p_fake: subject.p_fake,
            explanation: explanation.clone(),
        };
        let mut line = serde_json::to_vec(&record).expect("plain data has a JSON form");
        line.push(b'\n');
        let failed = |source| Error::Write { path: self.folder.join(RECORDS), source };
        let whole = self.records.metadata().map_err(failed)?.len();
        let written = self.records.write_all(&line).and_then(|()| self.records.sync_data());
        if let Err(source) = written {
            // Nothing may follow half a line. If this fails too, the next opening mends it.
            let _ = self.records.set_len(whole);
            return Err(failed(source));
        }
        self.held.insert(sha256);
        Ok(())
    }
}

fn read_origin(path: &Path) -> Result<Origin, Error> {
    let bytes = file::read_limited(path, 1 << 20)?;
    let refused = |source| Error::Record { path: path.to_owned(), line: 1, source };
    serde_json::from_slice(&bytes).map_err(refused)
}

/// The question about the picture and the answer, a line a finding.
fn conversation(prompt: &str, label: Label, explanation: &Explanation) -> [Turn; 2] {
    // A placeholder within an answer would stand for a picture that is not there.
    let text = |finding: &crate::Finding| finding.explanation.replace("<image>", "image");
    let line = |finding: &crate::Finding| format!("{}: {}", finding.artifact, text(finding));
    let answer = match (label, &explanation.findings[..]) {
        (Label::Real, _) => "The picture looks like a photograph.".to_owned(),
        (Label::Fake, []) => "No artifact of the list stands out.".to_owned(),
        (Label::Fake, findings) => findings.iter().map(line).collect::<Vec<_>>().join("\n"),
    };
    [("human", format!("{PLACEHOLDERS}{prompt}")), ("gpt", answer)]
        .map(|(from, value)| Turn { from: from.to_owned(), value })
}

/// The records in the file at `path`. A last line without an end is cut away.
fn read(path: &Path) -> Result<Vec<Record>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = file::read_limited(path, MAX_BYTES)?;
    let whole = whole_lines(&bytes);
    if whole < bytes.len() {
        file::write_atomic(path, &bytes[..whole])?;
    }
    parse_records(&bytes[..whole], path)
}

/// Length of `bytes` up to its last line end.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}

/// The records in the lines of `bytes`, the content of the file at `path`.
fn parse_records(bytes: &[u8], path: &Path) -> Result<Vec<Record>, Error> {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let record = |(number, line): (usize, &[u8])| {
        let refused = |source| Error::Record { path: path.to_owned(), line: number + 1, source };
        Record::from_json(line).map_err(refused)
    };
    lines.enumerate().map(record).collect()
}

/// Removes the temporary files that a killed process left in `folder`.
fn remove_broken_off(folder: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let is_temporary = |name: &str| name.starts_with('.') && name.ends_with(".tmp");
        if name.to_str().is_some_and(is_temporary) {
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gradcam::HeatMap;

    use super::*;
    use crate::Finding;

    fn origin(explainer: &str) -> Origin {
        Origin {
            explainer: explainer.to_owned(),
            detector: "a detector".to_owned(),
            method: "gradcam".to_owned(),
            prompt: "What gives it away?".to_owned(),
        }
    }

    fn explanation() -> Explanation {
        let finding = Finding {
            artifact: "Artificial smoothness".parse().expect("listed"),
            region: None,
            evidence: None,
            explanation: "The sky has no grain.".to_owned(),
            said_by: vec!["a".to_owned()],
        };
        Explanation { findings: vec![finding], remarks: vec![] }
    }

    fn add(set: &mut ExplanationSet, level: u8) {
        let picture = Picture::new(vec![level; 12], 2, 2).expect("2x2");
        let map = HeatMap::scaled(vec![0.0, 1.0, 0.0, 0.0], 2, 2);
        let subject =
            Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.75, class: None };
        set.add(&format!("test/{level}"), &subject, &explanation()).expect("it is added");
    }

    #[test]
    fn a_set_goes_on_after_a_line_was_broken_off() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut set = ExplanationSet::open(folder.path(), origin("a")).expect("a new set");
        assert!(set.is_empty());
        for level in [1, 2, 2] {
            add(&mut set, level);
        }
        assert_eq!(set.len(), 2, "the same pixels are explained once");
        drop(set);
        let path = folder.path().join(RECORDS);
        let whole = std::fs::read(&path).expect("it was written");
        std::fs::write(&path, &whole[..whole.len() - 5]).expect("it is writable");
        let half = folder.path().join(PICTURES).join(".abc.tmp");
        std::fs::write(&half, "half a picture").expect("it is writable");
        let (_, records) = ExplanationSet::read(folder.path()).expect("one line is whole");
        assert!(records.len() == 1 && half.exists(), "who reads leaves all as it is");
        let mut set = ExplanationSet::open(folder.path(), origin("a")).expect("it goes on");
        let picture = |level| Picture::new(vec![level; 12], 2, 2).expect("2x2");
        assert!(set.holds(&picture(1)) && !set.holds(&picture(2)));
        assert!(!half.exists(), "what was broken off is gone");
        add(&mut set, 2);
        assert_eq!(std::fs::read(&path).expect("it was written"), whole);
        let text = String::from_utf8(whole).expect("JSON");
        let record: Record =
            serde_json::from_str(text.lines().next().expect("a line")).expect("a record");
        assert_eq!(record.conversations[0].value, "<image>\n<image>\nWhat gives it away?");
        assert_eq!(record.conversations[1].value, "Artificial smoothness: The sky has no grain.");
        assert!(record.image.iter().all(|name| folder.path().join(name).is_file()));
        assert_eq!(record.files(), record.image);
        let ids: Vec<String> =
            set.records().expect("all are whole").into_iter().map(|record| record.id).collect();
        assert_eq!(ids, ["test/1", "test/2"]);
    }

    #[test]
    fn a_set_of_another_origin_or_with_a_strange_line_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        drop(ExplanationSet::open(folder.path(), origin("a")).expect("a new set"));
        let error =
            ExplanationSet::open(folder.path(), origin("b")).expect_err("another explainer");
        assert!(matches!(error, Error::OtherOrigin { .. }), "{error}");
        let (theirs, records) =
            ExplanationSet::read(folder.path()).expect("whatever its explainer");
        assert_eq!((theirs, records.len()), (origin("a"), 0));
        assert!(ExplanationSet::read(&folder.path().join("nothing")).is_err());
        std::fs::write(folder.path().join(RECORDS), "{}\n").expect("it is writable");
        let error = ExplanationSet::open(folder.path(), origin("a")).expect_err("no record");
        assert!(matches!(error, Error::Record { line: 1, .. }), "{error}");
    }

    /// Two builds in one folder explained every picture twice.
    #[test]
    fn a_set_is_open_once_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut first = ExplanationSet::open(folder.path(), origin("a")).expect("a new set");
        add(&mut first, 1);
        let second = ExplanationSet::open(folder.path(), origin("a")).expect_err("it is open");
        assert!(matches!(second, Error::InUse { .. }), "{second}");
        assert_eq!(ExplanationSet::read(folder.path()).expect("reading needs no lock").1.len(), 1);
        drop(first);
        assert_eq!(ExplanationSet::open(folder.path(), origin("a")).expect("it is free").len(), 1);
    }
}
