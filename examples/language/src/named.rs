//! What arguments name, and what users are told of it.

use std::path::Path;

use cifake::Class;
use explain::Combined;
use vlm_lora::Assistant;

/// The class called `name`: for the arguments of a program.
///
/// # Errors
///
/// What the names are.
pub fn class_named(name: &str) -> Result<Class, String> {
    match Class::from_name(name) {
        Some(class) => Ok(class),
        None => Err(format!("one of {}", Class::ALL.map(Class::as_str).join(", "))),
    }
}

/// Says where `assistant` sees through a projector that no adapter has trained.
pub fn warn_of_untrained(assistant: &mut Assistant) {
    if assistant.has_drawn_projector() {
        eprintln!(
            "warning: nothing has trained what joins the tower to the model, so that its answers \
             say nothing of the picture; give it the --adapter that was trained behind this tower"
        );
    }
}

/// Says which explainers had nothing to say of the picture at `path`, and why; returns 1 if there are any.
pub fn tell_failures(path: &Path, explainer: &Combined) -> usize {
    let failures = explainer.take_failures();
    failures.iter().for_each(|failure| eprintln!("{path:?}: {failure}"));
    usize::from(!failures.is_empty())
}

/// The name of the model in `folder`.
pub(crate) fn model_name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}
