//! The program: everything is in the library, so that a fuzzer can call it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    friday_host::main()
}
