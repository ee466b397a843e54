//! Child processes: cargo and the programs it built.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The cargo that runs this tool, in `root`.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root);
    command
}

/// Standard output of a command that must succeed; its standard error is shown only if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("start `{shown}`"))?;
    if !done.status.success() {
        bail!("`{shown}` failed:\n{}", String::from_utf8_lossy(&done.stderr).trim_end());
    }
    String::from_utf8(done.stdout).with_context(|| format!("output of `{shown}` is not UTF-8"))
}

/// Runs a command with this terminal's output; true if it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let shown = shown(command);
    let status = command.stdin(Stdio::null()).status();
    Ok(status.with_context(|| format!("start `{shown}`"))?.success())
}

/// The command as one would type it, without quoting.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(program.to_string_lossy()).chain(args).collect::<Vec<_>>().join(" ")
}

/// The whole output as JSON, else the last line that is.
pub(crate) fn last_json(output: &str) -> Option<Value> {
    let lines = std::iter::once(output).chain(output.lines().rev());
    lines.filter(|text| !text.trim().is_empty()).find_map(|text| serde_json::from_str(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_without_the_folder_of_its_program() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(shown(&command), "cargo test --workspace");
    }

    #[test]
    fn output_of_a_failing_command_is_an_error_that_names_it() {
        let mut command = cargo(Path::new("."), &["no-such-subcommand"]);
        let error = output(&mut command).expect_err("cargo knows no such subcommand").to_string();
        assert!(error.contains("cargo no-such-subcommand"), "{error}");
    }

    #[test]
    fn the_result_is_the_whole_output_or_its_last_json_line() {
        assert_eq!(last_json("{\n\"a\": 1\n}"), Some(serde_json::json!({ "a": 1 })));
        assert_eq!(
            last_json("reading\n{\"a\": 1}\n{\"a\": 2}\n"),
            Some(serde_json::json!({ "a": 2 }))
        );
        assert_eq!(last_json("no result\n"), None);
    }
}
