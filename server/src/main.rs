//! The binary `caracal`.
//!
//! **Invariant:** nothing happens here but the choice of the allocator.

use std::process::ExitCode;

/// Rows, messages and pages are many small pieces that one thread makes and another lets go.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::cli::main()
}
