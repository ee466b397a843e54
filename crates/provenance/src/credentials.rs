//! The C2PA manifests of a file and what their check has found.

use std::fmt;

use serde::Serialize;

/// The C2PA manifests of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum Credentials {
    /// The file holds no manifest.
    None,
    /// The file may hold a manifest; this build, without the feature `c2pa`, does not read it.
    NotRead,
    /// The manifest stands elsewhere. It is not fetched.
    Remote {
        /// Its address: untrusted text.
        url: String,
    },
    /// The file holds a manifest that cannot be read, or a container that must not be searched for one.
    Unreadable {
        /// The reader's words.
        reason: String,
    },
    /// The file holds manifests that were read and checked.
    Read(Manifests),
}

/// Manifests that were read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Manifests {
    /// Program that made the last manifest, as it names itself: untrusted text.
    pub generator: Option<String>,
    /// Owner of the certificate that signed the last manifest.
    pub signer: Option<String>,
    /// Signature and picture are as they were when they were signed, for every manifest. A signer who is
    /// not on the trust list does not change this.
    pub valid: bool,
    /// The certificate leads to a root of the caller's trust list.
    pub trusted: bool,
    /// Everything that the check found fault with.
    pub problems: Vec<Problem>,
    /// IPTC's digital source types in the last manifest, without their address.
    pub source_types: Vec<String>,
    /// The same for all manifests, those of earlier versions and of pasted pictures included.
    pub all_source_types: Vec<String>,
}

/// A fault that the check of a manifest found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// Its code in the C2PA specification, such as `assertion.dataHash.mismatch`.
    pub code: String,
    /// Its meaning.
    pub nature: Nature,
}

/// The meaning of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Nature {
    /// Picture, statement or signature were changed after signing.
    Tampered,
    /// The signer is not on the trust list. The file may be as it was.
    Untrusted,
    /// The certificate was not valid at the time that counts. The file may be as it was.
    Expired,
    /// The certificate was withdrawn.
    Revoked,
    /// The manifest breaks a rule of its format.
    Malformed,
}

impl Problem {
    /// The fault with the code `code`.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self { code: code.to_owned(), nature: Nature::of(code) }
    }
}

impl Nature {
    /// The meaning of a code of the C2PA specification.
    fn of(code: &str) -> Self {
        if code.ends_with(".mismatch") {
            Self::Tampered
        } else if code.ends_with(".untrusted") {
            Self::Untrusted
        } else if code.ends_with(".expired") || code.ends_with(".outsideValidity") {
            Self::Expired
        } else if code.ends_with(".revoked") {
            Self::Revoked
        } else {
            Self::Malformed
        }
    }
}

/// On lines of their own: the state of the manifests, then each fault.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("the file holds no C2PA manifest"),
            Self::NotRead => f.write_str(
                "a C2PA manifest may be there, but this program was built without the reader of them",
            ),
            Self::Remote { url } => {
                write!(f, "the C2PA manifest stands at {url} and was not fetched")
            }
            Self::Unreadable { reason } => {
                write!(f, "C2PA manifests cannot be read from the file: {reason}")
            }
            Self::Read(manifests) => manifests.fmt(f),
        }
    }
}

impl fmt::Display for Manifests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.valid, self.trusted) {
            (true, true) => "the C2PA manifest is valid, and its signer is on the trust list",
            (true, false) => "the C2PA manifest is valid, but nobody on the trust list signed it",
            (false, _) => "the C2PA manifest is not valid",
        })?;
        if let Some(signer) = &self.signer {
            write!(f, "; it was signed by {signer}")?;
        }
        for problem in &self.problems {
            write!(f, "\nC2PA manifest: {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.nature {
            Nature::Tampered => "the file was changed after signing",
            Nature::Untrusted => "the signer is not on the trust list",
            Nature::Expired => "the certificate was not valid at that time",
            Nature::Revoked => "the certificate was withdrawn",
            Nature::Malformed => "the manifest breaks a rule",
        };
        write!(f, "{meaning} ({})", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_is_told_from_a_stranger_and_from_an_old_certificate() {
        for (code, nature) in [
            ("assertion.dataHash.mismatch", Nature::Tampered),
            ("assertion.hashedURI.mismatch", Nature::Tampered),
            ("claimSignature.mismatch", Nature::Tampered),
            ("signingCredential.untrusted", Nature::Untrusted),
            ("cawg.x509.credential.untrusted", Nature::Untrusted),
            ("signingCredential.expired", Nature::Expired),
            ("claimSignature.outsideValidity", Nature::Expired),
            ("signingCredential.ocsp.revoked", Nature::Revoked),
            ("claim.malformed", Nature::Malformed),
        ] {
            assert_eq!(Problem::of(code).nature, nature, "{code}");
        }
    }
}
