//! The program: everything is in the library, so that tests can call it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    friday_data::main()
}
