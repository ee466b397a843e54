//! The declarations of files about their origin, beside verdicts. No verdict depends on them.

use std::sync::{Arc, OnceLock};

use anyhow::Result;
use cifake::Input;
use provenance::{CAUTION, Declarations, Reader};
use serde::Serialize;

/// Whether files are asked for their origin.
#[derive(Debug, clap::Args)]
pub(crate) struct ProvenanceArgs {
    /// Add what each file declares of its origin: texts of generators, XMP, camera fields, C2PA manifests. A declaration
    /// changes no verdict.
    #[arg(long)]
    provenance: bool,
    /// Trust signers of C2PA manifests whose certificates lead to one of these, in PEM. By default nobody is trusted.
    #[cfg(feature = "c2pa")]
    #[arg(long, value_name = "FILE.pem", requires = "provenance")]
    trust_list: Option<std::path::PathBuf>,
}

/// Asks files for their origin, or does not.
pub(crate) struct Question(Option<Arc<Reader>>);

/// The answer of one file: it is there once the file was read.
#[derive(Debug, Default)]
pub(crate) struct Declared(Option<Slot>);

/// Nothing before the file was read; then nothing if its format has no declarations.
type Slot = Arc<OnceLock<Option<Declarations>>>;

/// The answer as a field of a line of JSON: absent if the file was not asked, and `null` if it gave no answer.
#[derive(Serialize)]
pub(crate) struct Field<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Option<&'a Declarations>>,
}

impl ProvenanceArgs {
    /// The question to all files of a command.
    ///
    /// # Errors
    ///
    /// If the trust list cannot be read or holds no certificate.
    pub(crate) fn question(&self) -> Result<Question> {
        if !self.provenance {
            return Ok(Question(None));
        }
        Ok(Question(Some(Arc::new(self.reader()?))))
    }

    #[cfg(feature = "c2pa")]
    fn reader(&self) -> Result<Reader> {
        use anyhow::Context;
        let Some(path) = &self.trust_list else { return Ok(Reader::default()) };
        let pem = std::fs::read_to_string(path);
        let reader = pem
            .map_err(anyhow::Error::from)
            .and_then(|pem| Ok(Reader::default().with_trust_list(pem)?));
        reader.with_context(|| format!("--trust-list {}", path.display()))
    }

    #[cfg(not(feature = "c2pa"))]
    fn reader(&self) -> Result<Reader> {
        Ok(Reader::default())
    }
}

impl Question {
    /// True if files are asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// `input`, which answers from the bytes that its picture is decoded from, and its answer.
    pub(crate) fn ask(&self, input: Input) -> (Input, Declared) {
        let Some(reader) = self.0.clone() else { return (input, Declared::default()) };
        let slot = Slot::default();
        let answer = Declared(Some(slot.clone()));
        let input = input.with_look(move |bytes| {
            slot.get_or_init(|| reader.read(bytes).ok());
        });
        (input, answer)
    }
}

impl Declared {
    /// The answer in words, a statement each: untrusted text. It is empty if the file was not asked or not read.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self.0.as_deref().and_then(OnceLock::get) {
            None => Vec::new(),
            Some(None) => vec!["declarations in files of this format are not read".to_owned()],
            Some(Some(declarations)) => declarations.lines(),
        }
    }

    /// The lines, and what they are worth.
    pub(crate) fn section(&self) -> Vec<String> {
        let mut lines = self.lines();
        if !lines.is_empty() {
            lines.push(CAUTION.to_owned());
        }
        lines
    }

    /// The answer as data.
    pub(crate) fn field(&self) -> Field<'_> {
        let provenance = self.0.as_ref().map(|slot| slot.get().and_then(Option::as_ref));
        Field { provenance }
    }
}
