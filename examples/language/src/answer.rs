//! Streaming of an answer, with timings.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use serde_json::{Value, json};
use vlm_lora::TextStream;

/// An answer that is written as text while its tokens are generated.
pub struct Answer<'a> {
    stream: TextStream<'a>,
    out: Box<dyn Write + 'a>,
    text: String,
    n_tokens: usize,
    first: Option<Instant>,
    last: Option<Instant>,
    failed: Option<anyhow::Error>,
}

impl<'a> Answer<'a> {
    /// An answer whose tokens `stream` reads, written to `out`.
    #[must_use]
    pub fn new(stream: TextStream<'a>, out: Box<dyn Write + 'a>) -> Self {
        let text = String::new();
        Self { stream, out, text, n_tokens: 0, first: None, last: None, failed: None }
    }

    /// Adds a token. Generation stops if its text cannot be written.
    pub fn token(&mut self, token: u32) -> ControlFlow<()> {
        self.n_tokens += 1;
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        match self.write(token) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn write(&mut self, token: u32) -> anyhow::Result<()> {
        let part = self.stream.push(token)?;
        self.text += &part;
        write!(self.out, "{part}")?;
        Ok(self.out.flush()?)
    }

    /// The text, and the JSON object of `--json` for a prompt of `n_prompt` tokens.
    ///
    /// # Errors
    ///
    /// If its text could not be written.
    pub fn end(mut self, n_prompt: usize) -> anyhow::Result<(String, Value)> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let seconds = self.first.zip(self.last).map(|(first, last)| (last - first).as_secs_f64());
        let rate = seconds.filter(|s| *s > 0.0).map(|s| (self.n_tokens - 1) as f64 / s);
        let json = json!({
            "tokens": self.n_tokens, "text": self.text, "prompt_tokens": n_prompt,
            "tokens_per_second": rate, "peak_rss_mb": peak_rss_mb(),
        });
        Ok((self.text, json))
    }
}

/// Peak memory of this process in MB; `None` if the system does not provide it.
#[must_use]
pub fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kb| kb / 1000.0)
}
