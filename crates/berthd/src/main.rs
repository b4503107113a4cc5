//! The daemon of Berth: see the library beside it.

fn main() -> std::process::ExitCode {
    berthd::main()
}
