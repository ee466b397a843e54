//! From a command line to a subcommand.

use std::io::{self, Write};
use std::process::ExitCode;

use cifake_kernels::RecyclingAllocator;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

#[cfg(feature = "serve")]
use crate::commands::serve;
use crate::commands::{
    attack, calibrate, cam, detect, evaluate, explain, import, leaderboard, robustness, train,
};
use crate::exit_code;

/// Tells camera pictures from generated ones, and says why.
#[derive(Debug, Parser)]
#[command(
    name = "cifake",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Examples:
  cifake detect photo.jpg
  cifake detect --json 'pictures/**/*.png' > verdicts.jsonl
  cifake explain --html report.html photo.png
  cifake train --data my/pictures --out runs/mine
  cifake evaluate --data my/pictures --weights runs/mine/best.safetensors
  cifake completions bash > /etc/bash_completion.d/cifake

Exit status: 0 if every input was handled, 1 if some or all were not,
2 if the command could not do its work, 3 if a signal broke a training run off."
)]
pub struct Cli {
    /// Run every subcommand on a few pictures of the repository.
    #[arg(long, hide = true, exclusive = true)]
    smoke: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Detect(detect::Args),
    Explain(explain::Args),
    Attack(attack::Args),
    Robustness(robustness::Args),
    Cam(cam::Args),
    Evaluate(evaluate::Args),
    Calibrate(calibrate::Args),
    Import(import::Args),
    Leaderboard(leaderboard::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    Train(train::Args),
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page, in roff.
    Man,
}

impl Cli {
    /// Runs the subcommand and returns its exit status; `allocator` is the program's global one.
    #[must_use]
    pub fn run(self, allocator: &RecyclingAllocator) -> ExitCode {
        match self.command {
            _ if self.smoke => smoke(allocator),
            Some(command) => exit_code(command.run(allocator)),
            None => exit_code(Err(anyhow::anyhow!("a subcommand is required"))),
        }
    }
}

impl Command {
    fn run(self, allocator: &RecyclingAllocator) -> anyhow::Result<usize> {
        match self {
            Self::Detect(args) => detect::run(&args),
            Self::Explain(args) => explain::run(args),
            Self::Attack(args) => attack::run(args),
            Self::Robustness(args) => robustness::run(args),
            Self::Cam(args) => cam::run(args),
            Self::Evaluate(args) => evaluate::run(&args),
            Self::Calibrate(args) => calibrate::run(args),
            Self::Import(args) => import::run(args),
            Self::Leaderboard(args) => leaderboard::run(args),
            #[cfg(feature = "serve")]
            Self::Serve(args) => serve::run(&args),
            Self::Train(args) => train::run(&args, allocator),
            Self::Completions { shell } => {
                // The generator panics where it cannot write, so it writes to memory.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "cifake", &mut script);
                io::stdout().write_all(&script)?;
                Ok(0)
            }
            Self::Man => {
                clap_mangen::Man::new(Cli::command()).render(&mut io::stdout())?;
                Ok(0)
            }
        }
    }
}

/// Runs what has a `--smoke`, one subcommand after the other, all of them whatever becomes of one.
fn smoke(allocator: &RecyclingAllocator) -> ExitCode {
    let commands = Cli::command();
    let has_smoke = |command: &&clap::Command| {
        command.get_arguments().any(|argument| argument.get_id() == "smoke")
    };
    let mut n_failed = 0;
    for name in commands.get_subcommands().filter(has_smoke).map(clap::Command::get_name) {
        eprintln!("\ncifake {name} --smoke");
        let parsed = Cli::try_parse_from(["cifake", name, "--smoke"]);
        let outcome = match parsed.map(|cli| cli.command) {
            Ok(Some(command)) => command.run(allocator),
            Ok(None) => Err(anyhow::anyhow!("no subcommand")),
            Err(error) => Err(error.into()),
        };
        n_failed += usize::from(exit_code(outcome) != ExitCode::SUCCESS);
    }
    exit_code(Ok(n_failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_has_a_description_and_those_that_take_pictures_have_examples() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let smoke = command.get_arguments().any(|argument| argument.get_id() == "smoke");
            assert_eq!(command.get_after_help().is_some(), smoke, "{}", command.get_name());
        }
    }
}
