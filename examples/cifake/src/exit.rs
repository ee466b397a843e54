//! The end of a program.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use cifake::text::printable;
use cifake::{error_chain, is_guarded};

/// The exit status of a run that a signal broke off.
pub(crate) const BROKEN_OFF: u8 = 3;

/// A signal broke a run off. The run goes on when it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off; the same command continues the run")
    }
}

impl std::error::Error for BrokenOff {}

/// The exit status of a program, with the reason on standard error.
///
/// 0: every input was handled. 1: some inputs failed. 2: the program could not do its work.
/// 3: a signal broke a run off. A closed pipe, as of `head`, is no failure.
#[must_use]
pub fn exit_code(outcome: anyhow::Result<usize>) -> ExitCode {
    let error = match outcome {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(_) => return ExitCode::FAILURE,
        Err(error) => error,
    };
    if error.is::<BrokenOff>() {
        eprintln!("{error}");
        return ExitCode::from(BROKEN_OFF);
    }
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    if io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", printable(&error_chain(error.as_ref())));
    ExitCode::from(2)
}

/// The arguments of the program. Wrong ones end it with status 2 and a message, in which no argument can
/// steer the terminal; `--help` and `--version` end it with 0.
///
/// From then on, a panic that becomes the error of one file is not printed.
#[must_use]
pub fn parsed<P: clap::Parser>() -> P {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            usual(panic);
        }
    }));
    P::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() {
            eprint!("{}", refusal(&error));
            std::process::exit(error.exit_code());
        }
        error.exit()
    })
}

/// The text that is printed about wrong arguments.
fn refusal(error: &clap::Error) -> String {
    printable(&error.render().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_argument_cannot_steer_the_terminal() {
        let command = clap::Command::new("program");
        let error =
            command.try_get_matches_from(["program", "--a\u{1b}[2Jb"]).expect_err("unknown");
        let message = refusal(&error);
        assert!(message.contains(r"--a\u{1b}[2Jb") && message.contains('\n'), "{message}");
        assert!(!message.contains('\u{1b}'), "{message}");
    }

    #[test]
    fn a_cause_is_named_once() {
        let cause = std::io::Error::new(ErrorKind::NotFound, "no such file");
        let source = cifake::Error::Read { path: "a.png".into(), source: cause };
        let words = error_chain(anyhow::Error::from(source).context("cannot judge").as_ref());
        assert_eq!(words.matches("no such file").count(), 1, "{words}");
        assert!(words.starts_with("cannot judge: cannot read a.png"), "{words}");
    }

    #[test]
    fn each_ending_has_a_status_of_its_own() {
        let codes = [Ok(0), Ok(3), Err(anyhow::anyhow!("no")), Err(BrokenOff.into())];
        let codes = codes.map(|outcome| format!("{:?}", exit_code(outcome)));
        let expected = [0, 1, 2, 3].map(|code| format!("{:?}", ExitCode::from(code)));
        assert_eq!(codes, expected);
    }
}
