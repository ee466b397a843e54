//! The items that users of a crate can name, from rustdoc's JSON.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::render::{bounds, conditions, function, parameters, path, text, type_};

/// The public items of a crate, one a line, sorted.
pub(super) fn lines(document: &Value) -> Result<Vec<String>> {
    let root = document.get("root").context("rustdoc's JSON has no root")?;
    let mut surface =
        Surface { document, lines: BTreeSet::new(), traits: BTreeMap::new(), open: Vec::new() };
    let name = text(&surface.item(root).context("the root is in the index")?["name"]).to_owned();
    surface.module(root, &name);
    let Surface { mut lines, traits, .. } = surface;
    lines.extend(traits.into_iter().map(|(name, traits)| {
        format!("impl {} for {name}", traits.into_iter().collect::<Vec<_>>().join(" + "))
    }));
    Ok(lines.into_iter().collect())
}

struct Surface<'a> {
    document: &'a Value,
    lines: BTreeSet<String>,
    /// Type -> the traits that it implements without parameters or conditions.
    traits: BTreeMap<String, BTreeSet<String>>,
    /// Modules that are being listed, so that one that re-exports itself ends.
    open: Vec<String>,
}

impl<'a> Surface<'a> {
    fn item(&self, id: &Value) -> Option<&'a Value> {
        self.document["index"].get(key(id))
    }

    fn module(&mut self, id: &Value, place: &str) {
        let Some(item) = self.item(id).filter(|_| !self.open.contains(&key(id))) else { return };
        self.open.push(key(id));
        for child in array(&item["inner"]["module"]["items"]) {
            self.child(child, place);
        }
        self.open.pop();
    }

    fn child(&mut self, id: &Value, place: &str) {
        let Some(item) = self.item(id).filter(|item| item["visibility"] == "public") else {
            return;
        };
        let used = &item["inner"]["use"];
        if used.is_null() {
            return self.list(id, &format!("{place}::{}", text(&item["name"])));
        }
        let target = &used["id"];
        match (self.item(target), used["is_glob"] == true) {
            (Some(_), true) => self.module(target, place),
            (Some(_), false) => self.list(target, &format!("{place}::{}", text(&used["name"]))),
            (None, _) => {
                let name = if used["is_glob"] == true { "*" } else { text(&used["name"]) };
                self.add(format!("pub use {place}::{name} = {}", text(&used["source"])));
            }
        }
    }

    fn add(&mut self, line: String) {
        self.lines.insert(line);
    }

    /// Lists an item under the name that users give it.
    fn list(&mut self, id: &Value, name: &str) {
        let Some(item) = self.item(id) else { return };
        let Some((kind, inner)) = item["inner"].as_object().and_then(|inner| inner.iter().next())
        else {
            return;
        };
        let generics =
            format!("{}{}", parameters(&inner["generics"]), conditions(&inner["generics"]));
        match kind.as_str() {
            "module" => {
                self.add(format!("pub mod {name}"));
                self.module(id, name);
            }
            "function" => {
                let (words, rest) = function(inner);
                self.add(format!("pub {words}{name}{rest}"));
            }
            "struct" | "enum" | "union" => {
                let is_open = |attribute: &Value| attribute.to_string().contains("non_exhaustive");
                let open = array(&item["attrs"]).any(is_open);
                let open = if open { " (non-exhaustive)" } else { "" };
                self.add(format!("pub {kind} {name}{generics}{open}"));
                self.parts(inner, name);
            }
            "trait" => {
                let above = bounds(&inner["bounds"]);
                let above = if above.is_empty() { above } else { format!(": {above}") };
                self.add(format!("pub trait {name}{generics}{above}"));
                array(&inner["items"]).for_each(|member| self.member(member, name));
            }
            "type_alias" => {
                self.add(format!("pub type {name}{generics} = {}", type_(&inner["type"])))
            }
            "constant" => self.add(format!("pub const {name}: {}", type_(&inner["type"]))),
            "static" => self.add(format!("pub static {name}: {}", type_(&inner["type"]))),
            "macro" => self.add(format!("pub macro {name}!")),
            _ => self.add(format!("pub {kind} {name}")),
        }
    }

    /// Fields, variants and implementations of a type.
    fn parts(&mut self, inner: &Value, name: &str) {
        self.fields(&inner["kind"], name);
        array(&inner["variants"]).for_each(|variant| self.variant(variant, name));
        array(&inner["impls"]).for_each(|block| self.block(block, name));
    }

    fn fields(&mut self, kind: &Value, name: &str) {
        let named = array(&kind["plain"]["fields"]).chain(array(&kind["struct"]["fields"]));
        for id in named.chain(array(&kind["tuple"])) {
            let Some(field) = self.item(id) else { continue };
            let shown = type_(&field["inner"]["struct_field"]);
            if field["visibility"] == "public" || kind.get("struct").is_some() {
                self.add(format!("pub {name}::{}: {shown}", text(&field["name"])));
            }
        }
    }

    fn variant(&mut self, id: &Value, name: &str) {
        let Some(item) = self.item(id) else { return };
        let name = format!("{name}::{}", text(&item["name"]));
        let kind = &item["inner"]["variant"]["kind"];
        let held = array(&kind["tuple"]).filter_map(|id| self.item(id));
        let held: Vec<String> = held.map(|field| type_(&field["inner"]["struct_field"])).collect();
        let held = if held.is_empty() { String::new() } else { format!("({})", held.join(", ")) };
        self.add(format!("pub {name}{held}"));
        if kind.get("struct").is_some() {
            self.fields(kind, &name);
        }
    }

    /// An implementation: its trait, or its public functions and constants. Those that the compiler
    /// derives for every type (`Send`, `From<T> for T`) are left out.
    fn block(&mut self, id: &Value, name: &str) {
        let Some(item) = self.item(id) else { return };
        let block = &item["inner"]["impl"];
        let derived = block["trait"]["path"] == "StructuralPartialEq";
        if derived || block["is_synthetic"] == true || !block["blanket_impl"].is_null() {
            return;
        }
        if block["trait"].is_null() {
            for member in array(&block["items"]) {
                self.member(member, name);
            }
        } else {
            let generics = &block["generics"];
            let (before, after) = (parameters(generics), conditions(generics));
            let shown = path(&block["trait"]);
            if before.is_empty() && after.is_empty() {
                self.traits.entry(name.to_owned()).or_default().insert(shown);
            } else {
                self.add(format!("impl{before} {shown} for {name}{after}"));
            }
        }
    }

    fn member(&mut self, id: &Value, name: &str) {
        let visible =
            |item: &&Value| item["visibility"] == "public" || item["visibility"] == "default";
        let Some(item) = self.item(id).filter(visible) else { return };
        let name = format!("{name}::{}", text(&item["name"]));
        let inner = &item["inner"];
        if let Some(value) = inner.get("function") {
            let (words, rest) = function(value);
            let default = if value["has_body"] == false { " (required)" } else { "" };
            self.add(format!("pub {words}{name}{rest}{default}"));
        } else if let Some(value) = inner.get("assoc_const") {
            self.add(format!("pub const {name}: {}", type_(&value["type"])));
        } else if inner.get("assoc_type").is_some() {
            self.add(format!("pub type {name}"));
        }
    }
}

fn key(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        let unit = json!({ "inputs": [], "output": null });
        let function =
            json!({ "function": { "sig": unit, "generics": {}, "header": {}, "has_body": true } });
        json!({ "root": 0, "index": {
            "0": { "name": "a", "visibility": "public", "inner": { "module": { "items": [1, 2, 3] } } },
            "1": { "name": "hidden", "visibility": "crate", "inner": function },
            "2": { "name": null, "visibility": "public", "inner": { "use": { "id": 4, "name": "S", "source": "b::S", "is_glob": false } } },
            "3": { "name": null, "visibility": "public", "inner": { "use": { "id": 9, "name": "T", "source": "other::T", "is_glob": false } } },
            "4": { "name": "S", "visibility": "public", "attrs": [], "inner": { "struct": {
                "kind": { "plain": { "fields": [5, 6] } }, "generics": {}, "impls": [7, 10, 11] } } },
            "5": { "name": "x", "visibility": "public", "inner": { "struct_field": { "primitive": "u8" } } },
            "6": { "name": "y", "visibility": "crate", "inner": { "struct_field": { "primitive": "u8" } } },
            "7": { "name": null, "visibility": "default", "inner": { "impl": { "trait": null, "items": [8], "blanket_impl": null, "is_synthetic": false } } },
            "10": { "name": null, "visibility": "default", "inner": { "impl": { "trait": { "path": "Debug", "args": null }, "generics": {}, "items": [], "blanket_impl": null } } },
            "11": { "name": null, "visibility": "default", "inner": { "impl": { "trait": { "path": "Clone", "args": null }, "generics": {}, "items": [], "blanket_impl": null } } },
            "8": { "name": "f", "visibility": "public", "inner": function },
        } })
    }

    #[test]
    fn items_stand_under_the_names_that_users_give_them() {
        assert_eq!(
            lines(&document()).expect("the document is well formed"),
            [
                "impl Clone + Debug for a::S",
                "pub a::S::x: u8",
                "pub fn a::S::f()",
                "pub struct a::S",
                "pub use a::T = other::T"
            ]
        );
    }

    #[test]
    fn a_document_without_a_root_is_an_error() {
        assert!(lines(&json!({})).is_err());
    }
}
