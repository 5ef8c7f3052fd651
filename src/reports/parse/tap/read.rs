//! The lines of TAP become rows: one a test point that stands for itself.
//!
//! * **Subtests** are told by indentation, four spaces a level. The point that follows them in their parent sums them up: it is no
//!   row where its children are, so that rows are what the tool counts as tests. It is a row when it failed for a reason of its
//!   own: none of its children failed, or its diagnostics name another cause than them (node's `failureType`). Names of subtests
//!   (`# Subtest: name`) make the suite of what stands below them.
//!   vitest and older node-taps write it before its children, with a brace that is closed after them.
//! * **Plans** are compared with the points of their level. Missing points are told as a warning; no rows are invented for them.
//! * **Comments** belong to the point before them, and before the first point to that one. tape writes the name of a test as
//!   a comment before its assertions; where a file is tape's, that is their suite.
//! * `not ok … # TODO` is a known issue; `ok … # TODO` has passed, with the property `todo`.

use std::io::BufRead;
use std::sync::Arc;

use super::level::{Level, Tape};
use super::line::{Line, Point};
use super::point::Told;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Decoded, Fault, LONGEST_LINE, Lines, Piece, TextBuilder};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Outcome, ParsedCase, Repeat, SuiteInfo, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::warnings::Repairs;

/// Spaces of one level.
const INDENT: usize = 4;

/// Bytes of a subtest's name in the suite of its tests.
const NAME_BYTES: usize = 1 << 10;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Tap {
        out: Output::new(Format::Tap, limits, sink),
        repairs: Repairs::at_line(1),
        levels: vec![Level::default()],
        pending: None,
        brace: None,
        before: TextBuilder::new(limits.text_bytes),
        after: TextBuilder::new(limits.text_bytes),
        block: None,
        rest: TextBuilder::new(limits.text_bytes),
        tape: Tape::Unknown,
        bailed: false,
        flat: true,
        line: 0,
    };
    let mut lines = Lines::new(input, LONGEST_LINE);
    let end = reader.document(&mut lines);
    let line = lines.number().max(1);
    reader.out.finish(end, line, &reader.repairs)
}

struct Tap<'a> {
    out: Output<'a>,
    repairs: Repairs,
    /// Open levels, the document first.
    levels: Vec<Level>,
    /// The last point, until it is known that nothing follows that belongs to it; with its level.
    pending: Option<(usize, Told)>,
    /// The last line was a point that may open a subtest: only the next line tells a brace from the end of a name.
    brace: Option<(usize, Point, u64)>,
    /// Comments before the first point.
    before: TextBuilder,
    /// Comments after the pending point.
    after: TextBuilder,
    /// The diagnostic block that is being read, and its indentation.
    block: Option<(usize, TextBuilder)>,
    /// Comments that belong to no row.
    rest: TextBuilder,
    tape: Tape,
    bailed: bool,
    /// No subtest was seen.
    flat: bool,
    line: u64,
}

impl Tap<'_> {
    fn document<R: std::io::Read>(&mut self, lines: &mut Lines<R>) -> Result<(), Halt> {
        while lines.advance()? {
            self.line = lines.number();
            self.repairs.line = self.line;
            let cut = lines.cut();
            if cut > 0 {
                self.out.warn(self.line, "long_line", "cut it off", || {
                    format!("a line is {cut} bytes longer than {LONGEST_LINE}")
                });
            }
            let raw = lines.line();
            let text = TextBuilder::short(raw, Piece::Plain, LONGEST_LINE * 2, &mut self.repairs);
            self.take(&text)?;
        }
        self.finish()
    }

    fn take(&mut self, text: &str) -> Result<(), Halt> {
        if self.in_block(text) {
            return Ok(());
        }
        let content = text.trim_start_matches(' ');
        let indent = text.len() - content.len();
        let level = indent / INDENT;
        let line = Line::new(content);
        self.settle_brace(level)?;
        match line {
            Line::Point(point) if point.braced => self.brace = Some((level, point, self.line)),
            Line::Other("}") if self.ends_brace(level) => {
                self.flush()?;
                self.close_to(level)?;
            }
            Line::YamlStart
                if self
                    .pending
                    .as_ref()
                    .is_some_and(|(of, told)| told.block.is_none() && indent > of * INDENT) =>
            {
                self.block = Some((indent, TextBuilder::new(self.out.limits.text_bytes)));
            }
            Line::Version => {
                self.flush()?;
                if level == 0 && self.levels[0].points > 0 {
                    self.close_to(0)?;
                    self.check_plan();
                    self.levels[0] = Level::default();
                }
                if level == 0 && matches!(self.tape, Tape::Unknown) {
                    self.tape = Tape::Maybe(None);
                }
            }
            Line::Plan { count, skip } => {
                self.enter(level)?;
                let of = self.levels.last_mut().expect("the document stays");
                // `# Subtest: name` inside the subtest itself, as old producers write it.
                if let Some(name) = of.announced.take()
                    && of.name.is_none()
                    && of.points == 0
                {
                    of.name = Some(name);
                }
                of.plan = Some(count);
                if let Some(why) = skip
                    && level == 0
                    && self.out.summary.properties.is_empty()
                {
                    let why = ("skip_all".to_owned(), first_words(why));
                    self.out.summary.properties.push(why);
                }
            }
            Line::Point(point) => self.point(level, point, self.line)?,
            Line::BailOut(reason) => self.bail_out(reason)?,
            Line::Subtest(name) => {
                self.enter(level)?;
                self.tape = Tape::No;
                let name = TextBuilder::short(
                    name.as_bytes(),
                    Piece::Plain,
                    NAME_BYTES,
                    &mut self.repairs,
                );
                let of = self.levels.last_mut().expect("the document stays");
                of.announced = Some(name);
            }
            Line::Comment(comment) => self.comment(comment)?,
            Line::Pragma | Line::Blank => {}
            Line::Other(_) | Line::YamlStart => self.said(text.trim_end()),
        }
        Ok(())
    }

    /// Takes a line of a diagnostic block; `false` when the line is outside.
    fn in_block(&mut self, text: &str) -> bool {
        let Some((indent, block)) = &mut self.block else {
            return false;
        };
        let own = text.len() - text.trim_start_matches(' ').len();
        let content = text.trim();
        if own == *indent && content == "..." || own < *indent && !content.is_empty() {
            let text_of_block = block.finish();
            self.block = None;
            if let Some((_, told)) = &mut self.pending {
                told.block = Some(text_of_block).filter(|text| !text.value.trim().is_empty());
            }
            if content == "..." {
                return true;
            }
            self.out
                .warn(self.line, "block_unfinished", "ended it here", || {
                    "a diagnostic block has no end".to_owned()
                });
            return false;
        }
        let line = text.get(*indent..).unwrap_or("").trim_end();
        block.push_str(line, Piece::Plain, &mut self.repairs);
        block.push_str("\n", Piece::Plain, &mut self.repairs);
        true
    }

    fn point(&mut self, level: usize, point: Point, line: u64) -> Result<(), Halt> {
        self.enter(level)?;
        let heading = match &mut self.tape {
            Tape::Maybe(heading) => {
                let heading = heading.take().filter(|_| !point.dashed && level == 0);
                self.tape = if heading.is_some() {
                    self.out.summary.reporter = Some("tape".to_owned());
                    drop(self.before.finish());
                    Tape::Yes
                } else {
                    Tape::No
                };
                heading
            }
            Tape::Unknown => {
                self.tape = Tape::No;
                None
            }
            Tape::Yes | Tape::No => None,
        };
        let level = self.levels.len() - 1;
        let of = &mut self.levels[level];
        if let Some(heading) = heading {
            of.name = Some(heading);
        }
        of.points += 1;
        if let Some(name) = of.announced.take()
            && name != point.description
            && of.name.is_none()
            && level > 0
        {
            of.name = Some(name);
        }
        let (place, below) = (of.points, of.below.take());
        let output = self.before.finish();
        let told = Told {
            point,
            line,
            suite: self.suite(),
            place,
            block: None,
            output: Some(output).filter(|text| !text.value.trim().is_empty()),
            below,
        };
        self.pending = Some((level, told));
        Ok(())
    }

    /// The line after a point with a brace: deeper, and it is within the subtest; else the brace was of the name.
    fn settle_brace(&mut self, next: usize) -> Result<(), Halt> {
        let Some((level, mut point, line)) = self.brace.take() else {
            return Ok(());
        };
        if next <= level {
            point.description.push_str(" {");
            return self.point(level, point, line);
        }
        self.enter(level)?;
        self.tape = Tape::No;
        let depth = self.levels.len();
        self.levels[depth - 1].announced = Some(point.description.clone());
        self.enter(depth)?;
        match self.levels.get_mut(depth) {
            Some(of) => of.opened_by = Some((point, line)),
            // Too deep for a level of its own.
            None => self.point(depth - 1, point, line)?,
        }
        Ok(())
    }

    fn ends_brace(&self, level: usize) -> bool {
        let of = self.levels.get(level + 1);
        of.is_some_and(|of| of.opened_by.is_some())
    }

    /// Goes to a level: the pending point is complete, deeper subtests have ended, a new one may begin.
    fn enter(&mut self, level: usize) -> Result<(), Halt> {
        self.flush()?;
        if level + 1 < self.levels.len() {
            return self.close_to(level);
        }
        if level + 1 > self.levels.len() && self.levels.len() <= self.out.limits.depth {
            self.flat = false;
            let name = self
                .levels
                .last_mut()
                .and_then(|level| level.announced.take());
            self.levels.push(Level {
                name,
                ..Level::default()
            });
        }
        Ok(())
    }

    fn close_to(&mut self, level: usize) -> Result<(), Halt> {
        while self.levels.len() > level + 1 {
            self.check_plan();
            let ended = self.levels.pop().expect("deeper than a level");
            let of = self.levels.last_mut().expect("the document stays");
            of.rows += ended.rows;
            of.failed += ended.failed;
            of.below = Some((ended.rows, ended.failed));
            if let Some((point, line)) = ended.opened_by {
                self.point(self.levels.len() - 1, point, line)?;
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Compares plan and points of the deepest level.
    fn check_plan(&mut self) {
        let level = self.levels.last().expect("the document stays");
        let (Some(plan), points) = (level.plan, level.points) else {
            return;
        };
        if plan == points || self.levels.len() == 1 && self.flat {
            return;
        }
        let name = level.name.clone();
        self.out
            .warn(self.line, "declared_counts", "counted the points", || {
                let of = name.map_or_else(String::new, |name| format!(" of `{name}`"));
                format!("the plan{of} has {plan} tests, and {points} were told")
            });
    }

    fn suite(&self) -> Arc<str> {
        let names: Vec<&str> = self
            .levels
            .iter()
            .filter_map(|level| level.name.as_deref())
            .collect();
        names.join(" > ").into()
    }

    /// Hands on the pending point.
    fn flush(&mut self) -> Result<(), Halt> {
        let Some((level, mut told)) = self.pending.take() else {
            return Ok(());
        };
        let after = self.after.finish();
        if !after.value.trim().is_empty() {
            match &mut told.output {
                Some(output) => {
                    let mut both = TextBuilder::new(self.out.limits.text_bytes);
                    for text in [&output.value, &after.value] {
                        both.push_str(text, Piece::Plain, &mut self.repairs);
                    }
                    *output = both.finish();
                }
                None => told.output = Some(after),
            }
        }
        let Some(mut case) = told.into_case() else {
            return Ok(());
        };
        self.shorten(&mut case);
        let of = &mut self.levels[level];
        of.rows += 1;
        of.failed += u64::from(matches!(case.outcome, Outcome::Failed | Outcome::Error));
        self.out.case(case)
    }

    /// Keeps short texts short; a line may have a megabyte.
    fn shorten(&mut self, case: &mut ParsedCase) {
        let most = self.out.limits.attribute_bytes;
        let values = case
            .properties
            .iter_mut()
            .chain(&mut case.extra)
            .map(|(_, value)| value);
        let texts = [&mut case.name]
            .into_iter()
            .chain(&mut case.nodeid)
            .chain(&mut case.message)
            .chain(values);
        for text in texts.filter(|text| text.len() > most) {
            *text = TextBuilder::short(text.as_bytes(), Piece::Plain, most, &mut self.repairs);
        }
    }

    fn comment(&mut self, comment: &str) -> Result<(), Halt> {
        match &mut self.tape {
            Tape::Maybe(heading) => {
                *heading = Some(first_words(comment));
                self.said(comment);
            }
            Tape::Yes => {
                self.flush()?;
                self.levels[0].name = Some(first_words(comment));
                self.said(comment);
            }
            Tape::Unknown | Tape::No => self.said(comment),
        }
        Ok(())
    }

    /// Text that belongs to the point before it, or to the first one.
    fn said(&mut self, text: &str) {
        let of = if self.pending.is_some() {
            &mut self.after
        } else if self.levels[0].points == 0 && !matches!(self.tape, Tape::Yes) {
            &mut self.before
        } else {
            &mut self.rest
        };
        of.push_str(text, Piece::Plain, &mut self.repairs);
        of.push_str("\n", Piece::Plain, &mut self.repairs);
    }

    fn bail_out(&mut self, reason: &str) -> Result<(), Halt> {
        self.flush()?;
        // Producers repeat it on every level that it leaves.
        if std::mem::replace(&mut self.bailed, true) {
            return Ok(());
        }
        let mut case = ParsedCase {
            report_line: self.line,
            suite: self.suite(),
            name: "Bail out!".to_owned(),
            outcome: Outcome::Error,
            message: Some(if reason.is_empty() {
                "the run was given up".to_owned()
            } else {
                reason.to_owned()
            }),
            attempt: 1,
            repeat: Repeat::Row,
            ..ParsedCase::default()
        };
        self.shorten(&mut case);
        let level = self.levels.last_mut().expect("the document stays");
        level.rows += 1;
        level.failed += 1;
        self.out.case(case)
    }

    fn finish(&mut self) -> Result<(), Halt> {
        self.settle_brace(0)?;
        if self.block.is_some() {
            // As if the next line were outside.
            self.in_block("#");
        }
        self.flush()?;
        let open = self.levels.len() - 1;
        let empty = open == 0 && self.levels[0].points == 0 && self.levels[0].plan.is_none();
        if empty && self.out.summary.counts.total == 0 {
            return Err(Fault::Invalid("neither a plan nor a test point".to_owned()).into());
        }
        let of_document = &self.levels[0];
        let short = of_document
            .plan
            .is_some_and(|plan| plan > of_document.points);
        if !self.bailed && (of_document.plan.is_none() || open > 0 || short) {
            self.out.truncated(self.line, || match open {
                0 if short => "the plan promises more tests".to_owned(),
                0 => "there is no plan".to_owned(),
                _ => "a subtest has no end".to_owned(),
            });
        }
        self.close_to(0)?;
        self.check_plan();
        if self.flat
            && let Some(plan) = self.levels[0].plan
        {
            self.out.summary.declared = Some(Counts {
                total: plan,
                ..Counts::default()
            });
        }
        for mut text in [
            std::mem::replace(&mut self.before, TextBuilder::new(0)),
            std::mem::replace(&mut self.rest, TextBuilder::new(0)),
        ] {
            let text = text.finish();
            if !text.value.trim().is_empty() {
                self.out.suite(SuiteInfo {
                    stdout: Some(text),
                    ..SuiteInfo::default()
                });
            }
        }
        Ok(())
    }
}

/// A heading, short enough for the name of a suite.
fn first_words(comment: &str) -> String {
    comment.trim().chars().take(300).collect()
}
