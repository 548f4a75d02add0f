//! The binary `caracal`.
//!
//! **Invariant:** `exec-step` is looked for before anything else starts: a step's process must not carry a runtime along.

use std::process::ExitCode;

fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    if first.is_some_and(|a| a == "exec-step") {
        return agent::executor::process::exec_step();
    }
    server::cli::main()
}
