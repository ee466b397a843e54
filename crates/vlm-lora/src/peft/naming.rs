//! Layers that have one name in the checkpoint and another in the class that PEFT saw.

/// The map between PEFT's paths and those of the checkpoint: prefixes, PEFT's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naming(&'static [(&'static str, &'static str)]);

impl Naming {
    /// PEFT's paths are the checkpoint's.
    pub const CHECKPOINT: Self = Self(&[]);
    /// transformers 4.52 and later load Qwen2-VL and its kin into modules that are nested deeper than
    /// the names in the checkpoint.
    pub const NESTED: Self =
        Self(&[("model.language_model.", "model."), ("model.visual.", "visual.")]);

    /// transformers 5 loads PaliGemma into modules of other places than the names in the checkpoint.
    pub const PALIGEMMA: Self = Self(&[
        ("model.language_model.", "language_model.model."),
        ("model.vision_tower.", "vision_tower.vision_model."),
        ("model.multi_modal_projector.", "multi_modal_projector."),
        ("lm_head", "language_model.lm_head"),
    ]);

    /// All that are tried when an adapter is attached, in this order.
    pub(crate) const ALL: [Self; 3] = [Self::CHECKPOINT, Self::NESTED, Self::PALIGEMMA];

    /// The checkpoint's path of PEFT's `path`; `None` where the naming has no place for it.
    pub(crate) fn to_checkpoint(self, path: &str) -> Option<String> {
        if self.0.is_empty() {
            return Some(path.to_owned());
        }
        let named = |(peft, ours): &(&str, &str)| {
            path.strip_prefix(peft).map(|rest| format!("{ours}{rest}"))
        };
        // The output head stands beside the nested model.
        let beside = || (!path.starts_with("model.")).then(|| path.to_owned());
        self.0.iter().find_map(named).or_else(beside)
    }

    /// PEFT's path of the checkpoint's `path`.
    pub(crate) fn to_peft(self, path: &str) -> String {
        let named = |(peft, ours): &(&str, &str)| {
            path.strip_prefix(ours).map(|rest| format!("{peft}{rest}"))
        };
        self.0.iter().find_map(named).unwrap_or_else(|| path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_meet() {
        let qwen = ["model.layers.0.mlp.up_proj", "visual.blocks.0.attn.qkv", "lm_head"];
        let pali = [
            "language_model.model.layers.0.mlp.up_proj",
            "vision_tower.vision_model.encoder.layers.0.mlp.fc1",
            "multi_modal_projector.linear",
            "language_model.lm_head",
        ];
        let namings = [Naming::CHECKPOINT, Naming::NESTED].map(|naming| (naming, &qwen[..]));
        for (naming, paths) in namings.into_iter().chain([(Naming::PALIGEMMA, &pali[..])]) {
            for path in paths {
                let peft = naming.to_peft(path);
                assert_eq!(naming.to_checkpoint(&peft).as_deref(), Some(*path));
            }
        }
        assert_eq!(Naming::NESTED.to_peft("visual.a"), "model.visual.a");
        assert_eq!(Naming::NESTED.to_checkpoint("model.layers.0.a"), None);
    }
}
