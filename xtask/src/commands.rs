//! The commands that the documentation prints: each names a program and flags that exist.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::workspace::{Role, Workspace};

/// The program that `cargo run` starts: that of the workspace's default member.
const DEFAULT: &str = "cifake";

/// A command line of a `sh` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// `file:line`.
    pub(crate) place: String,
    pub(crate) words: Vec<String>,
}

/// A program of the examples with the arguments that it is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    pub(crate) program: &'a str,
    pub(crate) arguments: &'a [String],
}

/// The command lines of the `sh` blocks of a Markdown file, and cargo's commands in its prose: joined
/// at `\`, split at pipes and `&&`, without comments and assignments.
pub(crate) fn lines(path: &str, markdown: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let (mut fenced, mut inside, mut open) = (false, false, None::<(usize, String)>);
    for (index, line) in markdown.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fenced = !fenced;
            inside = fenced && matches!(language.trim(), "sh" | "bash" | "console");
            continue;
        }
        if !inside {
            let place = format!("{path}:{}", index + 1);
            let commands = spans(line).filter(|_| !fenced).flat_map(split);
            found.extend(commands.map(|words| Line { place: place.clone(), words }));
            continue;
        }
        let (start, mut text) = open.take().unwrap_or((index + 1, String::new()));
        match line.trim_end().strip_suffix('\\') {
            Some(part) => {
                text.push_str(part);
                open = Some((start, text));
            }
            None => {
                text.push_str(line);
                let place = format!("{path}:{start}");
                let commands = split(&text).into_iter();
                found.extend(commands.map(|words| Line { place: place.clone(), words }));
            }
        }
    }
    found
}

/// Code spans of a line of prose that are whole commands of cargo.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|span| ["cargo run ", "cargo xtask "].iter().any(|task| span.starts_with(task)))
}

/// The config that `cargo xtask bench NAME` names, unless it is a placeholder.
pub(crate) fn config(words: &[String]) -> Option<&str> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["cargo", "xtask", "bench", name, ..] => {
            let placeholder = name.chars().all(char::is_uppercase);
            (name != "speed" && !name.starts_with('-') && !placeholder).then_some(name)
        }
        _ => None,
    }
}

/// Splits a line of a shell into commands and those into words.
fn split(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut word, mut quote, mut started) = (String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, started) = (Some(c), true),
            (None, '#') if word.is_empty() && !started => break,
            (None, '|' | ';' | '&' | '>' | '<') | (None, ' ' | '\t') => {
                if started || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
                if matches!(c, '|' | ';' | '&') {
                    commands.push(std::mem::take(&mut words));
                }
            }
            (None, c) => word.push(c),
        }
    }
    if started || !word.is_empty() {
        words.push(word);
    }
    commands.push(words);
    let is_assignment =
        |word: &String| word.split_once('=').is_some_and(|(name, _)| is_variable(name));
    for words in &mut commands {
        let settings = words.iter().take_while(|word| is_assignment(word)).count();
        words.drain(..settings);
    }
    commands.retain(|words| !words.is_empty());
    commands
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

impl Line {
    /// The call of a program of the examples, if this is one: `cargo run ... -- ARGUMENTS`, or the
    /// name of a program itself. An error names what does not exist.
    pub(crate) fn call<'a>(
        &'a self,
        workspace: &'a Workspace,
    ) -> std::result::Result<Option<Call<'a>>, String> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let programs: Vec<&str> =
            workspace.with_role(Role::Example).flat_map(|package| package.binaries()).collect();
        let ["cargo", "run", ..] = words[..] else {
            let name = Path::new(words[0]).file_name().and_then(|name| name.to_str());
            let program = programs.into_iter().find(|program| Some(*program) == name);
            return Ok(program.map(|program| Call { program, arguments: &self.words[1..] }));
        };
        let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
        if words[..end].windows(2).any(|pair| matches!(pair, ["-p" | "--package", "xtask"])) {
            return Ok(None);
        }
        let name = run_program(&words[2..end], workspace)?;
        let known = programs.into_iter().find(|program| *program == name);
        let program = known.ok_or_else(|| format!("there is no program {name}"))?;
        let arguments = self.words.get(end + 1..).unwrap_or_default();
        Ok(Some(Call { program, arguments }))
    }
}

/// The program that `cargo run` starts with these options.
fn run_program<'a>(
    options: &[&'a str],
    workspace: &'a Workspace,
) -> std::result::Result<&'a str, String> {
    let value = |flags: [&str; 2]| {
        let at = options.iter().position(|word| flags.contains(word))?;
        options.get(at + 1).copied()
    };
    let package = value(["-p", "--package"]).map(|name| {
        let package = workspace.packages.iter().find(|package| package.name == name);
        package.ok_or_else(|| format!("there is no package {name}"))
    });
    match (value(["--bin", "--bin"]), package.transpose()?) {
        (Some(name), _) => Ok(name),
        (None, Some(package)) => {
            let first = package.binaries().next();
            first.ok_or_else(|| format!("{} has no program", package.name))
        }
        (None, None) => Ok(DEFAULT),
    }
}

/// The flags of `call` that neither `help` of its subcommand nor of the program itself names.
pub(crate) fn unknown_flags<'a>(call: &Call<'a>, help: &str) -> Vec<&'a str> {
    let flags = call.arguments.iter().map(|word| word.split('=').next().unwrap_or(word));
    let is_flag = |word: &&str| {
        word.strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_alphabetic()))
    };
    let names: Vec<&str> = help
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')))
        .filter(|word| word.starts_with('-'))
        .collect();
    flags.filter(is_flag).filter(|flag| !names.contains(flag)).collect()
}

/// Checks every command of the documentation against the programs in `folder`; prints what is
/// wrong and returns the numbers of commands that are right and that are wrong.
pub(crate) fn check(workspace: &Workspace, folder: &Path) -> Result<(usize, usize)> {
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let (mut right, mut wrong) = (0, 0);
    for path in workspace.files()?.into_iter().filter(|path| path.ends_with(".md")) {
        let text = std::fs::read_to_string(workspace.root.join(&path))
            .with_context(|| format!("read {path}"))?;
        for line in lines(&path, &text) {
            let problems = match line.call(workspace) {
                Err(problem) => vec![problem],
                Ok(None) => continue,
                Ok(Some(call)) => problems(&call, folder, &mut helps)?,
            };
            if problems.is_empty() {
                right += 1;
            } else {
                wrong += 1;
                println!("{}: {}", line.place, problems.join(", "));
            }
        }
    }
    Ok((right, wrong))
}

fn problems(
    call: &Call,
    folder: &Path,
    helps: &mut BTreeMap<Vec<String>, String>,
) -> Result<Vec<String>> {
    let subcommand =
        call.arguments.first().filter(|word| call.program == DEFAULT && !word.starts_with('-'));
    let key: Vec<String> =
        std::iter::once(call.program.to_owned()).chain(subcommand.cloned()).collect();
    if !helps.contains_key(&key) {
        let program = folder.join(format!("{}{}", call.program, std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&program);
        command.args(&key[1..]).arg("--help").stdin(Stdio::null());
        let done = command.output().with_context(|| format!("start {}", program.display()))?;
        let help = if done.status.success() { done.stdout } else { Vec::new() };
        helps.insert(key.clone(), String::from_utf8_lossy(&help).into_owned());
    }
    let help = &helps[&key];
    if help.is_empty() {
        return Ok(vec![format!("there is no command `{}`", key.join(" "))]);
    }
    let unknown = unknown_flags(call, help).into_iter();
    Ok(unknown.map(|flag| format!("`{}` has no {flag}", key.join(" "))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Target;
    use crate::workspace::tests::{package, workspace};

    fn examples() -> Workspace {
        let program = |folder: &str, name: &str, binary: &str| {
            let mut package = package(folder, name, &[]);
            package.targets.push(Target { name: binary.to_owned(), kind: vec!["bin".to_owned()] });
            package
        };
        workspace(vec![
            program("examples/cifake", "cifake-cli", "cifake"),
            program("examples/lab", "lab", "faithfulness"),
        ])
    }

    fn words(text: &str) -> Vec<String> {
        let lines = lines("a.md", &format!("```sh\n{text}\n```\n"));
        lines.into_iter().next().expect("the block holds a command").words
    }

    #[test]
    fn blocks_of_a_shell_are_read_and_others_are_not() {
        let text = "```sh\nexport A=b   # why\n\nX=1 cargo run \\\n  -- detect 'a b' | head\n```\n\
                    ```text\ncargo run\n```\n";
        let found = lines("a.md", text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].place, "a.md:4");
        assert_eq!(found[1].words, ["cargo", "run", "--", "detect", "a b"]);
        assert_eq!(found[2].words, ["head"]);
    }

    #[test]
    fn commands_in_prose_are_read() {
        let found = lines(
            "a.md",
            "Run `cargo xtask bench native-test` or `cargo`.\n```text\n`cargo run x`\n```\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(config(&found[0].words), Some("native-test"));
        assert_eq!(config(&words("cargo xtask bench NAME")), None);
        assert_eq!(config(&words("cargo xtask bench speed --quick")), None);
    }

    #[test]
    fn the_program_of_a_command_is_found() {
        let workspace = examples();
        let call = |text: &str| {
            let line = Line { place: "a.md:1".to_owned(), words: words(text) };
            line.call(&workspace)
                .map(|call| call.map(|call| (call.program.to_owned(), call.arguments.len())))
        };
        assert_eq!(call("cargo run --release -- detect a.png"), Ok(Some(("cifake".into(), 2))));
        assert_eq!(call("cargo run --bin faithfulness"), Ok(Some(("faithfulness".into(), 0))));
        assert_eq!(call("target/release/cifake detect"), Ok(Some(("cifake".into(), 1))));
        assert_eq!(call("cargo xtask tidy"), Ok(None));
        assert!(call("cargo run --bin faithfullness").is_err());
        assert!(call("cargo run -p detect -- a.png").is_err());
    }

    #[test]
    fn a_flag_that_the_help_does_not_name_is_found() {
        let arguments = words("detect --json --treshold=0.5 -v - -3 a-b.png");
        let call = Call { program: "cifake", arguments: &arguments };
        let help = "  -v, --verbose  More\n      --json     One object a line\n  --threshold <P>";
        assert_eq!(unknown_flags(&call, help), ["--treshold"]);
    }
}
