//! The names and the order of the weights of transformers in llama.cpp: `gguf-py/gguf/tensor_mapping.py` and
//! `LlamaModel.permute` of `convert_hf_to_gguf.py`.

use super::header::{Header, Value};

const LAYER: &[(&str, &str)] = &[
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
];

/// llama.cpp's name of the weight that transformers calls `name`.
pub(super) fn of(name: &str) -> Option<String> {
    let (path, kind) = name.rsplit_once('.')?;
    let path = match path {
        "model.embed_tokens" => "token_embd".to_owned(),
        "model.norm" => "output_norm".to_owned(),
        "lm_head" => "output".to_owned(),
        layer => {
            let (index, part) = layer.strip_prefix("model.layers.")?.split_once('.')?;
            let (_, part) = LAYER.iter().find(|(theirs, _)| *theirs == part)?;
            format!("blk.{index}.{part}")
        }
    };
    Some(format!("{path}.{kind}"))
}

/// The heads whose rows are reordered in `name`, if they are: queries and keys of the architecture `llama`.
pub(super) fn turned_heads(name: &str, header: &Header) -> Option<usize> {
    let llama =
        header.metadata.get("general.architecture").and_then(Value::as_str) == Some("llama");
    let count = |key: &str| header.metadata.get(key).and_then(Value::as_size).filter(|&n| n > 0);
    let n_heads = count("llama.attention.head_count")?;
    let n_kv_heads = count("llama.attention.head_count_kv").unwrap_or(n_heads);
    match name {
        _ if !llama => None,
        name if name.contains(".q_proj.") => Some(n_heads),
        name if name.contains(".k_proj.") => Some(n_kv_heads),
        _ => None,
    }
}

/// The rows of `bytes` in the order of transformers: llama.cpp has the channels that are turned together
/// side by side, transformers half a head apart.
pub(super) fn unturned(bytes: &[u8], n_rows: usize, n_heads: usize) -> Vec<u8> {
    let row = bytes.len() / n_rows;
    let half = n_rows / n_heads / 2;
    let mut out = Vec::with_capacity(bytes.len());
    for head in bytes.chunks_exact((row * n_rows / n_heads).max(1)) {
        for part in 0..2 {
            for i in 0..half {
                out.extend_from_slice(&head[(2 * i + part) * row..][..row]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_llama_cpp() {
        assert_eq!(of("model.embed_tokens.weight").as_deref(), Some("token_embd.weight"));
        let name = "model.layers.12.self_attn.k_proj.bias";
        assert_eq!(of(name).as_deref(), Some("blk.12.attn_k.bias"));
        assert_eq!(of("model.layers.1.mlp.experts.weight"), None);
        assert_eq!(of("weight"), None);
    }

    #[test]
    fn rows_go_back_to_where_transformers_has_them() {
        // Two heads of four rows of one byte.
        let turned = [0, 2, 1, 3, 4, 6, 5, 7];
        assert_eq!(unturned(&turned, 8, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
