//! The shim program: `shim SOCKET`, PID 1 of a container, or `shim`, beside its socket in the folder it is started in.
//!
//! **Invariant:** see the library: it outlives its agent, and loses no output and no end.

use std::process::ExitCode;

mod program;

fn main() -> ExitCode {
    program::main()
}
