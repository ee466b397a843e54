//! Names of rows and of their files.

/// Longest name of a row, in characters.
pub(super) const MAX_NAME: usize = 100;

/// The name of the file of the row called `name`; `None` where the name is too long or has dots alone.
pub(super) fn file_name(name: &str) -> Option<String> {
    let is_short = name.chars().count() <= MAX_NAME;
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._+@".contains(c) { c } else { '-' };
    let stem: String = name.trim_start_matches('.').chars().map(plain).collect();
    (is_short && !stem.is_empty()).then(|| format!("{stem}.json"))
}
