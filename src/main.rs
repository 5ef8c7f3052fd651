//! testhide: the program. Prepares cryptography and the runtime, and hands the arguments to the command line.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    testhide_agent::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(testhide::cli::run(std::env::args_os()));
    // A thread that still reads a terminal or a file must not keep a finished command from ending.
    runtime.shutdown_background();
    Ok(code)
}
