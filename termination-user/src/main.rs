//! The `termination` program; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    termination_user::cli::main()
}
