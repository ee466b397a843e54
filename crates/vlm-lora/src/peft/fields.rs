//! The fields of PEFT's configuration that have no counterpart here: what is refused, what is ignored,
//! what is written.

use serde_json::Value;

use crate::error::AdapterError;

/// PEFT's fields for the features that this crate does not have, and their values when off.
pub(super) const FIXED: &[(&str, &str)] = &[
    ("auto_mapping", "null"),
    ("bias", "\"none\""),
    ("corda_config", "null"),
    ("eva_config", "null"),
    ("fan_in_fan_out", "false"),
    ("inference_mode", "true"),
    ("init_lora_weights", "true"),
    ("layer_replication", "null"),
    ("loftq_config", "{}"),
    ("lora_bias", "false"),
    ("megatron_config", "null"),
    ("megatron_core", "\"megatron.core\""),
    ("peft_type", "\"LORA\""),
    ("qalora_group_size", "16"),
    ("target_parameters", "null"),
    ("trainable_token_indices", "null"),
    ("use_dora", "false"),
    ("use_qalora", "false"),
];

/// Fields whose value changes no number: notes, and how the matrices were drawn.
const NOTES: &[&str] = &[
    "auto_mapping",
    "corda_config",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "lora_ga_config",
    "megatron_config",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "runtime_config",
];

/// Fields of [`LoraConfig`] itself.
const OWN: &[&str] = &[
    "r",
    "lora_alpha",
    "lora_dropout",
    "use_rslora",
    "target_modules",
    "exclude_modules",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "layers_to_transform",
    "layers_pattern",
    "base_model_name_or_path",
    "revision",
    "task_type",
];

/// Refuses a field that would change the numbers.
pub(super) fn refuse_unsupported(name: &str, value: &Value) -> Result<(), AdapterError> {
    let hint = match name {
        _ if OWN.contains(&name) || NOTES.contains(&name) => return Ok(()),
        "peft_type" if value == "LORA" => return Ok(()),
        "bias" if value == "none" => return Ok(()),
        "peft_type" => "only LORA is",
        "bias" => "only \"none\" is",
        // These three draw A alone; the others also change the base model's weights.
        "init_lora_weights" => match value {
            Value::Bool(_) | Value::Null => return Ok(()),
            Value::String(word) if ["gaussian", "eva", "orthogonal"].contains(&word.as_str()) => {
                return Ok(());
            }
            _ => "convert the adapter with PEFT so that it stands on the unchanged base model",
        },
        _ if is_off(value) => return Ok(()),
        _ => "merge such an adapter with PEFT, or train it without",
    };
    let (field, value) = (shortened(name), shortened(&value.to_string()));
    Err(AdapterError::Unsupported { field, value, hint })
}

/// Whether `value` is one that PEFT writes for a feature that is not used.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Whole numbers without a decimal point, which is how PEFT writes them.
pub(super) fn as_python_would(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(k, v)| (k, as_python_would(v))).collect())
        }
        // The dropout alone is 0.0 in PEFT's files; JSON readers take 0 as well.
        Value::Number(number) => match number.as_f64() {
            Some(x) if x.fract() == 0.0 && x.abs() < 1e9 => Value::from(x as i64),
            _ => Value::Number(number),
        },
        other => other,
    }
}

/// The first characters of a text that may be of any length and hold anything.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
