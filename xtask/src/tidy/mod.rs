//! The rules that a machine can check. Each check is a pure function of text or metadata that
//! returns [`Violation`]s; this file lists them and prints what they found.

mod architecture;
mod crates;
mod rules;
mod source;
mod words;

use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::{Role, Workspace};
use source::Line;

/// A broken rule and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// `file:line`, a file, or a package.
    pub(crate) place: String,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// What the checks look at.
pub(crate) struct Tree<'a> {
    pub(crate) workspace: &'a Workspace,
    /// Every file of the repository that is UTF-8 text.
    pub(crate) texts: Vec<Text>,
}

/// A text file of the repository.
pub(crate) struct Text {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Empty unless the file is Rust source.
    pub(crate) lines: Vec<Line>,
}

impl Text {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let lines = if path.ends_with(".rs") { source::lines(&text) } else { Vec::new() };
        Self { path, text, lines }
    }

    fn read(root: &Path, path: &str) -> Result<Option<Self>> {
        let bytes = std::fs::read(root.join(path)).with_context(|| format!("read {path}"))?;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        Ok(text.map(|text| Self::new(path, text)))
    }
}

impl Tree<'_> {
    /// Rust files of the repository.
    fn rust(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|text| text.path.ends_with(".rs"))
    }

    /// Rust files under `src/` of the libraries that are published: what a user links.
    fn libraries(&self) -> impl Iterator<Item = &Text> {
        let published = self.workspace.with_role(Role::Library).filter(|p| p.is_published());
        let folders: Vec<String> =
            published.map(|p| format!("{}/src/", self.workspace.relative(p.folder()))).collect();
        self.rust().filter(move |text| folders.iter().any(|folder| text.path.starts_with(folder)))
    }
}

struct Check {
    name: &'static str,
    rule: &'static str,
    mend: &'static str,
    find: fn(&Tree) -> Result<Vec<Violation>>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "layering",
        rule: "a package imports only what the table in docs/architecture.md allows",
        mend: "remove the dependency, move the code down a layer, or change the table and say why",
        find: architecture::check,
    },
    Check {
        name: "length",
        rule: "a file holds one idea: at most 400 lines of Rust (generated files excepted)",
        mend: "split the file by idea; a generated one says @generated in its first line",
        find: |tree| Ok(tree.rust().filter_map(rules::length).collect()),
    },
    Check {
        name: "examples",
        rule: "examples hold no logic: at most 160 lines a file",
        mend: "move what is missing into a library and call it",
        find: |tree| Ok(tree.rust().filter_map(rules::example_length).collect()),
    },
    Check {
        name: "ignored",
        rule: "no test is ignored",
        mend: "run the test on less data or a smaller configuration, or delete it",
        find: |tree| Ok(tree.rust().flat_map(rules::ignored).collect()),
    },
    Check {
        name: "libraries",
        rule: "libraries do not unwrap, print, exit or read the environment",
        mend: "return a typed error, or expect(\"why it cannot fail\"); take settings as arguments",
        find: |tree| Ok(tree.libraries().flat_map(rules::library_calls).collect()),
    },
    Check {
        name: "unsafe",
        rule: "every `unsafe` is preceded by its `// SAFETY:` comment",
        mend: "say above it why the conditions of the operation hold",
        find: |tree| Ok(tree.rust().flat_map(rules::unsafe_without_reason).collect()),
    },
    Check {
        name: "manuals",
        rule: "the lib.rs of every library opens with the crate's manual (`//!`)",
        mend: "begin lib.rs with a module doc whose snippets run",
        find: |tree| {
            let roots = tree.rust().filter(|text| text.path.ends_with("/src/lib.rs"));
            Ok(roots.filter_map(rules::manual).collect())
        },
    },
    Check {
        name: "words",
        rule: "no path or host of a particular machine in any file",
        mend: "use a relative path, an argument, or the CIFAKE_SHARED environment variable",
        find: |tree| Ok(tree.texts.iter().flat_map(words::machine).collect()),
    },
    Check {
        name: "crates",
        rule: "the command builds from at most 250 crates; default builds need no system library",
        mend: "turn off default features of what pulls the crate in (`cargo tree -i CRATE`)",
        find: crates::trees,
    },
    Check {
        name: "packages",
        rule: "every published .crate is under 9.5 MB",
        mend: "exclude the large file from the package, or ship it outside the crate",
        find: crates::packages,
    },
];

/// Runs every check and prints it; true if no rule is broken.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut texts = Vec::new();
    for path in workspace.files()? {
        texts.extend(Text::read(&workspace.root, &path)?);
    }
    let tree = Tree { workspace, texts };
    let mut broken = 0;
    for check in CHECKS {
        let violations = (check.find)(&tree)
            .unwrap_or_else(|error| vec![Violation::new("the check itself", format!("{error:#}"))]);
        broken += violations.len();
        println!("{:4} {:10} {}", verdict(&violations), check.name, check.rule);
        for Violation { place, what } in &violations {
            println!("       {place}: {what}");
        }
        if !violations.is_empty() {
            println!("       to mend: {}", check.mend);
        }
    }
    println!("tidy: {} checks, {broken} violations", CHECKS.len());
    Ok(broken == 0)
}

fn verdict(violations: &[Violation]) -> &'static str {
    if violations.is_empty() { "ok" } else { "FAIL" }
}
