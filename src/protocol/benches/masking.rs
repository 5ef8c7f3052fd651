//! How fast ordinary logs are masked: `cargo bench -p testhide-protocol`. Target: at least 200 MB/s with 50 secrets.

#![expect(clippy::print_stdout, reason = "the figures are this program's result")]
#![expect(
    clippy::disallowed_methods,
    reason = "measuring is reading the real clock"
)]

#[path = "../tests/support/logs.rs"]
mod logs;
#[path = "../tests/support/random.rs"]
mod random;

use random::Random;
use std::time::Instant;
use testhide_protocol::mask::{Masks, Secret};

/// As an agent reads a pipe.
const PIECE: usize = 64 * 1024;

fn main() {
    let random = &mut Random::new(11);
    let text = logs::logs(random, 64_000_000);
    measure("ordinary logs", &text, random);
    let text = escapes(random, 8_000_000);
    measure("nothing but escapes", &text, random);
}

fn measure(what: &str, text: &[u8], random: &mut Random) {
    println!("{what}, {} MB", text.len() / 1_000_000);
    for count in [1, 10, 50, 200] {
        let secrets: Vec<_> = (0..count)
            .map(|number| {
                Secret::new(format!("TOKEN_{number}"), logs::token(random))
                    .expect("tokens have 8 bytes or more")
            })
            .collect();
        let begin = Instant::now();
        let masks = Masks::new(&secrets).expect("tokens are short");
        let built = begin.elapsed();
        let mut rates: Vec<f64> = (0..5).map(|_| rate(&masks, text)).collect();
        rates.sort_by(f64::total_cmp);
        println!(
            "  {count:>3} secrets: {:.0} MB/s (median of 5, {:.0} to {:.0}), prepared in {:.1} ms, {:.1} MB of memory",
            rates[2],
            rates[0],
            rates[4],
            built.as_secs_f64() * 1e3,
            masks.memory() as f64 / 1e6
        );
    }
}

/// Text in which every byte may be an escape: what somebody can print who wants masking to be slow.
fn escapes(random: &mut Random, len: usize) -> Vec<u8> {
    const PARTS: &[&str] = &[
        "\\", "\\\\", "\\n", "\\u0061", "%", "%61", "%2561", "+", "'", "''", "\"", "&", "&#97;",
        "\x1b[1m", "\0", "\r", "a", "b7", "Zk",
    ];
    let mut text = Vec::with_capacity(len + 10);
    while text.len() < len {
        text.extend_from_slice(random.one_of(PARTS).as_bytes());
    }
    text
}

/// Megabytes a second of this thread's own time where the system tells it, so that what else runs on the machine counts little.
fn rate(masks: &Masks, text: &[u8]) -> f64 {
    let mut masker = masks.masker();
    let mut out = Vec::new();
    let mut len = 0;
    let begin = Instant::now();
    let own_begin = own_time();
    for piece in text.chunks(PIECE) {
        out.clear();
        masker.mask(piece, &mut out);
        len += out.len();
    }
    out.clear();
    masker.finish(&mut out);
    len += out.len();
    let seconds = match (own_begin, own_time()) {
        (Some(begin), Some(end)) => (end - begin) as f64 / 1e9,
        _ => begin.elapsed().as_secs_f64(),
    };
    assert!(len + 1000 >= text.len(), "a false mask is a rare thing");
    text.len() as f64 / 1e6 / seconds
}

/// Nanoseconds that this thread has been on a processor.
fn own_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok()
}
