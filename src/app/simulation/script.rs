//! What a simulated attempt does: steps, output, files and its end, all from the seed.

use super::dice::Dice;
use std::fmt::Write;
use std::time::Duration;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::AttemptEnd;

/// One attempt from beginning to end.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) steps: Vec<StepScript>,
    pub(super) end: AttemptEnd,
}

/// One step.
#[derive(Debug, Clone)]
pub(super) struct StepScript {
    pub(super) acts: Vec<Act>,
    pub(super) passes: bool,
}

/// Something that a step does after a pause.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) after: Duration,
    pub(super) what: What,
}

/// What it does.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Writes output.
    Output(Vec<(Stream, Vec<u8>)>),
    /// Delivers a file.
    File { path: String, bytes: Vec<u8> },
}

impl Script {
    /// The script of one attempt; `name` goes into its output, so that bytes of two attempts are never the same.
    pub(super) fn roll(dice: &Dice, name: &str, steps: usize) -> Self {
        let pace = match dice.within(0..10) {
            0..6 => 2_000,
            6..9 => 15_000,
            _ => 90_000,
        };
        let mut script = Self {
            steps: Vec::new(),
            end: AttemptEnd::Passed,
        };
        let mut lines = 0;
        for _ in 0..steps {
            let passes = !dice.once_in(8);
            let acts = (0..dice.within(0..7))
                .map(|_| act(dice, name, pace, &mut lines))
                .collect();
            script.steps.push(StepScript { acts, passes });
            if !passes {
                script.end = AttemptEnd::Failed;
                break;
            }
        }
        script
    }
}

fn act(dice: &Dice, name: &str, pace: u64, lines: &mut u64) -> Act {
    let after = dice.millis(0..pace);
    if dice.once_in(7) {
        let size = match dice.within(0..8) {
            0 => 0,
            1 => dice.index(200_000..600_000),
            _ => dice.index(1..5_000),
        };
        *lines += 1;
        let path = format!("out/{lines}.bin");
        let bytes = noise(dice, size);
        let what = What::File { path, bytes };
        return Act { after, what };
    }
    let mut output = Vec::new();
    for _ in 0..dice.within(1..4) {
        let stream = dice.pick(&[Stream::Stdout, Stream::Stdout, Stream::Stderr]);
        output.push((stream, said(dice, name, stream, lines)));
    }
    let what = What::Output(output);
    Act { after, what }
}

/// Whole lines that tell which stream they go to; now and then a lot of them.
fn said(dice: &Dice, name: &str, stream: Stream, lines: &mut u64) -> Vec<u8> {
    let mark = mark(stream);
    let count = if dice.once_in(40) {
        dice.within(500..1_200)
    } else {
        dice.within(1..8)
    };
    let mut text = String::new();
    for _ in 0..count {
        *lines += 1;
        let word = dice.roll();
        writeln!(text, "{mark} {name} {lines} {word:016x}").expect("a string takes any text");
    }
    text.into_bytes()
}

/// How a line of `stream` begins.
pub(super) fn mark(stream: Stream) -> char {
    match stream {
        Stream::Stdout => 'o',
        Stream::Stderr => 'e',
        Stream::System => 's',
    }
}

/// Bytes that no compressor makes smaller.
fn noise(dice: &Dice, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&dice.roll().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
