//! The chat template in a model's folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::bounds::MAX_SOURCE_BYTES;
use super::special::{SpecialTokens, json_file};
use super::template::ChatTemplate;
use crate::error::Error;

/// The template, alone in its file.
const FILE: &str = "chat_template.jinja";
/// The older file of processors.
const LEGACY: &str = "chat_template.json";
/// The settings of processors.
const PROCESSOR: &str = "processor_config.json";
/// The folder of further templates.
const FOLDER: &str = "additional_chat_templates";
/// The one that is used.
const DEFAULT: &str = "default";
/// Templates in the folder, at most.
const MAX_TEMPLATES: usize = 100;

impl ChatTemplate {
    /// The template of the tokenizer in the folder at `path`: `chat_template.jinja`, or else that
    /// of `tokenizer_config.json`, which also names special tokens; `default` of several, be they
    /// files in `additional_chat_templates` or entries of the configuration. `None` if the folder
    /// has no such template.
    ///
    /// As transformers 5.24 (`tokenization_utils_base.py`), whose tokenizers do not read
    /// `chat_template.json`.
    ///
    /// # Errors
    /// [`Error::Cifake`] where a file cannot be read, [`Error::Json`]; [`Error::ChatTemplateFile`] for
    /// several templates without a default one, or of no form that transformers reads.
    pub fn of_tokenizer(path: &Path) -> Result<Option<Self>, Error> {
        let mut files = BTreeMap::new();
        files.extend(text_file(&path.join(FILE))?.map(|text| (DEFAULT.to_owned(), text)));
        files.extend(further(path)?);
        let file = path.join("tokenizer_config.json");
        let source = match files.is_empty() {
            false => default_of(path, files)?,
            true => match json_file(&file)?
                .and_then(|mut json| json.get_mut("chat_template").map(Value::take))
            {
                Some(template) => of_config(&file, &template)?,
                None => None,
            },
        };
        Self::with_special(source, path)
    }

    /// The template of the processor in the folder at `path`, for questions to a model that sees.
    /// It is that of `processor_config.json`, or else of `chat_template.json`, or else
    /// `chat_template.jinja`. `None` if the folder has no such template.
    ///
    /// As transformers 5.24 (`processing_utils.py`), whose processors do not read
    /// `tokenizer_config.json`.
    ///
    /// # Errors
    /// As [`of_tokenizer`](Self::of_tokenizer); [`Error::ChatTemplateFile`] also where
    /// `chat_template.json` stands beside further templates.
    pub fn of_processor(path: &Path) -> Result<Option<Self>, Error> {
        let of_json = |file: &str| -> Result<Option<Value>, Error> {
            let template = json_file(&path.join(file))?.map(|json| json["chat_template"].clone());
            Ok(template.filter(|template| !template.is_null()))
        };
        let further = further(path)?;
        if path.join(LEGACY).is_file() && !further.is_empty() {
            let reason = format!("{LEGACY} and {FOLDER} contradict each other; keep one of them");
            return Err(refused(path, reason));
        }
        let source = match (of_json(PROCESSOR)?, of_json(LEGACY)?) {
            (Some(template), _) => of_config(&path.join(PROCESSOR), &template)?,
            (None, Some(template)) => of_config(&path.join(LEGACY), &template)?,
            (None, None) => {
                let mut files: BTreeMap<String, String> = further.into_iter().collect();
                files.extend(text_file(&path.join(FILE))?.map(|text| (DEFAULT.to_owned(), text)));
                default_of(path, files)?
            }
        };
        Self::with_special(source, path)
    }

    /// `source` with the special tokens that the folder at `path` names.
    fn with_special(source: Option<String>, path: &Path) -> Result<Option<Self>, Error> {
        let Some(source) = source else { return Ok(None) };
        let named = SpecialTokens::read(path)?.named.into_iter();
        let with =
            |template: Self, (name, text): (String, String)| template.with_token(&name, &text);
        Ok(Some(named.fold(Self::new(&source), with)))
    }
}

/// The template of a configuration: a text, or the default one of several by their names.
fn of_config(file: &Path, template: &Value) -> Result<Option<String>, Error> {
    let pair =
        |name: &Value, text: &Value| Some((name.as_str()?.to_owned(), text.as_str()?.to_owned()));
    let several: Option<BTreeMap<String, String>> = match template {
        Value::Null => return Ok(None),
        Value::String(text) => return Ok(Some(text.clone())),
        Value::Array(list) => list.iter().map(|one| pair(&one["name"], &one["template"])).collect(),
        Value::Object(table) => {
            table.iter().map(|(name, text)| pair(&name.as_str().into(), text)).collect()
        }
        _ => None,
    };
    let several =
        several.ok_or_else(|| refused(file, "it is no text and no list of texts".to_owned()))?;
    default_of(file, several)
}

/// The default one of several; `None` of none.
fn default_of(path: &Path, mut several: BTreeMap<String, String>) -> Result<Option<String>, Error> {
    match several.remove(DEFAULT) {
        None if !several.is_empty() => {
            let names: Vec<&str> = several.keys().map(String::as_str).collect();
            let names: String = names.join(", ").chars().take(80).collect();
            Err(refused(path, format!("of several ({names}) none is called {DEFAULT}")))
        }
        found => Ok(found),
    }
}

/// The templates of the folder beside the usual one.
fn further(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let folder = path.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| Error::Read { path: folder.clone(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_none_or(|extension| extension != "jinja") {
            continue;
        }
        if found.len() == MAX_TEMPLATES {
            return Err(refused(&folder, format!("it holds more than {MAX_TEMPLATES}")));
        }
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        found.extend(text_file(&file)?.map(|text| (name, text)));
    }
    Ok(found)
}

/// The text of the file at `path`, where there is one, its line breaks as Python reads them.
fn text_file(path: &Path) -> Result<Option<String>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = cifake::file::read_limited(path, MAX_SOURCE_BYTES)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| refused(path, "it is no UTF-8".to_owned()))?;
    Ok(Some(text.replace("\r\n", "\n").replace('\r', "\n")))
}

fn refused(path: &Path, reason: String) -> Error {
    Error::ChatTemplateFile { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts that the templates of a folder of `files` write: the tokenizer's and the
    /// processor's.
    fn written(files: &[(&str, &str)]) -> [Option<String>; 2] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it is below")).expect("writable");
            std::fs::write(path, text).expect("the folder is writable");
        }
        [ChatTemplate::of_tokenizer(folder.path()), ChatTemplate::of_processor(folder.path())].map(
            |template| match template {
                Ok(template) => template.map(|template| template.render(&[], true).expect("plain")),
                Err(Error::ChatTemplateFile { .. }) => Some("refused".to_owned()),
                Err(error) => panic!("{error}"),
            },
        )
    }

    #[test]
    fn each_reader_has_its_own_precedence() {
        let jinja = (FILE, "jinja");
        let json = (LEGACY, r#"{"chat_template": "json"}"#);
        let config = ("tokenizer_config.json", r#"{"chat_template": "config"}"#);
        let processor = (PROCESSOR, r#"{"chat_template": "processor"}"#);
        let other = ("additional_chat_templates/rag.jinja", "rag");
        let default = ("additional_chat_templates/default.jinja", "more");
        let [some, refused] =
            [|text: &str| Some(text.to_owned()), |_: &str| Some("refused".to_owned())];
        let refused = refused("");
        for (files, expected) in [
            (vec![], [None, None]),
            (vec![config], [some("config"), None]),
            (vec![json], [None, some("json")]),
            (vec![jinja, json, config], [some("jinja"), some("json")]),
            (vec![jinja, config, processor], [some("jinja"), some("processor")]),
            (vec![jinja, other], [some("jinja"), some("jinja")]),
            (vec![jinja, default], [some("more"), some("jinja")]),
            (vec![config, other], [refused.clone(), refused.clone()]),
            (vec![json, other], [refused.clone(), refused.clone()]),
        ] {
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            assert_eq!(written(&files), expected, "{names:?}");
        }
    }

    #[test]
    fn of_several_the_default_counts() {
        let config = |template: &str| {
            let json = format!(r#"{{"chat_template": {template}}}"#);
            written(&[("tokenizer_config.json", &json)])[0].clone()
        };
        let both =
            r#"[{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]"#;
        assert_eq!(config(both).as_deref(), Some("b"));
        assert_eq!(config(r#"{"default": "c"}"#).as_deref(), Some("c"));
        assert_eq!(config("null"), None);
        for broken in [r#"[{"name": "a", "template": "b"}]"#, "7", r#"["a"]"#] {
            assert_eq!(config(broken).as_deref(), Some("refused"), "{broken}");
        }
    }

    #[test]
    fn special_tokens_have_the_names_of_the_configuration() {
        let config = r#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "image_token": "<i>",
            "chat_template": "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ pad_token }}\r\n"}"#;
        assert_eq!(written(&[("tokenizer_config.json", config)])[0].as_deref(), Some("<s></s><i>"));
    }
}
