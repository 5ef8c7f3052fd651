//! The measured figures of testhide: each prints what it measured beside its target.
//!
//! `cargo bench --bench figures` runs all of them, `cargo bench --bench figures -- build_latency start` some. They are bounded in
//! count and in time, talk to servers of their own on 127.0.0.1 only, and end only the processes they started. A missed target is
//! printed, not an error: how fast a machine is says nothing about whether the code is right.

#![expect(clippy::print_stdout, reason = "the figures are this program's result")]
#![expect(
    clippy::disallowed_methods,
    reason = "measuring is reading the real clock, and the processes measured share no task with this one"
)]

mod agents_return;
mod build_latency;
mod compare;
mod followers;
mod group_commit;
mod history_page;
mod ingest;
mod log_throughput;
mod one_fast_agent;
mod parse_junit;
mod start;
mod support;
mod upload;

use support::Table;

const NAMES: [&str; 12] = [
    "group_commit",
    "build_latency",
    "log_throughput",
    "ingest",
    "parse_junit",
    "upload",
    "history_page",
    "compare",
    "start",
    "followers",
    "agents_return",
    "one_fast_agent",
];

fn main() {
    // Cargo adds flags of its own, `--bench` for one.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    testhide_agent::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    for name in NAMES {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!("== {name} (load before: {})", load.trim());
        let mut table = Table::default();
        runtime.block_on(async {
            match name {
                "group_commit" => group_commit::measure(&mut table).await,
                "build_latency" => build_latency::measure(&mut table).await,
                "log_throughput" => log_throughput::measure(&mut table).await,
                "ingest" => ingest::measure(&mut table).await,
                "parse_junit" => parse_junit::measure(&mut table),
                "upload" => upload::measure(&mut table).await,
                "history_page" => history_page::measure(&mut table).await,
                "compare" => compare::measure(&mut table).await,
                "followers" => followers::measure(&mut table).await,
                "agents_return" => agents_return::measure(&mut table).await,
                "one_fast_agent" => one_fast_agent::measure(&mut table).await,
                _ => start::measure(&mut table).await,
            }
        });
        println!("{table}");
    }
}
