//! Chat template of a model.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vlm_lora::{Assistant, ChatTemplate};

/// Maximum bytes of a template.
const MAX_BYTES: u64 = 1 << 20;

/// Replacement of a model's chat template.
#[derive(Debug, Clone, clap::Args)]
pub struct TemplateArgs {
    /// Chat template instead of the model's own: a file, or `chatml`.
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
}

impl TemplateArgs {
    /// `assistant` with the template, if one is given.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn given(&self, assistant: Assistant) -> Result<Assistant> {
        let template = match self.chat_template.as_deref() {
            None => return Ok(assistant),
            Some(name) if name == Path::new("chatml") => ChatTemplate::chat_ml(),
            Some(file) => {
                let bytes = cifake::file::read_limited(file, MAX_BYTES)?;
                let text = String::from_utf8(bytes).context("--chat-template is not UTF-8 text")?;
                ChatTemplate::new(&text)
            }
        };
        Ok(assistant.with_template(template))
    }
}
