//! Masking from outside: ten thousand generated cases, false masks in ordinary logs, and examples that people will meet.

#[path = "support/encoders.rs"]
mod encoders;
#[path = "support/logs.rs"]
mod logs;
#[path = "support/random.rs"]
mod random;

use encoders::{NAMES, print};
use random::Random;
use testhide_protocol::mask::{MAX_SECRET_BYTES, Masks, Secret};

fn masks(secrets: &[(&str, &[u8])]) -> Masks {
    let secrets: Vec<_> = secrets
        .iter()
        .map(|(name, value)| Secret::new(*name, *value).expect("a good secret"))
        .collect();
    Masks::new(&secrets).expect("few secrets")
}

/// A value of one of the kinds that people keep secret.
fn value(random: &mut Random) -> Vec<u8> {
    const ODD: &[&str] = &[
        "'",
        "\"",
        "\\",
        "%",
        "+",
        " ",
        "&",
        "$",
        "\u{e9}",
        "\u{1f600}",
        "a",
        "Z",
        "7",
        "/",
        "%41",
        "\\n",
        "''",
    ];
    let len = 8 + random.below(30);
    match random.below(7) {
        0..=1 => logs::token(random),
        2 => {
            let odd: Vec<_> = (0..len).map(|_| random.one_of(ODD)).collect();
            // White space around a value does not count.
            format!("x{}y", odd.concat()).into_bytes()
        }
        3 => (0..len).map(|_| random.number() as u8 | 0x80).collect(),
        4 => {
            let lines: Vec<_> = (0..1 + random.below(5))
                .map(|_| {
                    let len = 1 + random.below(64);
                    String::from_utf8(random.text(b"abcdefghijklmnopqrstuvwxyz0123456789+/", len))
                        .expect("ASCII")
                })
                .collect();
            format!(
                "-----BEGIN KEY-----\n{}\n-----END KEY-----",
                lines.join("\n")
            )
            .into_bytes()
        }
        5 => random.text(b"0123456789\"'\\", len),
        _ => random.text(b"ab", len),
    }
}

/// What comes out of a masker that is fed `text` cut at random places.
fn masked_in_pieces(masks: &Masks, mut text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut masker = masks.masker();
    let mut out = Vec::new();
    let longest = random.one_of(&[1, 3, 20, 200]);
    while !text.is_empty() {
        let (piece, rest) = text.split_at((1 + random.below(longest)).min(text.len()));
        masker.mask(piece, &mut out);
        text = rest;
    }
    masker.finish(&mut out);
    assert_eq!(masker.held(), 0);
    out
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn ten_thousand_cases() {
    let (mut cases, mut printed_as) = (0, vec![0; NAMES.len()]);
    for seed in 0..1200 {
        let random = &mut Random::new(seed);
        let values = [value(random), value(random), value(random)];
        let masks = masks(&[("A", &values[0]), ("B", &values[1]), ("C", &values[2])]);
        for _ in 0..10 {
            let value = &values[random.below(3)];
            let way = random.below(NAMES.len());
            let Some(printed) = print(NAMES[way], value, random) else {
                continue;
            };
            let before = [logs::logs(random, 60), b"value=".to_vec()].concat();
            let after = [b" \n".to_vec(), logs::logs(random, 60)].concat();
            let text = [before.as_slice(), &printed.bytes, &after].concat();
            let out = masks.mask(&text);
            let say = || {
                let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
                format!(
                    "seed {seed}, {}: `{}` in `{}` gave `{}`",
                    NAMES[way],
                    show(value),
                    show(&text),
                    show(&out)
                )
            };
            assert_eq!(
                masked_in_pieces(&masks, &text, random),
                out,
                "cut: {}",
                say()
            );
            assert!(!contains(&out, value.trim_ascii()), "value: {}", say());
            let rest = out
                .strip_prefix(before.as_slice())
                .and_then(|rest| rest.strip_suffix(after.as_slice()));
            let rest = rest.unwrap_or_else(|| panic!("around: {}", say()));
            let mut rest = String::from_utf8_lossy(rest).into_owned();
            let len = rest.len();
            for mark in ["[secret:A]", "[secret:B]", "[secret:C]"] {
                rest = rest.replace(mark, "");
            }
            assert!(
                rest.len() < len && rest.len() <= printed.around,
                "{} bytes left: {}",
                rest.len(),
                say()
            );
            cases += 1;
            printed_as[way] += 1;
        }
    }
    assert!(cases >= 10_000, "only {cases} cases");
    assert!(
        printed_as.iter().all(|count| *count >= 20),
        "{printed_as:?}"
    );
}

#[test]
fn cuts_do_not_matter_in_the_worst_text() {
    const PARTS: &[&[u8]] = &[
        b"\\",
        b"\\\\",
        b"\\n",
        b"\\u0061",
        b"\\x1b[0m",
        b"\\r",
        b"%",
        b"%61",
        b"%2561",
        b"%5C",
        b"+",
        b"'",
        b"''",
        b"'\\''",
        b"\"",
        b"&",
        b"&#97;",
        b"&amp;",
        b"\x1b",
        b"\x1b[1m",
        b"\x1b]0;a\x07",
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"a",
        b"b",
        b"aa",
        b"ab",
        b" ",
        b"abababababababababababababababababababab",
        b"YWJh",
        b"6162",
    ];
    let mut masked = 0;
    for seed in 0..1000 {
        let random = &mut Random::new(seed);
        let values = [value(random), value(random), value(random)];
        let masks = masks(&[("A", &values[0]), ("B", &values[1]), ("C", &values[2])]);
        let mut text = Vec::new();
        for _ in 0..80 {
            let value = &values[random.below(3)];
            let printed = print(random.one_of(NAMES), value, random);
            match printed.filter(|_| random.below(8) == 0) {
                Some(printed) => {
                    let begin = random.below(12).saturating_sub(8);
                    text.extend_from_slice(&printed.bytes[begin..]);
                }
                None => text.extend_from_slice(random.one_of(PARTS)),
            }
        }
        let out = masks.mask(&text);
        assert_eq!(masked_in_pieces(&masks, &text, random), out, "seed {seed}");
        masked += usize::from(out != text);
    }
    assert!(masked > 900, "only {masked} texts hold a secret");
}

#[test]
fn ordinary_logs_stay_as_they_are() {
    let random = &mut Random::new(7);
    let secrets: Vec<_> = (0..50)
        .map(|number| Secret::new(format!("TOKEN_{number}"), logs::token(random)).unwrap())
        .collect();
    let masks = Masks::new(&secrets).unwrap();
    let text = logs::logs(random, 10_000_000);
    let out = masks.mask(&text);
    let marks = String::from_utf8_lossy(&out).matches("[secret:").count();
    assert!(marks <= 1, "{marks} false masks");
    assert!(marks == 1 || out == text);
}

#[track_caller]
fn check(secrets: &[(&str, &str)], text: &str, expected: &str) {
    let secrets: Vec<_> = secrets
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let masks = masks(&secrets);
    let out = masks.mask(text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&out), expected);
    assert_eq!(masks.mask(&out), out, "masked twice");
    assert_eq!(
        masked_in_pieces(&masks, text.as_bytes(), &mut Random::new(1)),
        out
    );
}

#[test]
fn a_mark_names_the_secret_and_hides_its_length() {
    let secrets = [
        ("SHORT", "hunter2!"),
        ("LONG", "correct horse battery staple"),
    ];
    check(
        &secrets,
        "p=hunter2! q=correct horse battery staple\n",
        "p=[secret:SHORT] q=[secret:LONG]\n",
    );
    check(&secrets, "hunter2!hunter2!", "[secret:SHORT][secret:SHORT]");
    check(&secrets, "hunter2", "hunter2");
    check(&secrets, "", "");
    check(&[], "nothing is secret\n", "nothing is secret\n");
}

#[test]
fn of_overlapping_secrets_the_leftmost_longest_is_named() {
    let secrets = [
        ("INNER", "middle-part"),
        ("OUTER", "begin-middle-part-end"),
        ("NEXT", "end-of-it-all"),
    ];
    check(&secrets, "<begin-middle-part-end>", "<[secret:OUTER]>");
    check(&secrets, "<begin-middle-part>", "<begin-[secret:INNER]>");
    check(
        &secrets,
        "<begin-middle-part-end-of-it-all>",
        "<[secret:OUTER]>",
    );
    check(
        &[("FIRST", "same-value"), ("SECOND", "same-value")],
        "same-value",
        "[secret:FIRST]",
    );
}

#[test]
fn a_name_that_is_a_secret_itself_is_not_shown() {
    check(&[("password", "password")], "password=password", "***=***");
}

#[test]
fn headers_and_keys_of_real_life() {
    let key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7bq1\nshort\n-----END KEY-----\n";
    let secrets = [("TOKEN", "s3cr3t-t0ken"), ("KEY", key)];
    check(
        &secrets,
        "Authorization: Basic dXNlcjpzM2NyM3QtdDBrZW4=\n",
        "Authorization: Basic dXNlcjp[secret:TOKEN]\n",
    );
    check(&secrets, key, "[secret:KEY]\n");
    check(&secrets, &key.replace('\n', "\r\n"), "[secret:KEY]\r\n");
    check(
        &secrets,
        "+ echo MIIEpAIBAAKCAQEA7bq1\n",
        "+ echo [secret:KEY]\n",
    );
    check(
        &secrets,
        "-----BEGIN KEY-----\nother\n-----END KEY-----\n",
        "-----BEGIN KEY-----\nother\n-----END KEY-----\n",
    );
    check(
        &secrets,
        "s3cr\x1b[31m3t-t0\x1b[0mken\x1b[0m!\n",
        "[secret:TOKEN]\x1b[0m!\n",
    );
}

#[test]
fn nothing_is_held_back_after_an_ordinary_line() {
    let masks = masks(&[("TOKEN", b"done and dusted"), ("OTHER", b"0123456789")]);
    let mut masker = masks.masker();
    let mut out = Vec::new();
    for line in [
        "all is done\n",
        "\x1b[32mdone\x1b[0m\n",
        "step 01\r\n",
        "it's 'done' 100%\n",
        "\\done\\\n",
    ] {
        masker.mask(line.as_bytes(), &mut out);
        assert_eq!(masker.held(), 0, "{line:?}");
    }
    masker.mask(b"is it done", &mut out);
    assert_eq!(masker.held(), 4);
    masker.mask(b"?", &mut out);
    assert_eq!(masker.held(), 0);
}

#[test]
fn what_is_held_back_is_bounded() {
    let masks = masks(&[("TOKEN", b"0123456789")]);
    let mut masker = masks.masker();
    let (mut out, mut fed) = (Vec::new(), Vec::new());
    masker.mask(b"01234567", &mut out);
    fed.extend_from_slice(b"01234567");
    for _ in 0..1000 {
        masker.mask(b"\x1b[0m\0\0\0\0", &mut out);
        fed.extend_from_slice(b"\x1b[0m\0\0\0\0");
        assert!(masker.held() < 2000);
    }
    masker.finish(&mut out);
    assert_eq!(out, fed);
}

#[test]
fn a_cover_keeps_lengths() {
    let masks = masks(&[("TOKEN", b"s3cr3t-t0ken")]);
    let mut cover = masks.cover();
    let mut first = b"a s3cr3t-t0ken and s3cr3t".to_vec();
    assert_eq!(cover.cover(&mut first), 1);
    assert_eq!(first, b"a ************ and s3cr3t");
    let mut second = b"-t0ken.".to_vec();
    assert_eq!(cover.cover(&mut second), 1);
    assert_eq!(second, b"******.");
}

#[test]
fn large_secrets_take_bounded_memory() {
    let random = &mut Random::new(3);
    let values: Vec<_> = (0..2)
        .map(|_| random.text(b"abcdefghijklmnopqrstuvwxyz0123456789", MAX_SECRET_BYTES))
        .collect();
    let two = [("A", values[0].as_slice()), ("B", &values[1])];
    let masks = masks(&two);
    assert!(masks.memory() < 40_000_000, "{} bytes", masks.memory());
    assert_eq!(masks.mask(&values.concat()), b"[secret:A][secret:B]");
    let three: Vec<_> = [&values[0], &values[1], &values[0]]
        .into_iter()
        .map(|value| Secret::new("A", value.as_slice()).unwrap())
        .collect();
    assert!(Masks::new(&three).is_err());
}
