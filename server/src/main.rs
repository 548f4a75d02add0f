//! The binary `caracal`.
//!
//! **Invariant:** `exec-step` is looked for before anything else starts: a step's process must not carry a runtime along.

use std::process::ExitCode;

/// Rows, messages and pages are many small pieces that one thread makes and another lets go.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    if first.is_some_and(|a| a == "exec-step") {
        return agent::executor::process::exec_step();
    }
    server::cli::main()
}
