//! Ordinary logs, made up: what compilers, test runners, package managers, servers and tools print.

use super::random::Random;

const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const WORDS: &[&str] = &[
    "the",
    "build",
    "failed",
    "with",
    "error",
    "warning",
    "password",
    "token",
    "connection",
    "refused",
    "expected",
    "assert",
    "value",
    "null",
    "undefined",
    "module",
    "cache",
    "download",
    "test_login",
    "UserService",
    "index.html",
    "node_modules",
    "target",
    "production",
    "localhost",
    "timeout",
    "retry",
    "Exception",
    "at",
    "line",
    "in",
    "database",
    "postgres",
    "redis",
    "100%",
];
const LEVELS: &[&str] = &["INFO", "WARN", "ERROR", "DEBUG"];

/// A token as secret stores and services make them.
pub(crate) fn token(random: &mut Random) -> Vec<u8> {
    let alphabet: &[u8] = match random.below(4) {
        0 => HEX,
        1 => BASE64,
        2 => b"abcdefghijklmnopqrstuvwxyz0123456789",
        _ => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*-_.",
    };
    let len = 8 + random.below(40);
    random.text(alphabet, len)
}

/// At least `len` bytes of logs, in whole lines.
pub(crate) fn logs(random: &mut Random, len: usize) -> Vec<u8> {
    let mut logs = Vec::with_capacity(len + 1024);
    while logs.len() < len {
        let line = line(random);
        logs.extend_from_slice(line.as_bytes());
        logs.push(b'\n');
    }
    logs
}

fn line(random: &mut Random) -> String {
    let number = random.below(100_000);
    let words = words(random);
    let level = random.one_of(LEVELS);
    match random.below(14) {
        0 => format!(
            "2026-03-{:02}T{:02}:{:02}:{:02}.{:03}Z {level} {words}",
            1 + random.below(28),
            random.below(24),
            random.below(60),
            random.below(60),
            random.below(1000)
        ),
        1 => format!("\x1b[32m   Compiling\x1b[0m {words} v1.{number}.0 (/home/ci/src/{words})"),
        2 => format!(
            r#"{{"level":"{level}","msg":"{words} \"{number}\"\n","path":"C:\\ci\\{number}","trace":"{}"}}"#,
            hex(random, 32)
        ),
        3 => format!("sha256:{} {words}", hex(random, 64)),
        4 => {
            let len = 40 + random.below(60);
            format!("integrity sha512-{}==", text(random, BASE64, len))
        }
        5 => format!(
            "GET https://example.org/api/v1/{number}?q=a%20b%2Fc+d&x={words} 200 {number}ms"
        ),
        6 => format!(
            "{}-{}-4{}-a{}-{} {words}",
            hex(random, 8),
            hex(random, 4),
            hex(random, 3),
            hex(random, 3),
            hex(random, 12)
        ),
        7 => format!("    at com.example.{words}(UserService.java:{number})"),
        8 => format!("\x1b[1;31merror[E{number}]\x1b[0m\x1b[1m: it's \"{words}\"\x1b[0m"),
        9 => format!(
            "tests/test_{number}.py::test_{words} PASSED [ {}%]\r",
            number % 100
        ),
        10 => text(random, BASE64, 76),
        11 => format!("commit {} {words}", hex(random, 40)),
        12 => {
            format!("drwxr-xr-x 2 ci ci {number} Mar  1 12:00 './{words}' -> '/usr/lib/{number}'")
        }
        _ => format!("{words} {words} {number}"),
    }
}

fn words(random: &mut Random) -> String {
    let count = 1 + random.below(8);
    let words: Vec<_> = (0..count).map(|_| random.one_of(WORDS)).collect();
    words.join(" ")
}

fn hex(random: &mut Random, len: usize) -> String {
    text(random, HEX, len)
}

fn text(random: &mut Random, alphabet: &[u8], len: usize) -> String {
    String::from_utf8(random.text(alphabet, len)).expect("alphabets are ASCII")
}
