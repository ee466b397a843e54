//! The requests of the load, as the bytes that are sent.

use std::path::Path;

use anyhow::{Context, Result, ensure};

const BOUNDARY: &str = "----load";

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One picture, in good faith.
    Picture,
    /// Bytes that are no picture.
    Noise,
    /// A form without its end.
    Cut,
    /// A form of ten thousand files.
    Parts,
    /// A request by another name of the host.
    Host,
    /// A body that ends before its stated length.
    BreaksOff,
}

const HOSTILE: [Kind; 5] = [Kind::Noise, Kind::Cut, Kind::Parts, Kind::Host, Kind::BreaksOff];

impl Kind {
    /// The kind of request number `turn`, of which `hostile` percent are in bad faith.
    pub(super) fn of(turn: u64, hostile: u64) -> Self {
        // Spreads the hostile ones evenly; 61 and 100 share no divisor.
        match turn.wrapping_mul(61) % 100 < hostile {
            true => HOSTILE[(turn % HOSTILE.len() as u64) as usize],
            false => Self::Picture,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Noise => "noise",
            Self::Cut => "cut form",
            Self::Parts => "many parts",
            Self::Host => "other host",
            Self::BreaksOff => "broken off",
        }
    }

    pub(super) fn breaks_off(self) -> bool {
        self == Self::BreaksOff
    }

    /// Whether an answer with `status` is right.
    pub(super) fn may_get(self, status: u16) -> bool {
        match self {
            Self::Picture => matches!(status, 200 | 429 | 503),
            Self::BreaksOff => status == 200,
            Self::Noise | Self::Cut => matches!(status, 400 | 429 | 503),
            Self::Parts => matches!(status, 413 | 429 | 503),
            // A server that listens to other machines answers to every name.
            Self::Host => matches!(status, 200 | 403 | 429 | 503),
        }
    }
}

/// Every request that may be sent.
pub(super) struct Requests {
    pictures: Vec<Vec<u8>>,
    hostile: Vec<Vec<u8>>,
}

impl Requests {
    /// Requests to `path` with the files of `folder`.
    pub(super) fn of(folder: &Path, path: &str) -> Result<Self> {
        let mut files = Vec::new();
        for entry in
            std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?
        {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "jpg" || extension == "png") {
                files.push(
                    std::fs::read(&file).with_context(|| format!("read {}", file.display()))?,
                );
            }
        }
        ensure!(!files.is_empty(), "{} holds no JPEG or PNG", folder.display());
        let pictures =
            files.iter().map(|file| request(path, "localhost", "image/jpeg", file, 0)).collect();
        let form = format!("multipart/form-data; boundary={BOUNDARY}");
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=f; filename=a.png\r\n\r\n1\r\n"
        );
        let hostile = vec![
            request(path, "localhost", "image/png", &[0x55; 5000], 0),
            request(path, "localhost", &form, part.as_bytes(), 0),
            request(path, "localhost", &form, part.repeat(10_000).as_bytes(), 0),
            request(path, "other.example", "image/jpeg", &files[0], 0),
            request(path, "localhost", "image/jpeg", &files[0], 1000),
        ];
        Ok(Self { pictures, hostile })
    }

    /// The request of `kind` for `turn`.
    pub(super) fn get(&self, kind: Kind, turn: u64) -> &[u8] {
        match HOSTILE.iter().position(|hostile| *hostile == kind) {
            Some(place) => &self.hostile[place],
            None => &self.pictures[(turn % self.pictures.len() as u64) as usize],
        }
    }
}

/// A request to `path` with `body`, which states `n_missing` bytes more than it has.
fn request(path: &str, host: &str, content_type: &str, body: &[u8], n_missing: usize) -> Vec<u8> {
    let length = body.len() + n_missing;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_requests_are_hostile_as_was_asked_for() {
        for hostile in [0, 20, 100] {
            let n = (0..1000).filter(|turn| Kind::of(*turn, hostile) != Kind::Picture).count();
            assert_eq!(n as u64, 10 * hostile);
        }
        let kinds: std::collections::BTreeSet<Kind> =
            (0..1000).map(|turn| Kind::of(turn, 20)).collect();
        assert_eq!(kinds.len(), 6);
    }
}
