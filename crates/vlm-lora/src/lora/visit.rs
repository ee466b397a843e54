//! Walking over the layers of a model.

use super::target::{Selection, is_part_of};
use crate::error::AdapterError;
use crate::nn::{Linear, LoraTargets};

/// Calls `visit` with every layer until it fails.
pub(crate) fn try_visit(
    model: &mut dyn LoraTargets,
    mut visit: impl FnMut(&mut Linear) -> Result<(), AdapterError>,
) -> Result<(), AdapterError> {
    let mut result = Ok(());
    model.visit_linears(&mut |linear| {
        if result.is_ok() {
            result = visit(linear);
        }
    });
    result
}

/// Whether every entry of `modules_to_save` names a layer of `model`, `path_of` its path to PEFT.
pub(crate) fn check_saved(
    selection: &Selection,
    model: &mut dyn LoraTargets,
    path_of: impl Fn(&str) -> String,
) -> Result<(), AdapterError> {
    let mut missing: Vec<&String> = selection.saved().iter().collect();
    model.visit_linears(&mut |linear| {
        let path = path_of(linear.path());
        missing.retain(|name| !is_part_of(&path, name));
    });
    match missing.first() {
        Some(&name) => Err(AdapterError::ModuleToSave { name: name.clone() }),
        None => Ok(()),
    }
}
