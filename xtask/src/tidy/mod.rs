//! The rules that a machine can check. Each check is a pure function of text or metadata that
//! returns [`Violation`]s; this file lists them and prints what they found.

mod architecture;
mod circles;
mod commands;
mod crates;
mod exceptions;
mod links;
mod one_build;
mod rules;
mod sentences;
mod source;
mod subjects;
mod tree;
mod twins;
mod words;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use tree::{Text, Tree, Violation};

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Run only these checks
    #[arg(value_name = "CHECK")]
    checks: Vec<String>,
    /// Lower the lists of xtask/exceptions to what is left of each breach
    #[arg(long)]
    shrink: bool,
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
        rule: "programs parse, call and print: they hold no numerics",
        mend: "move what is missing into a library and call it",
        find: |tree| Ok(tree.rust().flat_map(rules::numerics).collect()),
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
        name: "circles",
        rule: "where file A uses an item of file B, B uses none of A, directly or through others",
        mend: "move the shared item into a file of its own below both",
        find: circles::circles,
    },
    Check {
        name: "twins",
        rule: "no run of more than 12 lines of code stands in two places outside tests",
        mend: "write it once and call it from both places",
        find: twins::twins,
    },
    Check {
        name: "sentences",
        rule: "a sentence of a Markdown file has at most 25 words",
        mend: "say one idea, subject first; begin a new sentence for the next",
        find: sentences::sentences,
    },
    Check {
        name: "subjects",
        rule: "no sentence of a comment or of Markdown begins with What, Who or Where; questions may",
        mend: "name the thing itself: a noun is the subject; a condition begins with `If`",
        find: |tree| {
            let prose = |text: &&Text| [".md", ".rs"].iter().any(|end| text.path.ends_with(end));
            Ok(tree.texts.iter().filter(prose).flat_map(subjects::subjects).collect())
        },
    },
    Check {
        name: "links",
        rule: "every link of the documentation leads to a file and a heading that exist",
        mend: "correct the link, or write what it promises",
        find: |tree| Ok(links::broken(tree)),
    },
    Check {
        name: "commands",
        rule: "every command that the documentation prints names a program or task that exists",
        mend: "correct the command; CI compares its flags with the program's --help",
        find: commands::commands,
    },
    Check {
        name: "one build",
        rule: "every selection of packages builds the crates below burn with the same features",
        mend: "add the feature to crates/unified, which every package shares",
        find: one_build::selections,
    },
    Check {
        name: "crates",
        rule: "the command builds from at most 264 crates; default builds need no system library",
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
///
/// `understands` tells whether `cargo xtask` understands arguments, and if not, why.
pub(crate) fn run(
    workspace: &Workspace,
    args: &Args,
    understands: fn(&[String]) -> std::result::Result<(), String>,
) -> Result<bool> {
    let unknown = args.checks.iter().find(|name| CHECKS.iter().all(|check| check.name != **name));
    if let Some(name) = unknown {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        bail!("there is no check {name}: choose from {}", names.join(", "));
    }
    let mut texts = Vec::new();
    for path in workspace.files()? {
        texts.extend(Text::read(&workspace.root, &path)?);
    }
    let tree = Tree { workspace, texts, shrink: args.shrink, understands };
    let chosen = |check: &&Check| {
        args.checks.is_empty() || args.checks.iter().any(|name| name == check.name)
    };
    let (mut broken, mut count) = (0, 0);
    for check in CHECKS.iter().filter(chosen) {
        count += 1;
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
    println!("tidy: {count} checks, {broken} violations");
    Ok(broken == 0)
}

fn verdict(violations: &[Violation]) -> &'static str {
    if violations.is_empty() { "ok" } else { "FAIL" }
}
