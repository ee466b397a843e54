//! Names in arguments, and warnings to the user.

use std::path::Path;

use cifake::Class;
use cifake::text::{one_line, path_text};
use explain::Combined;
use vlm_lora::Assistant;

/// The class called `name`: for the arguments of a program.
///
/// # Errors
///
/// Lists the known names.
pub fn class_named(name: &str) -> Result<Class, String> {
    match Class::from_name(name) {
        Some(class) => Ok(class),
        None => Err(format!("one of {}", Class::ALL.map(Class::as_str).join(", "))),
    }
}

/// Warns if `assistant` has a projector that no adapter has trained.
pub fn warn_of_untrained(assistant: &mut Assistant) {
    if assistant.has_untrained_projector() {
        eprintln!(
            "warning: the projector between tower and model is untrained, so answers do not depend on \
             the picture; pass the --adapter that was trained behind this tower"
        );
    }
}

/// Prints the failures of explainers for the picture at `path`. Returns 1 if there are any.
pub fn tell_failures(path: &Path, explainer: &Combined) -> usize {
    let failures = explainer.take_failures();
    let name = path_text(path);
    failures.iter().for_each(|failure| eprintln!("{}", one_line(&format!("{name}: {failure}"))));
    usize::from(!failures.is_empty())
}

/// The name of the model in `folder`.
pub(crate) fn model_name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}
