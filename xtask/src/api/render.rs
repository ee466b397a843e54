//! Types, generics and signatures of rustdoc's JSON as Rust writes them.

use serde_json::Value;

/// The text of a string, or of nothing.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn join(value: &Value, separator: &str, show: impl Fn(&Value) -> String) -> String {
    list(value).map(show).collect::<Vec<_>>().join(separator)
}

/// The variant of an enum that serde writes as `{ "name": content }` or `"name"`.
fn variant(value: &Value) -> (&str, &Value) {
    let first = value.as_object().and_then(|object| object.iter().next());
    first.map_or((text(value), &Value::Null), |(name, content)| (name.as_str(), content))
}

/// A type.
pub(super) fn type_(value: &Value) -> String {
    let (kind, content) = variant(value);
    match kind {
        "resolved_path" => path(content),
        "dyn_trait" => {
            let traits = join(&content["traits"], " + ", |bound| path(&bound["trait"]));
            let lifetime = content["lifetime"].as_str().map(|name| format!(" + {name}"));
            format!("dyn {traits}{}", lifetime.unwrap_or_default())
        }
        "generic" | "primitive" => text(content).to_owned(),
        "function_pointer" => format!("fn{}", signature(&content["sig"])),
        "tuple" => {
            let comma = if list(content).count() == 1 { "," } else { "" };
            format!("({}{comma})", join(content, ", ", type_))
        }
        "slice" => format!("[{}]", type_(content)),
        "array" => format!("[{}; {}]", type_(&content["type"]), text(&content["len"])),
        "impl_trait" => format!("impl {}", bounds(content)),
        "raw_pointer" => {
            let kind = if content["is_mutable"] == true { "mut" } else { "const" };
            format!("*{kind} {}", type_(&content["type"]))
        }
        "borrowed_ref" => {
            let lifetime = content["lifetime"].as_str().map(|name| format!("{name} "));
            let mutable = if content["is_mutable"] == true { "mut " } else { "" };
            format!("&{}{mutable}{}", lifetime.unwrap_or_default(), type_(&content["type"]))
        }
        "qualified_path" => {
            let of = type_(&content["self_type"]);
            let name = format!("{}{}", text(&content["name"]), arguments(&content["args"]));
            match content["trait"]["path"].as_str().filter(|path| !path.is_empty()) {
                Some(_) => format!("<{of} as {}>::{name}", path(&content["trait"])),
                None => format!("{of}::{name}"),
            }
        }
        _ => "_".to_owned(),
    }
}

/// A path with its arguments.
pub(super) fn path(value: &Value) -> String {
    let name = text(&value["path"]).rsplit("::").next().unwrap_or_default();
    format!("{name}{}", arguments(&value["args"]))
}

fn arguments(value: &Value) -> String {
    let (kind, content) = variant(value);
    match kind {
        "angle_bracketed" => {
            let own = list(&content["args"]).map(argument);
            let all: Vec<String> =
                own.chain(list(&content["constraints"]).map(constraint)).collect();
            if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) }
        }
        "parenthesized" => {
            let output = &content["output"];
            let output =
                if output.is_null() { String::new() } else { format!(" -> {}", type_(output)) };
            format!("({}){output}", join(&content["inputs"], ", ", type_))
        }
        _ => String::new(),
    }
}

fn argument(value: &Value) -> String {
    match variant(value) {
        ("lifetime", name) => text(name).to_owned(),
        ("type", content) => type_(content),
        ("const", content) => text(&content["expr"]).to_owned(),
        _ => "_".to_owned(),
    }
}

fn constraint(value: &Value) -> String {
    let name = text(&value["name"]);
    match variant(&value["binding"]) {
        ("equality", content) => format!("{name} = {}", argument(content)),
        (_, content) => format!("{name}: {}", bounds(content)),
    }
}

/// Bounds, joined by `+`.
pub(super) fn bounds(value: &Value) -> String {
    join(value, " + ", |bound| match variant(bound) {
        ("trait_bound", content) => {
            let modifier = if content["modifier"] == "maybe" { "?" } else { "" };
            format!("{modifier}{}", path(&content["trait"]))
        }
        ("outlives", name) => text(name).to_owned(),
        (_, names) => {
            format!("use<{}>", join(names, ", ", |name| text(variant(name).1).to_owned()))
        }
    })
}

/// Parameters in angle brackets. Those that `impl Trait` arguments stand for are left out.
pub(super) fn parameters(generics: &Value) -> String {
    let shown: Vec<String> = list(&generics["params"]).filter_map(parameter).collect();
    if shown.is_empty() { String::new() } else { format!("<{}>", shown.join(", ")) }
}

fn parameter(value: &Value) -> Option<String> {
    let name = text(&value["name"]);
    match variant(&value["kind"]) {
        ("type", content) if content["is_synthetic"] == true => None,
        ("type", content) => {
            let bounds = bounds(&content["bounds"]);
            Some(if bounds.is_empty() { name.to_owned() } else { format!("{name}: {bounds}") })
        }
        ("const", content) => Some(format!("const {name}: {}", type_(&content["type"]))),
        _ => Some(name.to_owned()),
    }
}

/// The `where` clause, with a space before it.
pub(super) fn conditions(generics: &Value) -> String {
    let condition = |predicate: &Value| match variant(predicate) {
        ("bound_predicate", content) => {
            Some(format!("{}: {}", type_(&content["type"]), bounds(&content["bounds"])))
        }
        _ => None,
    };
    let shown: Vec<String> = list(&generics["where_predicates"]).filter_map(condition).collect();
    if shown.is_empty() { String::new() } else { format!(" where {}", shown.join(", ")) }
}

/// `(inputs) -> output`
pub(super) fn signature(value: &Value) -> String {
    let input = |pair: &Value| {
        let (name, shown) = (text(&pair[0]), type_(&pair[1]));
        match (name, shown.as_str()) {
            ("self", "Self") => "self".to_owned(),
            ("self", "&Self") => "&self".to_owned(),
            ("self", "&mut Self") => "&mut self".to_owned(),
            ("" | "_", _) => shown,
            _ => format!("{name}: {shown}"),
        }
    };
    let output = &value["output"];
    let output = if output.is_null() { String::new() } else { format!(" -> {}", type_(output)) };
    format!("({}){output}", join(&value["inputs"], ", ", input))
}

/// A function without its path: qualifiers, then what stands behind the name.
pub(super) fn function(value: &Value) -> (String, String) {
    let header = &value["header"];
    let words = [("is_const", "const "), ("is_async", "async "), ("is_unsafe", "unsafe ")];
    let words = words.into_iter().filter(|(key, _)| header[*key] == true).map(|(_, word)| word);
    let generics = &value["generics"];
    let rest =
        format!("{}{}{}", parameters(generics), signature(&value["sig"]), conditions(generics));
    (format!("{}fn ", words.collect::<String>()), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_written_as_in_rust() {
        let string = json!({ "resolved_path": { "path": "std::string::String", "args": null } });
        let option = json!({ "resolved_path": { "path": "Option", "args": { "angle_bracketed":
            { "args": [{ "type": string }], "constraints": [] } } } });
        let borrowed =
            json!({ "borrowed_ref": { "lifetime": null, "is_mutable": true, "type": option } });
        assert_eq!(type_(&borrowed), "&mut Option<String>");
        assert_eq!(
            type_(&json!({ "array": { "type": { "primitive": "u8" }, "len": "4" } })),
            "[u8; 4]"
        );
        assert_eq!(type_(&json!({ "tuple": [] })), "()");
    }

    #[test]
    fn a_method_is_written_with_its_receiver_and_bounds() {
        let this = json!({ "borrowed_ref": { "lifetime": null, "is_mutable": false, "type": { "generic": "Self" } } });
        let bound = json!({ "trait_bound": { "trait": { "path": "Read", "args": null }, "modifier": "none" } });
        let function_ = json!({
            "header": { "is_const": false, "is_unsafe": true },
            "generics": { "params": [{ "name": "R", "kind": { "type": { "bounds": [bound] } } }], "where_predicates": [] },
            "sig": { "inputs": [["self", this], ["from", { "generic": "R" }]], "output": { "primitive": "bool" } },
        });
        let (words, rest) = function(&function_);
        assert_eq!(format!("{words}name{rest}"), "unsafe fn name<R: Read>(&self, from: R) -> bool");
    }
}
