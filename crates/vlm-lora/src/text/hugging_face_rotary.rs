//! The rotary embedding of a `config.json`, by `modeling_rope_utils.py` of transformers 5.24.

use serde_json::Value;

use super::config::{RotaryConfig, RotaryScaling, TextConfig};
use super::fields::{Fields, wrong};
use crate::error::Error;

/// Maximum number of positions.
pub(super) const MAX_POSITIONS: usize = 1 << 28;

/// The file's rotary embedding. If it has both forms of the stretching, the older one counts. In
/// either form, a field inside the object counts before a field beside it.
pub(super) fn rotary(
    text: Fields<'_>,
    model_type: &str,
    config: &TextConfig,
) -> Result<RotaryConfig, Error> {
    let is_some = |rope: &Fields<'_>| !rope.is_empty();
    let rope = text.object("rope_scaling").filter(is_some).or(text.object("rope_parameters"));
    let rope = rope.unwrap_or(Fields::new(&Value::Null));
    if let Some((name, value)) = rope.entries().find(|(_, value)| value.is_object()) {
        let expected = "one kind of positions for all layers".to_owned();
        return Err(wrong(&format!("rope_parameters.{name}"), value.to_string(), expected));
    }
    let theta = if model_type.starts_with("qwen2_vl") { 1e6 } else { 10_000.0 };
    let theta = text.number("rope_theta", Some(theta), 1.0..=1e12)?;
    let theta = rope.number("rope_theta", Some(theta), 1.0..=1e12)?;
    let kind = rope.get("rope_type").or(rope.get("type")).and_then(Value::as_str);
    let kind = match kind.unwrap_or("default") {
        "mrope" if model_type.starts_with("qwen2_vl") => "default",
        kind => kind,
    };
    let d_rotary = turned(text, rope, model_type, kind, config.d_head)?;
    let sections = rope.get("mrope_section").map(|value| sections(value, d_rotary)).transpose()?;
    let factor = || rope.number("factor", None, 1.0..=1e6);
    let scaling = match kind {
        "default" => RotaryScaling::None,
        "linear" => RotaryScaling::Linear { factor: factor()? },
        "llama3" => {
            let context = Some(config.max_positions);
            let name = "original_max_position_embeddings";
            let context = Some(rope.size(name, context, 1..=MAX_POSITIONS)?);
            RotaryScaling::Llama3 {
                factor: factor()?,
                low_frequency_factor: rope.number("low_freq_factor", None, 1e-3..=1e6)?,
                high_frequency_factor: rope.number("high_freq_factor", None, 1e-3..=1e6)?,
                // Beside the object it counts before the one inside.
                old_context: text.size(name, context, 1..=MAX_POSITIONS)?,
            }
        }
        other => {
            let known = "default, mrope of qwen2_vl, linear or llama3".to_owned();
            return Err(wrong("rope_type", other.to_owned(), known));
        }
    };
    Ok(RotaryConfig { theta, d_rotary, sections, scaling })
}

/// Channels of a head that are turned: Phi's are a part of them, and the other architectures know
/// no part. Transformers fails where one of these stretches positions and names a part nevertheless.
fn turned(
    text: Fields<'_>,
    rope: Fields<'_>,
    model_type: &str,
    kind: &str,
    d_head: usize,
) -> Result<usize, Error> {
    let default = if model_type == "phi" { 0.5 } else { 1.0 };
    let part = text.number("partial_rotary_factor", Some(default), 0.0..=1.0)?;
    let part = rope.number("partial_rotary_factor", Some(part), 0.0..=1.0)?;
    let (d_rotary, expected) = match model_type {
        "phi" => ((d_head as f64 * part) as usize, "an even number of turned channels"),
        _ if kind == "default" || part == 1.0 => (d_head, "heads of an even number of channels"),
        _ => (0, "none, since this architecture turns whole heads"),
    };
    match d_rotary > 0 && d_rotary.is_multiple_of(2) {
        true => Ok(d_rotary),
        false => Err(wrong("partial_rotary_factor", part.to_string(), expected.to_owned())),
    }
}

fn sections(value: &Value, d_rotary: usize) -> Result<[usize; 3], Error> {
    let parts: Option<Vec<usize>> = value.as_array().map(|parts| {
        parts
            .iter()
            .filter_map(|part| part.as_u64().and_then(|n| usize::try_from(n).ok()))
            .collect()
    });
    let parts = parts.and_then(|parts| <[usize; 3]>::try_from(parts).ok());
    let sums = |parts: &[usize; 3]| {
        parts.iter().try_fold(0usize, |sum, &n| sum.checked_add(n)) == Some(d_rotary / 2)
    };
    parts.filter(sums).ok_or_else(|| {
        let expected = format!("three numbers whose sum is {}", d_rotary / 2);
        wrong("mrope_section", value.to_string(), expected)
    })
}
