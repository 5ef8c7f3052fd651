//! testhide: the program. Prepares cryptography and the runtime, and hands the arguments to the command line.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    give_memory_back();
    testhide_agent::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(testhide::cli::run(std::env::args_os()));
    // A thread that still reads a terminal or a file must not keep a finished command from ending.
    runtime.shutdown_background();
    Ok(code)
}

/// Lets the buffers of log chunks and blocks go back to the system when they are freed. Left alone, glibc raises the size from
/// which it does so to 32 MB after the first large buffer, and keeps what every thread has ever held.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "glibc has no other way; nothing runs beside it yet, and a refusal leaves its defaults"
)]
fn give_memory_back() {
    const BYTES: libc::c_int = 128 * 1024;
    // SAFETY: `mallopt` takes two numbers and touches only the allocator, before any thread is started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, BYTES);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_memory_back() {}
