//! A step that prints on command what anybody can compute again.
//!
//! The script takes orders from a named pipe (print so many lines, or end) and answers on another, so a case knows what was printed without
//! looking at a clock. Both pipes belong to the test: they outlive agents, runners and servers. Its lines follow from a seed. With one pipe
//! of output the stored log must be every line in order; with two, their order against each other is nobody's promise, so standard error speaks
//! in upper case, the rest is standard output, and each must be whole and in order.

use super::machine::Machine;
use super::settings::PATIENCE;
use super::user::User;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;

/// Prints lines on behalf of [`STEP`] and says where the sequence is. MINSTD (Park, Miller 1988): its products are exact in the
/// double-precision numbers of any awk.
const SCRIPT: &str = r#"
BEGIN {
    lower = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"
    upper = toupper(lower)
    for (; lines > 0; lines--) {
        seed = (seed * 16807) % 2147483647
        line++
        if (both && seed % 4 == 0) printf "%s;", substr(upper, 1, 1 + seed % 64) > "/dev/stderr"
        else printf "%d %d %s\n", line, seed, substr(lower, 1, seed % 64)
    }
    print line, seed > "/dev/fd/3"
}
"#;

/// Reads orders. Not in awk itself: some read a pipe only when it has filled their buffer.
const STEP: &str = r#"
printf '%s\n' "$KEY-$TESTHIDE_ATTEMPT" >> "$DIR/witness"
exec 6< "$DIR/$KEY-$TESTHIDE_ATTEMPT.orders" 4> "$DIR/$KEY-$TESTHIDE_ATTEMPT.answers" 5>&1
line=0 seed=$SEED
while read -r lines <&6 && [ "$lines" != end ]; do
    now=$(awk -v lines="$lines" -v line="$line" -v seed="$seed" -v both="$BOTH" -f "$DIR/printer.awk" 3>&1 1>&5)
    read -r line seed <<< "$now"
    echo "$line" >&4
done
"#;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm";

/// How many pipes a printer prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipes {
    /// Standard output.
    One,
    /// Standard error as well.
    Two,
}

/// The job whose builds are printers.
pub(crate) struct Press {
    job: String,
    dir: PathBuf,
    machine: PathBuf,
    made: u64,
}

impl Press {
    /// Makes the job.
    pub(crate) async fn set_up(machine: &Machine, user: &User) -> Self {
        let dir = machine.path("printers");
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join("printer.awk"), SCRIPT).expect("a script");
        let definition = json!({
            "parameters": {"DIR": dir, "KEY": "", "SEED": "", "BOTH": ""},
            "steps": [{"type": "bash", "name": "print", "run": STEP}],
            "timeout_seconds": 4 * 60 * 60,
        });
        Self {
            job: user.make_job("printer", definition).await,
            machine: machine.path(""),
            dir,
            made: 0,
        }
    }

    /// Triggers a build that prints.
    pub(crate) async fn print(&mut self, user: &User, pipes: Pipes) -> Printer {
        self.made += 1;
        let key = format!("printer{}", self.made);
        // Any number from 1 will do; neighbours must not print the same.
        let seed = 1 + self.made * 7_919;
        let both = pipes == Pipes::Two;
        make_pipes(&self.dir, &key, 1);
        let (orders, answers) = open_pipes(&self.dir, &key, 1);
        let parameters =
            json!({"KEY": key, "SEED": seed.to_string(), "BOTH": u8::from(both).to_string()});
        let number = user.trigger(&self.job, &key, parameters).await;
        Printer {
            number,
            key,
            seed,
            both,
            dir: self.dir.clone(),
            orders,
            answers,
            ordered: 0,
            answered: 0,
            earlier: Vec::new(),
        }
    }

    /// Checks that each printer's steps ran, and ran once: all attempts that are named here, and no other.
    pub(crate) fn check_runs<'a>(&self, printers: impl IntoIterator<Item = (&'a Printer, u32)>) {
        let witness = std::fs::read_to_string(self.dir.join("witness")).expect("the witness");
        let mut ran: Vec<String> = witness.lines().map(str::to_owned).collect();
        ran.sort();
        let mut expected: Vec<String> = printers
            .into_iter()
            .flat_map(|(printer, attempts)| {
                (1..=attempts).map(|attempt| format!("{}-{attempt}", printer.key))
            })
            .collect();
        expected.sort();
        assert_eq!(ran, expected, "every step ran, and ran once");
    }

    /// Waits until nothing of any printer runs.
    pub(crate) async fn nothing_left(&self) {
        super::processes::nothing_left(&self.machine).await;
    }
}

/// A build that prints, and its present attempt.
pub(crate) struct Printer {
    /// Its number.
    pub(crate) number: u64,
    key: String,
    seed: u64,
    both: bool,
    dir: PathBuf,
    orders: pipe::Sender,
    answers: BufReader<pipe::Receiver>,
    ordered: u64,
    answered: u64,
    earlier: Vec<Ends>,
}

impl Printer {
    /// Lines that the present attempt was told to print.
    pub(crate) fn ordered(&self) -> u64 {
        self.ordered
    }

    /// Has `lines` more printed; see [`Printer::answered`].
    pub(crate) async fn order(&mut self, lines: u64) {
        self.ordered += lines;
        self.say(&lines.to_string()).await;
    }

    /// Waits until everything that was ordered is printed.
    pub(crate) async fn answered(&mut self) {
        while self.answered < self.ordered {
            let mut line = String::new();
            let reading = self.answers.read_line(&mut line);
            let read = tokio::time::timeout(PATIENCE, reading).await;
            read.unwrap_or_else(|_| panic!("build {} does not print", self.number))
                .expect("the pipe is the test's own");
            self.answered = line.trim().parse().expect("a number of lines");
        }
    }

    /// Lets the step end.
    pub(crate) async fn end(&mut self) {
        self.say("end").await;
    }

    async fn say(&mut self, order: &str) {
        let order = format!("{order}\n");
        let said = self.orders.write_all(order.as_bytes()).await;
        said.expect("the pipe is the test's own");
    }

    /// Makes ready for an attempt that is to come; see [`Printer::turn_to_attempt`].
    pub(crate) fn foresee_attempt(&self, attempt: u32) {
        make_pipes(&self.dir, &self.key, attempt);
    }

    /// Turns to a later attempt, which prints from the beginning. The pipes of the earlier one stay: its step, if it still runs, waits.
    pub(crate) fn turn_to_attempt(&mut self, attempt: u32) {
        let (orders, answers) = open_pipes(&self.dir, &self.key, attempt);
        let earlier = (
            std::mem::replace(&mut self.orders, orders),
            std::mem::replace(&mut self.answers, answers),
        );
        self.earlier.push(earlier);
        (self.ordered, self.answered) = (0, 0);
    }

    /// What the present attempt must have printed.
    pub(crate) fn expected(&self) -> Expected {
        Expected::new(self.seed, self.both, self.ordered)
    }

    /// Checks that the build passed in its attempt `attempt` and that its stored log is what was printed, byte for byte.
    pub(crate) async fn check(&self, user: &User, attempt: u32) {
        let build = user.wait_for_end(self.number).await;
        assert_eq!(
            (&build["status"], &build["attempt"]),
            (&json!("passed"), &json!(attempt)),
            "{build}"
        );
        let mut expected = self.expected();
        let outcome = user
            .raw_log(self.number, attempt, |bytes| expected.take(bytes))
            .await;
        let outcome = outcome.and_then(|()| expected.end());
        outcome.unwrap_or_else(|why| {
            panic!(
                "the log of build {} is not what was printed: {why}",
                self.number
            )
        });
    }
}

/// The test's ends of an attempt's pipes: orders and answers.
type Ends = (pipe::Sender, BufReader<pipe::Receiver>);

fn paths(dir: &Path, key: &str, attempt: u32) -> [PathBuf; 2] {
    ["orders", "answers"].map(|kind| dir.join(format!("{key}-{attempt}.{kind}")))
}

fn make_pipes(dir: &Path, key: &str, attempt: u32) {
    let made = Command::new("mkfifo")
        .args(paths(dir, key, attempt))
        .status();
    assert!(made.expect("mkfifo runs").success(), "pipes of {key}");
}

fn open_pipes(dir: &Path, key: &str, attempt: u32) -> Ends {
    let [orders, answers] = paths(dir, key, attempt);
    // For both directions: a pipe without its other end would say that all is over.
    let mut options = pipe::OpenOptions::new();
    let orders = options.read_write(true).open_sender(orders);
    let answers = options.read_write(true).open_receiver(answers);
    let answers = BufReader::new(answers.expect("the pipe opens"));
    (orders.expect("the pipe opens"), answers)
}

/// What was printed, computed again and held against what is stored.
pub(crate) struct Expected {
    seed: u64,
    both: bool,
    line: u64,
    lines: u64,
    /// Standard output and standard error: what was printed and not yet found.
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    printed: Vec<u8>,
    /// How much of `printed` was found.
    found: usize,
    /// How much was found before.
    before: u64,
}

impl Expected {
    fn new(seed: u64, both: bool, lines: u64) -> Self {
        Self {
            seed,
            both,
            line: 0,
            lines,
            sides: Default::default(),
        }
    }

    /// Goes on with `stored` behind what came earlier.
    ///
    /// # Errors
    /// In words, the first byte that was not printed there.
    pub(crate) fn take(&mut self, stored: &[u8]) -> Result<(), String> {
        let both = self.both;
        let is_loud = |byte: &u8| both && (byte.is_ascii_uppercase() || *byte == b';');
        for run in stored.chunk_by(|a, b| !both || is_loud(a) == is_loud(b)) {
            let loud = is_loud(&run[0]);
            let found = self.find(usize::from(loud), run);
            if found < run.len() {
                let side = &self.sides[usize::from(loud)];
                let place = side.before + side.found as u64;
                let (wanted, got) = (&side.printed[side.found..], &run[found..]);
                return Err(format!(
                    "byte {place} of {}: printed `{}`, stored `{}`",
                    if loud { "stderr" } else { "stdout" },
                    shown(wanted),
                    shown(got)
                ));
            }
        }
        Ok(())
    }

    /// How many bytes at the beginning of `stored` were printed there.
    pub(crate) fn prefix_of(&mut self, stored: &[u8]) -> usize {
        assert!(!self.both, "two streams have no order");
        self.find(0, stored)
    }

    /// Says whether everything that was printed has been found.
    ///
    /// # Errors
    /// In words, what is missing.
    pub(crate) fn end(mut self) -> Result<(), String> {
        while self.print_line() {}
        for (side, name) in self.sides.iter().zip(["stdout", "stderr"]) {
            let missing = side.printed.len() - side.found;
            if missing > 0 {
                let found = side.before + side.found as u64;
                return Err(format!(
                    "{name} ends after {found} bytes, {missing} are missing"
                ));
            }
        }
        Ok(())
    }

    /// How much of `run` is what was printed next; that much is found then.
    fn find(&mut self, side: usize, run: &[u8]) -> usize {
        while self.sides[side].printed.len() - self.sides[side].found < run.len()
            && self.print_line()
        {}
        let side = &mut self.sides[side];
        let printed = &side.printed[side.found..];
        let same = if printed.starts_with(run) {
            run.len()
        } else {
            let pairs = printed.iter().zip(run);
            pairs
                .take_while(|(printed, stored)| printed == stored)
                .count()
        };
        side.found += same;
        if side.found > 1 << 20 {
            side.before += side.found as u64;
            side.printed.drain(..side.found);
            side.found = 0;
        }
        same
    }

    /// The next line, as the script prints it; whether there is one.
    fn print_line(&mut self) -> bool {
        use std::io::Write;
        if self.line == self.lines {
            return false;
        }
        self.line += 1;
        self.seed = self.seed * 16_807 % 2_147_483_647;
        let length = usize::try_from(self.seed % 64).expect("below 64");
        if self.both && self.seed.is_multiple_of(4) {
            let letters = LETTERS[..=length].iter().map(u8::to_ascii_uppercase);
            self.sides[1].printed.extend(letters);
            self.sides[1].printed.push(b';');
        } else {
            let out = &mut self.sides[0].printed;
            write!(out, "{} {} ", self.line, self.seed).expect("memory takes everything");
            out.extend_from_slice(&LETTERS[..length]);
            out.push(b'\n');
        }
        true
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

#[test]
fn what_is_missing_doubled_or_moved_is_found() {
    let printed = |both| {
        let mut expected = Expected::new(5, both, 400);
        while expected.print_line() {}
        expected.sides.map(|side| side.printed)
    };
    let check = |both, stored: &[u8], is_right| {
        let mut expected = Expected::new(5, both, 400);
        let mut parts = stored.chunks(97);
        let taken = parts.try_for_each(|part| expected.take(part));
        let outcome = taken.and_then(|()| expected.end());
        assert_eq!(outcome.is_ok(), is_right, "{outcome:?}");
    };
    let [one, _] = printed(false);
    check(false, &one, true);
    check(false, &one[..one.len() - 1], false);
    check(false, &[&one[..700], &one[600..]].concat(), false);
    check(false, &[&one[..700], &one[701..]].concat(), false);
    check(false, &[&one[..], b"x"].concat(), false);
    let [out, err] = printed(true);
    check(true, &[&out[..], &err].concat(), true);
    check(true, &[&out[..800], &err, &out[800..]].concat(), true);
    check(true, &[&out[..800], &err[1..], &out[800..]].concat(), false);
    check(true, &[&out[..800], &out[801..], &err].concat(), false);
}
