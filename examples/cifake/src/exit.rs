//! How a program ends.

use std::io::ErrorKind;
use std::process::ExitCode;

/// 0 if nothing failed, 1 if some inputs did, 2 where the program could not do its work; the reason
/// is said on standard error. A reader that has seen enough, such as `head`, is no failure.
#[must_use]
pub fn exit_code(outcome: anyhow::Result<usize>) -> ExitCode {
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let io = error.root_cause().downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
                return ExitCode::SUCCESS;
            }
            let mut said = error.to_string();
            // Errors of the libraries say their causes themselves.
            for cause in error.chain().skip(1).map(ToString::to_string) {
                if !said.contains(&cause) {
                    said = format!("{said}: {cause}");
                }
            }
            eprintln!("error: {said}");
            ExitCode::from(2)
        }
    }
}
