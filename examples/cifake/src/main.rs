//! The command `cifake`.

use std::process::ExitCode;

use cifake_cli::Cli;
use cifake_kernels::RecyclingAllocator;

/// Keeps nothing until a training run asks for it.
#[global_allocator]
static ALLOCATOR: RecyclingAllocator = RecyclingAllocator::new(0);

fn main() -> ExitCode {
    cifake_cli::parsed::<Cli>().run(&ALLOCATOR)
}
