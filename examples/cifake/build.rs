//! Tells the program the commit that it is built from.

use std::io::{self, Write};
use std::path::Path;

#[path = "build/commit.rs"]
mod commit;

fn main() -> io::Result<()> {
    let mut cargo = io::stdout();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["build.rs", "build/commit.rs"] {
        writeln!(cargo, "cargo::rerun-if-changed={file}")?;
    }
    // A package that was unpacked elsewhere may lie in a working tree of another project.
    let root = package.ancestors().nth(2).filter(|_| package.ends_with("examples/cifake"));
    let (commit, files) = root.map(commit::checked_out).unwrap_or_default();
    for file in files {
        writeln!(cargo, "cargo::rerun-if-changed={}", file.display())?;
    }
    writeln!(cargo, "cargo::rustc-env=CIFAKE_COMMIT={}", commit.as_deref().unwrap_or("unknown"))
}
