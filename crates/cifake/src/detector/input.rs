//! Pictures by name: files, folders, patterns, streams.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::text::path_text;
use crate::{Decoder, Error, Fitted, FoundImage, Picture};

/// A picture to judge, or what stands in the way of one.
///
/// It is opened when its turn comes and not before, so that a list of many costs only their names.
pub struct Input {
    name: String,
    origin: Origin,
    look: Option<Look>,
}

/// Sees the content of an input once.
type Look = Box<dyn FnOnce(&[u8]) + Send>;

enum Origin {
    File(PathBuf),
    Reader(Box<dyn Read + Send>),
    Failed(Error),
}

impl Input {
    /// The file at `path`.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new(path_text(&path), Origin::File(path))
    }

    /// The image that `reader` yields, called `name`; no more is read than a decoder's limits allow.
    #[must_use]
    pub fn reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self::new(name.into(), Origin::Reader(Box::new(reader)))
    }

    /// The inputs that `argument` stands for: a file, all images in a folder at any depth, or the matches of a pattern
    /// (`*`, `?`, `[a-z]`, `**` for any depth), sorted by name.
    ///
    /// A file that cannot be opened, a folder without images and a pattern without matches become an input that fails,
    /// so that the others still get their verdicts; see [`find_images`](crate::find_images).
    #[must_use]
    pub fn expand(argument: &Path) -> Vec<Self> {
        match crate::find_images(argument) {
            Ok(search) => search.found.into_iter().map(Self::found).collect(),
            Err(error) => vec![Self::failed(path_text(argument), error)],
        }
    }

    /// The input for a result of a search: a file, or the obstacle to reading it.
    #[must_use]
    pub fn found(image: FoundImage) -> Self {
        match image.error {
            None => Self::file(image.path),
            Some(error) => Self::failed(path_text(&image.path), error),
        }
    }

    /// An input called `name` that gets `error` for an answer.
    #[must_use]
    pub fn failed(name: impl Into<String>, error: impl Into<Error>) -> Self {
        Self::new(name.into(), Origin::Failed(error.into()))
    }

    /// The name in outputs: its path, or the name that it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Reader(_) | Origin::Failed(_) => None,
        }
    }

    fn new(name: String, origin: Origin) -> Self {
        Self { name, origin, look: None }
    }

    /// Shows the content of its file or stream, whole and as it was read, to `look` before it is decoded. Content that
    /// cannot be read, or is longer than a decoder's limit, is not shown.
    #[must_use]
    pub fn with_look(self, look: impl FnOnce(&[u8]) + Send + 'static) -> Self {
        Self { look: Some(Box::new(look)), ..self }
    }

    /// Its name, and its picture at its own size.
    ///
    /// # Errors
    ///
    /// As [`Decoder::read`], beside the name.
    pub fn picture(self, decoder: &Decoder) -> (String, Result<Picture, Error>) {
        self.decoded(decoder, |bytes| decoder.decode(bytes))
    }

    /// Its name, and its picture brought to `size` (width, height).
    ///
    /// # Errors
    ///
    /// As [`Decoder::read_fitted`], beside the name.
    ///
    /// # Panics
    ///
    /// If a side is 0.
    pub fn fitted(self, decoder: &Decoder, size: (u32, u32)) -> (String, Result<Fitted, Error>) {
        self.decoded(decoder, |bytes| decoder.decode_fitted(bytes, size.0, size.1))
    }

    /// Its name, and what `decode` makes of its content, which is read once.
    fn decoded<T>(
        self,
        decoder: &Decoder,
        decode: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> (String, Result<T, Error>) {
        let Self { name, origin, look } = self;
        let (place, bytes) = match origin {
            Origin::File(path) => {
                let bytes = decoder.read_bytes(&path);
                (path, bytes)
            }
            Origin::Reader(reader) => {
                let place = PathBuf::from(&name);
                let bytes = decoder.read_stream(reader, &place);
                (place, bytes)
            }
            Origin::Failed(error) => return (name, Err(error)),
        };
        let decoded = bytes.and_then(|bytes| {
            if let Some(look) = look {
                look(&bytes);
            }
            decode(&bytes).map_err(|error| error.in_file(place))
        });
        (name, decoded)
    }
}

impl<P: Into<PathBuf>> From<P> for Input {
    fn from(path: P) -> Self {
        Self::file(path)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(folder.path().join("deep/empty")).expect("it is writable");
        for name in ["b.png", "a.png", ".hidden.png", "deep/c.png", "[x].png", "note.txt"] {
            std::fs::write(folder.path().join(name), name).expect("it is writable");
        }
        folder
    }

    fn names(folder: &Path, argument: &str) -> Vec<String> {
        let strip = |input: Input| {
            let name = Path::new(input.name()).strip_prefix(folder).expect("it lies inside");
            name.display().to_string()
        };
        Input::expand(&folder.join(argument)).into_iter().map(strip).collect()
    }

    #[test]
    fn a_folder_stands_for_its_images_at_any_depth() {
        let folder = folder();
        let files = Input::expand(folder.path());
        assert_eq!(files[1].path(), Some(&*folder.path().join("a.png")));
        assert_eq!(Input::reader("-", std::io::empty()).path(), None);
        assert_eq!(names(folder.path(), ""), ["[x].png", "a.png", "b.png", "deep/c.png"]);
    }

    #[test]
    fn a_pattern_stands_for_its_matches_each_once() {
        let folder = folder();
        assert_eq!(names(folder.path(), "?.png"), ["a.png", "b.png"]);
        assert_eq!(names(folder.path(), "**/c.png"), ["deep/c.png"]);
        assert_eq!(names(folder.path(), "d*"), ["deep/c.png"]);
        assert_eq!(names(folder.path(), "[x].png"), ["[x].png"]);
    }

    #[test]
    fn content_is_shown_once_and_only_within_the_limit() {
        let folder = folder();
        let limits = crate::DecodeLimits::default().with_max_file_bytes(5);
        let shown = |input: Input| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let input = input.with_look(move |bytes| {
                sender.send(bytes.to_vec()).expect("somebody listens");
            });
            let (_, outcome) = input.fitted(&Decoder::new(limits), (32, 32));
            assert!(outcome.is_err(), "these are no pictures");
            receiver.iter().collect::<Vec<_>>()
        };
        assert_eq!(shown(Input::file(folder.path().join("a.png"))), [b"a.png"]);
        assert_eq!(shown(Input::reader("-", &b"12345"[..])), [b"12345"]);
        for longer in ["deep/c.png", "missing.png"] {
            assert!(shown(Input::file(folder.path().join(longer))).is_empty(), "{longer}");
        }
        assert!(shown(Input::reader("-", &b"123456"[..])).is_empty());
    }

    #[test]
    fn what_is_not_there_fails_by_name() {
        let folder = folder();
        for (argument, expected) in [
            ("missing.png", "cannot read"),
            ("missing*", "no file matches"),
            ("a[", "no valid pattern"),
            ("deep/empty", "holds no image"),
            ("note.txt", "no PNG, JPEG"),
        ] {
            let mut inputs = Input::expand(&folder.path().join(argument));
            assert_eq!(inputs.len(), 1, "{argument}");
            let (name, outcome) = inputs.remove(0).fitted(&Decoder::default(), (32, 32));
            assert!(name.ends_with(argument), "{name}");
            let error = outcome.expect_err("there is no picture").to_string();
            assert!(error.contains(expected) && error.contains(argument), "{error}");
        }
    }
}
