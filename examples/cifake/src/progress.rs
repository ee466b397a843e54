//! Progress on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for work over many pictures.
///
/// # Errors
///
/// Never: its template is fixed.
pub fn progress_bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} | {msg} | {eta} to go")?;
    Ok(ProgressBar::new(0).with_style(style))
}
