//! The graphs of ComfyUI: `prompt`, which was run, and `workflow`, which the page shows.
//!
//! PNG has a text for each. JPEG and WebP keep them in EXIF, as `prompt:{...}` in the fields of the
//! camera's maker and model or of the description.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::generator::{Maybe, by, object};
use crate::claim::{Claim, Kind, Says};
use crate::contents::{Contents, Text};

/// Inputs of a node that name the model.
#[derive(Default, Deserialize)]
struct Inputs {
    #[serde(default)]
    ckpt_name: Maybe,
    #[serde(default)]
    unet_name: Maybe,
}

/// A node of the graph that was run.
#[derive(Deserialize)]
struct Node {
    class_type: String,
    #[serde(default)]
    inputs: Inputs,
}

/// A node of the graph that is shown.
#[derive(Deserialize)]
struct ShownNode {
    #[serde(rename = "type")]
    _type: String,
}

#[derive(Deserialize)]
struct Workflow {
    nodes: ShownNodes,
}

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    contents.texts.iter().filter_map(claim).collect()
}

fn claim(text: &Text) -> Option<Claim> {
    let (key, graph) = match text.place {
        Kind::Exif => text.value.split_once(':')?,
        _ => (text.key.as_str(), text.value.as_str()),
    };
    let model = match key.trim().to_ascii_lowercase().as_str() {
        "prompt" => object::<Graph>(graph).filter(|graph| graph.n_nodes > 0)?.model,
        "workflow" => {
            object::<Workflow>(graph).filter(|workflow| workflow.nodes.0 > 0)?;
            None
        }
        _ => return None,
    };
    Some(Claim::declared(text.place, Says::AiGenerated, &by("ComfyUI", model.as_deref(), None)))
}

/// The number of nodes and the first model; nodes are not kept.
#[derive(Default)]
struct Graph {
    n_nodes: usize,
    model: Option<String>,
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(GraphVisitor)
    }
}

struct GraphVisitor;

impl<'de> Visitor<'de> for GraphVisitor {
    type Value = Graph;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nodes by number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Graph, A::Error> {
        let mut graph = Graph::default();
        while let Some((IgnoredAny, node)) = entries.next_entry::<IgnoredAny, Node>()? {
            graph.n_nodes += usize::from(!node.class_type.is_empty());
            let Inputs { ckpt_name, unet_name } = node.inputs;
            graph.model = graph.model.or(ckpt_name.0).or(unet_name.0);
        }
        Ok(graph)
    }
}

/// The number of nodes of a graph that is shown.
struct ShownNodes(usize);

impl<'de> Deserialize<'de> for ShownNodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ShownNodesVisitor)
    }
}

struct ShownNodesVisitor;

impl<'de> Visitor<'de> for ShownNodesVisitor {
    type Value = ShownNodes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of nodes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut nodes: A) -> Result<ShownNodes, A::Error> {
        let mut n_nodes = 0;
        while nodes.next_element::<ShownNode>()?.is_some() {
            n_nodes += 1;
        }
        Ok(ShownNodes(n_nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_of(place: Kind, key: &str, value: &str) -> Option<String> {
        claim(&Text { place, key: key.to_owned(), value: value.to_owned() })?.by
    }

    #[test]
    fn a_graph_tells_its_model() {
        let prompt = r#"{"3": {"class_type": "KSampler", "inputs": {"model": ["4", 0]}, "is_changed": [NaN]},
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "m.safetensors"}}}"#;
        let expected = Some("ComfyUI, model m.safetensors".to_owned());
        assert_eq!(by_of(Kind::Text, "prompt", prompt), expected);
        assert_eq!(by_of(Kind::Exif, "Make", &format!("Prompt: {prompt}")), expected);
        let workflow = r#"{"nodes": [{"id": 1, "type": "KSampler"}], "links": []}"#;
        assert_eq!(by_of(Kind::Text, "workflow", workflow), Some("ComfyUI".to_owned()));
    }

    #[test]
    fn other_texts_are_no_graph() {
        for value in ["a cat", "{}", r#"{"prompt": "a cat"}"#, r#"{"1": {"class_type": 3}}"#] {
            assert_eq!(by_of(Kind::Text, "prompt", value), None, "{value}");
            assert_eq!(by_of(Kind::Text, "workflow", value), None, "{value}");
        }
        assert_eq!(by_of(Kind::Exif, "Make", "Canon"), None);
    }
}
