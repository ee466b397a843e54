//! The command `cifake`.

use std::process::ExitCode;

use cifake_cli::Cli;
use cifake_kernels::RecyclingAllocator;

/// Keeps what one batch frees for the next one; a training run asks for more.
#[global_allocator]
static ALLOCATOR: RecyclingAllocator = RecyclingAllocator::new(256 << 20);

fn main() -> ExitCode {
    cifake_cli::parsed::<Cli>().run(&ALLOCATOR)
}
