//! The metadata of a picture as named pieces of text, whatever container and format held them.

use crate::claim::Kind;

/// Bytes of one block of metadata, packed or not: a longer one is left out.
pub(crate) const MAX_BLOCK: usize = 4 << 20;

/// Bytes of all texts of a picture together.
const MAX_TOTAL: usize = 16 << 20;

/// Texts of a picture.
const MAX_TEXTS: usize = 512;

/// A named piece of text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) place: Kind,
    /// The keyword of a chunk, the name of an EXIF field, or the local name of an XMP property.
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Whether the reader of C2PA manifests is asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manifest {
    /// Nothing stands at the place of a manifest.
    #[default]
    Absent,
    /// A manifest stands there, or may: the container is one in which only its reader finds it.
    There,
    /// The container would cost its reader more than a file may, for this reason.
    Refused(&'static str),
}

/// The metadata that a walk through a container has found.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) texts: Vec<Text>,
    /// Bytes of `texts`.
    total: usize,
    /// The place of the C2PA manifest.
    pub(crate) manifest: Manifest,
    /// The first fault of the container or of a block of metadata.
    pub(crate) damage: Option<&'static str>,
}

impl Contents {
    /// Keeps a text, as long as there is room.
    pub(crate) fn push(&mut self, place: Kind, key: &str, value: String) {
        let bytes = key.len().saturating_add(value.len());
        if self.texts.len() >= MAX_TEXTS || bytes > MAX_TOTAL - self.total {
            self.fault("there is more text than is read");
            return;
        }
        self.total += bytes;
        self.texts.push(Text { place, key: key.to_owned(), value });
    }

    /// Notes a fault; the first one stays.
    pub(crate) fn fault(&mut self, what: &'static str) {
        self.damage.get_or_insert(what);
    }

    /// The bytes that one more text may have.
    pub(crate) fn room(&self) -> usize {
        MAX_BLOCK.min(MAX_TOTAL - self.total)
    }

    /// The texts at `place` with the name `key`.
    pub(crate) fn at<'a>(&'a self, place: Kind, key: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.texts.iter().filter(move |text| text.place == place && text.key == key);
        found.map(|text| text.value.as_str())
    }
}

/// Bytes as text: UTF-8 where they are that, else Latin-1, in which PNG writes.
pub(crate) fn utf8_or_latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_beyond_the_limits_are_left_out_and_named() {
        let mut contents = Contents::default();
        for _ in 0..5 {
            contents.push(Kind::Text, "a", "x".repeat(MAX_BLOCK));
        }
        assert_eq!(contents.texts.len(), 3);
        assert!(contents.damage.is_some());
        let mut contents = Contents::default();
        for _ in 0..MAX_TEXTS + 1 {
            contents.push(Kind::Text, "a", String::new());
        }
        assert_eq!(contents.texts.len(), MAX_TEXTS);
    }
}
