//! The settings line of AUTOMATIC1111's web UI, which many programs write: Forge, reForge, Forge Neo,
//! SD.Next, Fooocus, ComfyUI's savers.
//!
//! It stands in the PNG text `parameters` or in EXIF's `UserComment`, behind the prompts:
//! `Steps: 20, Sampler: Euler a, Seed: 1, Model hash: 0f, Model: NAME, Version: v1.10.1`.

use super::generator::by;
use crate::claim::{Claim, Says};
use crate::contents::Contents;

/// The beginning of the settings line.
const STEPS: &str = "Steps: ";

/// Settings of which a line holds at least one: `Steps: 3` alone also stands in recipes.
const OTHERS: &[&str] = &["Sampler", "Seed", "CFG scale", "Model", "Model hash"];

/// Settings of a line that are read; no program writes as many.
const MAX_SETTINGS: usize = 256;

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let comments = contents.texts.iter().filter(|text| {
        ["parameters", "UserComment", "ImageDescription", "Comment"].contains(&text.key.as_str())
    });
    comments
        .filter_map(|text| {
            let settings = settings(&text.value)?;
            let get = |name| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            let program = program(get("App"), get("Version"));
            let by = by(&program, get("Model"), get("Model hash"));
            Some(Claim::declared(text.place, Says::AiGenerated, &by))
        })
        .collect()
}

/// Names and values of the last settings line.
fn settings(text: &str) -> Option<Vec<(&str, &str)>> {
    let line = text.lines().rev().find_map(|line| {
        let line = line.trim_start();
        let steps = line.strip_prefix(STEPS)?;
        steps.starts_with(|c: char| c.is_ascii_digit()).then_some(line)
    })?;
    let settings: Vec<_> = fields(line).filter_map(|field| field.split_once(": ")).collect();
    settings.iter().any(|(key, _)| OTHERS.contains(key)).then_some(settings)
}

/// The parts of a line between commas that stand in no quotes.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = line.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    });
    parts.map(str::trim).take(MAX_SETTINGS)
}

/// The program by the name that it gives itself, or by the form of its version.
fn program(app: Option<&str>, version: Option<&str>) -> String {
    if let Some(app) = app {
        return app.to_owned();
    }
    let version = version.unwrap_or_default();
    let number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if version.starts_with("Fooocus") || version.starts_with("ComfyUI") {
        version.to_owned()
    } else if version.starts_with("neo") {
        "Forge Neo".to_owned()
    } else if version.strip_prefix('f').is_some_and(number) {
        "Stable Diffusion web UI Forge".to_owned()
    } else {
        "Stable Diffusion web UI".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_settings_line_counts_and_quotes_hold_commas() {
        let text = "a prompt\nSteps: 1, Seed: 1\nNegative prompt: b\n\
                    Steps: 20, Lora hashes: \"a: 1, Model: \\\"x, y\", Model hash: 0f, Model: m";
        let settings = settings(text).expect("a settings line");
        assert_eq!(settings.len(), 4);
        assert_eq!(settings[3], ("Model", "m"));
    }

    #[test]
    fn prose_is_no_settings_line() {
        for text in ["Steps: 3", "Steps: three, Seed: pumpkin", "The Steps: 3, Seed: 1", ""] {
            assert_eq!(settings(text), None, "{text}");
        }
    }

    #[test]
    fn a_program_is_known_by_its_version() {
        assert_eq!(program(Some("SD.Next"), Some("56a8aea")), "SD.Next");
        assert_eq!(program(None, Some("f1.0.0v2-v1.10.1")), "Stable Diffusion web UI Forge");
        assert_eq!(program(None, Some("neo")), "Forge Neo");
        assert_eq!(program(None, Some("Fooocus v2.5.5")), "Fooocus v2.5.5");
        assert_eq!(program(None, Some("v1.10.1")), "Stable Diffusion web UI");
        assert_eq!(program(None, None), "Stable Diffusion web UI");
    }
}
