//! One statement of a file about its origin.

use std::fmt;

use serde::Serialize;

/// Characters of a name that are kept: it comes from the file, and a reader sees all of it.
const MAX_NAME: usize = 160;

/// One statement of a file about its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The place in the file that holds the statement.
    pub kind: Kind,
    /// The statement.
    pub says: Says,
    /// Program, model or camera as the file names it: untrusted text of at most 160 characters, none of
    /// them a control character.
    pub by: Option<String>,
    /// How hard it is to forge.
    pub strength: Strength,
}

/// The place in the file that holds a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A manifest of the Coalition for Content Provenance and Authenticity.
    C2pa,
    /// An XMP packet, which also holds the fields of IPTC.
    Xmp,
    /// EXIF fields.
    Exif,
    /// A text chunk of a PNG.
    Text,
    /// Text in the lowest bits of a PNG's alpha channel.
    Pixels,
}

/// A statement about the origin of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Says {
    /// A trained model made the picture.
    AiGenerated,
    /// A trained model changed the picture or made a part of it.
    AiEdited,
    /// An algorithm without training made the picture, such as a renderer of fractals.
    Algorithm,
    /// A camera or a scanner took the picture.
    Camera,
    /// A program that is not known as a generator wrote or edited the picture.
    Software,
    /// The statement names no origin.
    Nothing,
}

/// How hard a statement is to forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// A signature covers statement and picture.
    Signed {
        /// The certificate leads to a root of the caller's trust list.
        trusted: bool,
        /// Signature and picture are as they were when they were signed.
        valid: bool,
    },
    /// Plain text, which anyone can write or remove.
    Declared,
    /// Plain fields that a camera writes by itself, which anyone can write or remove.
    CameraFields,
}

impl Claim {
    pub(crate) fn declared(kind: Kind, says: Says, by: &str) -> Self {
        Self { kind, says, by: name(by), strength: Strength::Declared }
    }
}

impl Says {
    /// True if the statement is that a trained model took part.
    #[must_use]
    pub fn is_ai(self) -> bool {
        matches!(self, Self::AiGenerated | Self::AiEdited)
    }
}

/// `text` as a name that can be shown; `None` where nothing is left.
pub(crate) fn name(text: &str) -> Option<String> {
    let shown = |c: &char| !c.is_control() && !is_hidden(*c);
    let kept: String = text.trim().chars().filter(shown).take(MAX_NAME).collect();
    let kept = kept.trim_end();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// Characters that reorder text or take no room, so that a name could pose as another.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.says)?;
        if let Some(by) = &self.by {
            write!(f, " ({by})")?;
        }
        write!(f, "; {}", self.strength)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C2pa => "C2PA manifest",
            Self::Xmp => "XMP",
            Self::Exif => "EXIF",
            Self::Text => "text chunk",
            Self::Pixels => "text in the alpha channel",
        })
    }
}

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AiGenerated => "AI generated the picture",
            Self::AiEdited => "AI edited the picture or made a part of it",
            Self::Algorithm => "an algorithm without training made the picture",
            Self::Camera => "a camera took the picture",
            Self::Software => "a program wrote the picture",
            Self::Nothing => "no origin is named",
        })
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed { valid: false, .. } => "signed, but the check of the signature failed",
            Self::Signed { trusted: true, .. } => "signed by someone on the trust list",
            Self::Signed { .. } => "signed, by someone who is not on the trust list",
            Self::Declared => "unsigned, anyone can write it",
            Self::CameraFields => "unsigned camera fields, anyone can write them",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_hides_nothing() {
        assert_eq!(name(" a\u{202e}\u{0}b\n"), Some("ab".to_owned()));
        assert_eq!(name("\u{200b} \0"), None);
        assert_eq!(name(&"x".repeat(1000)).map(|name| name.len()), Some(MAX_NAME));
    }

    #[test]
    fn a_claim_reads_as_a_sentence() {
        let claim = Claim::declared(Kind::Text, Says::AiGenerated, "NovelAI");
        let expected =
            "text chunk: AI generated the picture (NovelAI); unsigned, anyone can write it";
        assert_eq!(claim.to_string(), expected);
    }
}
