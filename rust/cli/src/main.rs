//! The program `skull`.

fn main() -> std::process::ExitCode {
    skull_cli::main()
}
