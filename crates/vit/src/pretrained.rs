//! Weights under published names.

use std::collections::BTreeMap;

use burn::tensor::{Device, TensorData};
use cifake::Error;
use cifake::weights::{Checkpoint, Mapping, Source, encode};

use crate::resample::resample_table;
use crate::{Vit, VitConfig};

/// The library whose names the weights of a file have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// timm's and facebookresearch/dinov2's: `blocks.0.attn.qkv.weight`.
    Timm,
    /// Hugging Face's ViT and DINOv2: `vit.encoder.layer.0.attention.attention.query.weight`.
    HuggingFaceVit,
    /// OpenAI's and open_clip's CLIP: `visual.transformer.resblocks.0.attn.in_proj_weight`, also without `visual.`.
    OpenAi,
    /// Hugging Face's CLIP: `vision_model.encoder.layers.0.self_attn.q_proj.weight`.
    HuggingFaceClip,
}

/// The weight of a linear map that a file holds as `[in, out]`.
const TRANSPOSED: &str = "projection.transposed";

impl Naming {
    /// The naming of `checkpoint`, `None` where it holds no vision transformer that is known.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        let shapes = checkpoint.shapes();
        let has = |key: &str| shapes.contains_key(key);
        match () {
            () if has("patch_embed.proj.weight") => Some(Self::Timm),
            () if has("visual.conv1.weight") || has("conv1.weight") && has("class_embedding") => {
                Some(Self::OpenAi)
            }
            () if has("vision_model.embeddings.patch_embedding.weight") => {
                Some(Self::HuggingFaceClip)
            }
            () => {
                let patch = "embeddings.patch_embeddings.projection.weight";
                let found =
                    ["", "vit.", "dinov2."].iter().any(|base| has(&format!("{base}{patch}")));
                found.then_some(Self::HuggingFaceVit)
            }
        }
    }

    /// The name of a classifier's weight, `[classes, dim]`, before `.weight`.
    fn head(self) -> &'static str {
        match self {
            Self::Timm => "head",
            _ => "classifier",
        }
    }

    /// Prefixes of names that are no weights of the tower: text towers, classifiers, parts that training alone uses.
    fn beside(self) -> &'static [&'static str] {
        match self {
            Self::Timm => &["head.", "mask_token"],
            Self::HuggingFaceVit => &[
                "classifier.",
                "vit.pooler.",
                "pooler.",
                "embeddings.mask_token",
                "vit.embeddings.mask_token",
                "dinov2.embeddings.mask_token",
            ],
            Self::OpenAi => &[
                "token_embedding.",
                "text.",
                "text_projection",
                "ln_final.",
                "logit_scale",
                "logit_bias",
                "input_resolution",
                "context_length",
                "vocab_size",
            ],
            Self::HuggingFaceClip => &[
                "text_model.",
                "text_projection.",
                "logit_scale",
                "vision_model.embeddings.position_ids",
            ],
        }
    }

    /// Whether `key` is no weight of the tower. OpenAI's text tower has the names of the vision tower without
    /// their prefix.
    fn is_beside(self, key: &str, prefixed: bool) -> bool {
        let of_text = ["transformer.", "positional_embedding"];
        self.beside().iter().any(|start| key.starts_with(start))
            || (self == Self::OpenAi && prefixed && of_text.iter().any(|s| key.starts_with(s)))
    }

    /// To this crate's names, which are timm's; queries, keys and values that stand alone are `attn.q` and so on.
    fn mapping(self) -> Mapping<'static> {
        let renames: &'static [(&'static str, &'static str)] = match self {
            Self::Timm => &[],
            Self::HuggingFaceVit => &[
                (r"^(vit|dinov2)\.", ""),
                (r"^embeddings\.cls_token$", "cls_token"),
                (r"^embeddings\.position_embeddings$", "pos_embed"),
                (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
                (r"^encoder\.layer\.", "blocks."),
                (r"\.attention\.attention\.query\.", ".attn.q."),
                (r"\.attention\.attention\.key\.", ".attn.k."),
                (r"\.attention\.attention\.value\.", ".attn.v."),
                (r"\.attention\.output\.dense\.", ".attn.proj."),
                (r"\.layernorm_before\.", ".norm1."),
                (r"\.layernorm_after\.", ".norm2."),
                (r"\.intermediate\.dense\.", ".mlp.fc1."),
                (r"\.output\.dense\.", ".mlp.fc2."),
                (r"\.layer_scale([12])\.lambda1$", ".ls${1}.gamma"),
                (r"^layernorm\.", "norm."),
            ],
            Self::OpenAi => &[
                (r"^visual\.", ""),
                (r"^class_embedding$", "cls_token"),
                (r"^positional_embedding$", "pos_embed"),
                (r"^proj$", TRANSPOSED),
                (r"^conv1\.", "patch_embed.proj."),
                (r"^ln_pre\.", "norm_pre."),
                (r"^ln_post\.", "norm."),
                (r"^transformer\.resblocks\.", "blocks."),
                (r"\.ln_([12])\.", ".norm${1}."),
                (r"\.attn\.in_proj_", ".attn.qkv."),
                (r"\.attn\.out_proj\.", ".attn.proj."),
                (r"\.mlp\.c_fc\.", ".mlp.fc1."),
                (r"\.mlp\.c_proj\.", ".mlp.fc2."),
            ],
            Self::HuggingFaceClip => &[
                (r"^visual_projection\.", "projection."),
                (r"^vision_model\.", ""),
                (r"^embeddings\.class_embedding$", "cls_token"),
                (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
                (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
                (r"^pre_layrnorm\.", "norm_pre."),
                (r"^post_layernorm\.", "norm."),
                (r"^encoder\.layers\.", "blocks."),
                (r"\.layer_norm([12])\.", ".norm${1}."),
                (r"\.self_attn\.([qkv])_proj\.", ".attn.${1}."),
                (r"\.self_attn\.out_proj\.", ".attn.proj."),
            ],
        };
        Mapping { renames, ..Mapping::PYTORCH }
    }
}

impl VitConfig {
    /// A network of this configuration with the weights in `source`, a safetensors file or a PyTorch pickle
    /// under any [`Naming`]. Classifiers and text towers are left out. A table of positions of another side is
    /// resampled as the configuration says.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`] and of [`load_checkpoint`](Self::load_checkpoint).
    pub fn load<'a>(&self, source: impl Into<Source<'a>>, device: &Device) -> Result<Vit, Error> {
        self.load_checkpoint(&Checkpoint::open(source.into())?, device)
    }

    /// As [`load`](Self::load), from a file that is open.
    ///
    /// # Errors
    /// [`Error::WeightConfig`] for a file that holds no vision transformer, or a configuration that is not valid;
    /// those of [`Checkpoint::load_into`] for weights that are missing, of another shape or too many.
    pub fn load_checkpoint(&self, checkpoint: &Checkpoint, device: &Device) -> Result<Vit, Error> {
        let broken = |reason: String| {
            let path = checkpoint.path().to_owned();
            Error::WeightConfig { path, reason }
        };
        self.validate().map_err(broken)?;
        let naming = Naming::of(checkpoint).ok_or_else(|| {
            broken("its names are none of timm's, Hugging Face's, OpenAI's or DINOv2's".to_owned())
        })?;
        let tensors = self.converted(checkpoint, naming);
        let bytes = encode(&tensors.into_iter().collect::<Vec<_>>(), &BTreeMap::new());
        let name = checkpoint.path().display().to_string();
        let converted = Checkpoint::open(Source::Bytes { name: &name, bytes: &bytes })?;
        let mut network = self.build(device);
        converted.load_into(&mut network, &Mapping::PYTORCH)?;
        Ok(network)
    }

    /// The tower's tensors of a file under this crate's names, fused and of its shapes.
    fn converted(&self, checkpoint: &Checkpoint, naming: Naming) -> BTreeMap<String, TensorData> {
        let mapping = naming.mapping();
        let shapes = checkpoint.shapes();
        let prefixed = shapes.contains_key("visual.conv1.weight");
        let kept = shapes.keys().filter(|key| !naming.is_beside(key, prefixed));
        let mut tensors: BTreeMap<String, TensorData> =
            kept.filter_map(|key| Some((mapping.rename(key), checkpoint.tensor(key)?))).collect();
        fuse(&mut tensors);
        if let Some(data) = tensors.remove(TRANSPOSED) {
            tensors.insert("projection.weight".to_owned(), transposed(data));
        }
        for key in ["cls_token", "pos_embed"] {
            if let Some(data) = tensors.remove(key) {
                tensors.insert(key.to_owned(), self.positions(data));
            }
        }
        tensors
    }

    /// A class token or a table of positions, `[.., tokens, dim]`, as `[1, tokens, dim]`; a square table of another
    /// side is resampled. A table that fits nothing is left to the strict comparison.
    fn positions(&self, data: TensorData) -> TensorData {
        let shape: Vec<usize> = data.shape().to_vec();
        let n_values: usize = shape.iter().product();
        let n_tokens = n_values / self.dim;
        if shape.last() != Some(&self.dim) || n_tokens * self.dim != n_values {
            return data;
        }
        let values = data.try_to_vec::<f32>().expect("a checkpoint holds its floats as f32");
        let first = usize::from(self.class_token);
        let n_patches = n_tokens.saturating_sub(first);
        let (from, to) = (n_patches.isqrt(), self.grid());
        if n_tokens <= first || from * from != n_patches || from == to {
            return TensorData::new(values, [1, n_tokens, self.dim]);
        }
        let (class, table) = values.split_at(first * self.dim);
        let table = resample_table(table, [from, to], self.dim, self.interpolation);
        TensorData::new([class, &table].concat(), [1, first + to * to, self.dim])
    }
}

/// Puts `attn.q`, `attn.k` and `attn.v` of each block together where all three are there.
fn fuse(tensors: &mut BTreeMap<String, TensorData>) {
    let alone = |key: &&String| key.contains(".attn.q.");
    let queries: Vec<String> = tensors.keys().filter(alone).cloned().collect();
    for query in queries {
        let parts =
            ["q", "k", "v"].map(|part| query.replace(".attn.q.", &format!(".attn.{part}.")));
        if !parts.iter().all(|key| tensors.contains_key(key)) {
            continue;
        }
        let parts = parts.map(|key| tensors.remove(&key).expect("it is there"));
        let mut shape: Vec<usize> = parts[0].shape().to_vec();
        if let Some(rows) = shape.first_mut() {
            *rows = parts.iter().filter_map(|part| part.shape().first().copied()).sum();
        }
        let values = |data: TensorData| data.try_to_vec::<f32>().expect("floats are in f32");
        let values = parts.map(values).concat();
        if values.len() == shape.iter().product::<usize>() {
            let key = query.replace(".attn.q.", ".attn.qkv.");
            tensors.insert(key, TensorData::new(values, shape));
        }
    }
}

/// A matrix on its side; anything else stays for the strict comparison to find.
fn transposed(data: TensorData) -> TensorData {
    let shape: Vec<usize> = data.shape().to_vec();
    let [rows, columns] = shape[..] else { return data };
    let values = data.try_to_vec::<f32>().expect("a checkpoint holds its floats as f32");
    let value = |at: usize| values[at % rows * columns + at / rows];
    TensorData::new((0..rows * columns).map(value).collect::<Vec<f32>>(), [columns, rows])
}

/// Weight, `[classes, dim]`, and bias of the classifier in a published file, `None` where it has none.
#[must_use]
pub fn published_head(checkpoint: &Checkpoint) -> Option<[TensorData; 2]> {
    let head = Naming::of(checkpoint)?.head();
    let tensor = |name: &str| checkpoint.tensor(&format!("{head}.{name}"));
    Some([tensor("weight")?, tensor("bias")?])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cifake::weights::{Precision, to_bytes};

    use super::*;

    /// Names and shapes of timm's networks and of open_clip's model with both towers.
    const PUBLISHED: [(&str, Naming, &str); 3] = [
        (
            "vit_base_patch16_224",
            Naming::Timm,
            include_str!("../tests/fixtures/vit_base_patch16_224.keys.txt"),
        ),
        ("dinov2_vitl14", Naming::Timm, include_str!("../tests/fixtures/dinov2_vitl14.keys.txt")),
        (
            "clip_vit_large_patch14",
            Naming::OpenAi,
            include_str!("../tests/fixtures/clip_vit_large_patch14.keys.txt"),
        ),
    ];

    #[test]
    fn names_and_sizes_of_published_networks_are_the_presets() {
        for (name, naming, list) in PUBLISHED {
            let published = VitConfig::preset(name).expect("it is a preset");
            let rows = list.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
            let rows: Vec<_> = rows.filter(|(key, _)| !naming.is_beside(key, true)).collect();
            let mapping = naming.mapping();
            let theirs: BTreeSet<String> = rows
                .iter()
                .map(|(key, _)| mapping.rename(key).replace(TRANSPOSED, "projection.weight"))
                .collect();
            let narrow = VitConfig { side: 1, patch: 1, dim: 2, n_heads: 1, d_mlp: 2, ..published };
            let network = narrow.build(&Device::flex());
            let bytes = to_bytes(&network, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32);
            let bytes = bytes.expect("it is small");
            let source = Source::Bytes { name: "narrow", bytes: &bytes };
            let checkpoint = Checkpoint::open(source).expect("it was just written");
            let ours = checkpoint.shapes().into_keys().map(str::to_owned).collect();
            assert_eq!(theirs, ours, "{name}");
            let n_values = |shape: &str| -> u64 {
                shape.split('x').map(|n| n.parse::<u64>().unwrap_or(1)).product()
            };
            let all: u64 = rows.iter().map(|(_, shape)| n_values(shape)).sum();
            let published = VitConfig::preset(name).expect("it is a preset");
            assert_eq!(published.n_values(), all, "{name}");
        }
    }

    #[test]
    fn a_matrix_is_turned() {
        let data = TensorData::new(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        let turned = TensorData::new(vec![1.0f32, 4.0, 2.0, 5.0, 3.0, 6.0], [3, 2]);
        transposed(data).assert_eq(&turned, true);
    }
}
