//! The `swinpipe` command: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    swinpipe::cli::main()
}
