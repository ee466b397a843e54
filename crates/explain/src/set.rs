//! Explanations of many pictures as training material, in the form that LLaVA reads.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use cifake::{Label, Picture, file, weights};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Explanation, Subject};

const ORIGIN: &str = "origin.json";
const RECORDS: &str = "explanations.jsonl";
const PICTURES: &str = "images";
/// Longest file of records that is read back.
const MAX_BYTES: u64 = 4 << 30;
/// What stands in a conversation for the two pictures: the picture and the map over it.
pub(crate) const PLACEHOLDERS: &str = "<image>\n<image>\n";

/// Who speaks in a set; a set has one origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name of the explainer.
    pub explainer: String,
    /// The detector and its weights.
    pub detector: String,
    /// The method that made the maps.
    pub method: String,
    /// What the explainer was asked, or what an answer of this form would be asked.
    pub prompt: String,
}

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `human` or `gpt`.
    pub from: String,
    /// What is said.
    pub value: String,
}

/// A picture and what is said of it: a line of `explanations.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Of the sample in its data set.
    pub id: String,
    /// SHA-256 of the pixels, in lower-case digits.
    #[serde(deserialize_with = "hash")]
    pub sha256: String,
    /// The picture and the overlay, relative to the folder.
    pub image: [String; 2],
    /// The question and the answer.
    pub conversations: [Turn; 2],
    /// The verdict that was explained.
    pub label: Label,
    /// Its probability.
    pub p_fake: f32,
    /// The answer taken apart.
    pub explanation: Explanation,
}

impl Record {
    /// The record in `line` of a set, which nobody vouches for.
    ///
    /// # Errors
    ///
    /// Where it is something else.
    pub fn from_json(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// The picture and the overlay, relative to the folder of the set; whatever the record says.
    #[must_use]
    pub fn files(&self) -> [String; 2] {
        files(&self.sha256)
    }
}

/// Names of the picture and of the overlay.
fn files(sha256: &str) -> [String; 2] {
    ["", ".map"].map(|kind| format!("{PICTURES}/{sha256}{kind}.png"))
}

/// 64 digits, so that they can stand in a path.
fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(is_digit) {
        return Ok(text);
    }
    Err(serde::de::Error::custom("its `sha256` is no hash"))
}

/// A folder of explained pictures that grows by one line a picture.
///
/// Whatever interrupts it, what was written stays, and a picture is explained once: opened again,
/// the set knows the pixels that it holds. A line that was broken off is cut away, and so are files
/// that were. One process at a time may write to a set.
#[derive(Debug)]
pub struct ExplanationSet {
    folder: PathBuf,
    origin: Origin,
    held: HashSet<String>,
    records: File,
}

impl ExplanationSet {
    /// Opens the set in `folder`, or begins one.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOrigin`] where the folder holds a set of another origin; [`Error::Record`] for a
    /// line that is no record; files that cannot be read or written.
    pub fn open(folder: &Path, origin: Origin) -> Result<Self, Error> {
        let pictures = folder.join(PICTURES);
        std::fs::create_dir_all(&pictures)
            .map_err(|source| Error::Write { path: pictures, source })?;
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
        Ok(Self { folder: folder.to_owned(), origin, held, records })
    }

    /// The origin and the records of the set that `folder` holds, without opening it to write: another
    /// process may be adding to it. A line without an end is passed over.
    ///
    /// # Errors
    ///
    /// Where there is none; [`Error::Record`] for a line that is no record.
    pub fn read(folder: &Path) -> Result<(Origin, Vec<Record>), Error> {
        let origin = read_origin(&folder.join(ORIGIN))?;
        let path = folder.join(RECORDS);
        let bytes = file::read_limited(&path, MAX_BYTES)?;
        Ok((origin, parse_records(&bytes[..whole_lines(&bytes)], &path)?))
    }

    /// Pictures in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether it holds no picture yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a picture of these pixels was explained already.
    #[must_use]
    pub fn holds(&self, picture: &Picture) -> bool {
        self.held.contains(&weights::sha256_hex(picture.pixels()))
    }

    /// The records of the set, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] for a line that is none; a file that cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        read(&self.folder.join(RECORDS))
    }

    /// Adds what was said of `subject`, the sample `id`, as it is [shown](Subject::shown). A picture
    /// that the set holds is not added again.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], or that of a picture's file; the set then lacks this record.
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
            // Half a line must not be gone on with; where even this fails, opening mends it.
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

/// The records in the file at `path`, whose last line is cut away if it has no end.
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

/// Length of `bytes` up to the end of the last line that has one.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}

/// The records in the lines of `bytes`, which stand in the file at `path`.
fn parse_records(bytes: &[u8], path: &Path) -> Result<Vec<Record>, Error> {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let record = |(number, line): (usize, &[u8])| {
        let refused = |source| Error::Record { path: path.to_owned(), line: number + 1, source };
        Record::from_json(line).map_err(refused)
    };
    lines.enumerate().map(record).collect()
}

/// Takes away what [`file::write_atomic`] left in `folder` when a process was killed.
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
    use proptest::prelude::*;

    use super::*;
    use crate::{Artifact, Finding};

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
            artifact: Artifact::from_name("Artificial smoothness").expect("listed"),
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
        let error = ExplanationSet::open(folder.path(), origin("b")).expect_err("another voice");
        assert!(matches!(error, Error::OtherOrigin { .. }), "{error}");
        let (theirs, records) = ExplanationSet::read(folder.path()).expect("whatever its voice");
        assert_eq!((theirs, records.len()), (origin("a"), 0));
        assert!(ExplanationSet::read(&folder.path().join("nothing")).is_err());
        std::fs::write(folder.path().join(RECORDS), "{}\n").expect("it is writable");
        let error = ExplanationSet::open(folder.path(), origin("a")).expect_err("no record");
        assert!(matches!(error, Error::Record { line: 1, .. }), "{error}");
    }

    #[test]
    fn a_hash_that_leads_elsewhere_is_no_record() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut set = ExplanationSet::open(folder.path(), origin("a")).expect("a new set");
        add(&mut set, 1);
        let text = std::fs::read_to_string(folder.path().join(RECORDS)).expect("it was written");
        let record = Record::from_json(text.trim_end().as_bytes()).expect("as written");
        for hash in ["../../secret", &"A".repeat(64), &record.sha256[1..], ""] {
            let line = text.replace(
                &format!(r#""sha256":"{}""#, record.sha256),
                &format!(r#""sha256":"{hash}""#),
            );
            assert_ne!(line, text);
            assert!(Record::from_json(line.trim_end().as_bytes()).is_err(), "{hash}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_line_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Record::from_json(&bytes).is_err());
        }
    }
}
