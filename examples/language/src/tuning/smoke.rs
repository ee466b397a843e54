//! A tiny model and two conversations, for `--smoke`.

use std::path::Path;

use super::TuneArgs;

/// A recipe of a few steps.
const RECIPE: &str = r#"{"learning_rate": 0.01, "epochs": 2, "accumulation": 2, "checkpoint_steps": 1,
    "lora": {"r": 2, "lora_alpha": 4, "target_modules": "all-linear"}}"#;
const DATA: &str = r#"
{"conversations": [{"from": "human", "value": "a or b?"}, {"from": "gpt", "value": "a."}]}
{"messages": [{"role": "user", "content": "b or a?"}, {"role": "assistant", "content": "b."}]}
{"messages": [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "a."}]}
"#;

/// `args` with what is trained in `folder`.
pub(super) fn args(args: TuneArgs, folder: &Path) -> anyhow::Result<TuneArgs> {
    let [data, recipe, out] = ["data.jsonl", "recipe.json", "run"].map(|name| folder.join(name));
    std::fs::write(&data, DATA)?;
    std::fs::write(&recipe, RECIPE)?;
    crate::tiny::write_model(folder)?;
    Ok(TuneArgs {
        model: Some(folder.to_owned()),
        data: vec![data],
        out,
        recipe: recipe.to_string_lossy().into_owned(),
        held_out: 0.34,
        ..args
    })
}
