//! The runner of process steps for tests: what `caracal exec-step` is in the product.
//!
//! **Invariant:** it does nothing but that.

fn main() -> std::process::ExitCode {
    agent::executor::process::exec_step()
}
