//! The command `cifake`.

use std::process::ExitCode;

use cifake_cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    Cli::parse().run()
}
