//! JUnit XML in all its dialects, as a state machine over tokens: a stack of open elements, never recursion.
//!
//! Suites are kept by `junit_suite`, the case in hand by `junit_case`; this file decides which element means what where.

use std::io::BufRead;

use super::case::{CaseBuilder, Class};
use super::element::{Kind, Name, Open};
use super::suite::Suites;
use super::testhide::Dialect;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::Decoded;
use crate::reports::parse::input::{Piece, TextBuilder};
use crate::reports::parse::input::{Tag, Token, Xml};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Summary};
use crate::reports::parse::read::Sink;
use crate::reports::parse::warnings::{Repairs, Warnings};

/// A property that is being read.
struct OpenProperty {
    name: String,
    value: Option<String>,
}

/// The parser of one document.
pub(in crate::reports::parse) struct Junit<'a> {
    limits: &'a Limits,
    sink: &'a mut dyn Sink,
    dialect: Dialect,
    stack: Vec<Open>,
    /// Elements open below the depth limit.
    too_deep: u64,
    /// Texts being collected, with the height of the stack at which each ends; at most two.
    texts: Vec<(usize, TextBuilder)>,
    suites: Suites,
    /// The case in hand. A case is large to move about, so its builder stays where it is.
    case: Option<Box<CaseBuilder>>,
    /// The builder while there is no case.
    spare: Option<Box<CaseBuilder>>,
    property: Option<OpenProperty>,
    counts: Counts,
    /// Attempts that stood inside cases.
    inner_attempts: u64,
    warnings: Warnings,
    repairs: Repairs,
    /// An element of a report was met.
    recognised: bool,
    full: bool,
    /// Another document began inside a case: the one before broke off.
    broke_off: bool,
}

impl<'a> Junit<'a> {
    pub(in crate::reports::parse) fn new(
        format: Format,
        single_quoted: bool,
        limits: &'a Limits,
        sink: &'a mut dyn Sink,
    ) -> Self {
        Self {
            limits,
            sink,
            dialect: Dialect::new(format, single_quoted),
            stack: Vec::new(),
            too_deep: 0,
            texts: Vec::new(),
            suites: Suites::new(limits),
            case: None,
            spare: None,
            property: None,
            counts: Counts::default(),
            inner_attempts: 0,
            warnings: Warnings::new(limits.warnings),
            repairs: Repairs::at_line(1),
            recognised: false,
            full: false,
            broke_off: false,
        }
    }

    /// Reads the document to its end.
    pub(in crate::reports::parse) fn read<R: BufRead>(
        mut self,
        input: Decoded<R>,
        declaration_ignored: bool,
    ) -> Result<Summary, ParseError> {
        if declaration_ignored {
            self.warnings
                .add(1, "encoding_ignored", "read the file as UTF-8", || {
                    "the declared encoding is unknown or not the one used".to_owned()
                });
        }
        let mut xml = Xml::new(input, self.limits.tag_bytes);
        let unfinished = loop {
            let token = match xml.next_token() {
                Ok(token) => token,
                Err(source) => {
                    return Err(ParseError::Input {
                        line: self.repairs.line.max(1),
                        source,
                    });
                }
            };
            match token {
                Token::Start(tag) => {
                    self.start(&tag)?;
                    if tag.self_closing {
                        self.end(b"")?;
                    }
                }
                Token::End(name) => self.end(name)?,
                Token::Text(piece) => self.text(piece, Piece::Markup),
                Token::CData(piece) => self.text(piece, Piece::CData),
                Token::StrayBracket => {
                    self.repairs.stray_markup();
                    self.text(b"<", Piece::CData);
                }
                Token::Declaration => return Err(ParseError::DoctypeRefused { line: xml.line() }),
                Token::EndOfInput { unfinished } => break unfinished,
            }
            self.repairs.line = xml.next_line();
            if self.full {
                break true;
            }
        };
        if xml.input().had_errors {
            self.repairs.invalid_bytes();
        }
        self.finish(unfinished)
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), ParseError> {
        if tag.damaged {
            self.repairs.stray_markup();
        }
        if self.stack.len() >= self.limits.depth {
            if self.too_deep == 0 {
                self.warnings.add(
                    self.repairs.line,
                    "too_deep",
                    "skipped what lies deeper",
                    || format!("elements nested deeper than {}", self.limits.depth),
                );
            }
            self.too_deep += 1;
            return Ok(());
        }
        let kind = self.kind(tag.name());
        self.recognised |= matches!(kind, Kind::Root | Kind::Suite | Kind::Case);
        match kind {
            Kind::Root => {
                if self.case.is_some() {
                    self.begin_again()?;
                }
                self.dialect.writer.root(tag);
                self.suites.root(tag, &mut self.repairs);
            }
            Kind::Suite => {
                self.emit_case()?;
                self.suites
                    .open(tag, self.dialect.is_testhide(), &mut self.repairs);
                self.dialect.writer.suite(self.suites.name());
            }
            Kind::Case => {
                self.emit_case()?;
                let mut case = self.builder();
                case.begin(tag, &mut self.warnings, &mut self.repairs);
                let projects = self.dialect.writer.hosts_are_projects();
                self.suites.place(&mut case.case, projects);
                self.case = Some(case);
            }
            Kind::Problem(class) => {
                if self.case.is_none() {
                    // A failure that belongs to no case would be lost, and the report look green.
                    let mut case = self.builder();
                    case.begin_of_suite(self.repairs.line);
                    self.suites.place(&mut case.case, false);
                    self.case = Some(case);
                }
                if let Some(case) = &mut self.case {
                    case.open_problem(class, tag, &mut self.repairs);
                }
            }
            Kind::Retry => {
                if let Some(case) = &mut self.case {
                    case.open_retry(tag, &mut self.repairs);
                }
            }
            Kind::Property => self.property = Some(self.read_property(tag)),
            Kind::Properties | Kind::Other | Kind::StackTrace | Kind::Stdout | Kind::Stderr => {}
        }
        self.stack.push(Open {
            kind,
            name: Name::of(tag.name()),
        });
        if let Some(limit) = self.text_limit(kind) {
            self.texts.push((self.stack.len(), TextBuilder::new(limit)));
        }
        Ok(())
    }

    fn builder(&mut self) -> Box<CaseBuilder> {
        self.spare
            .take()
            .unwrap_or_else(|| Box::new(CaseBuilder::new(self.limits)))
    }

    /// What an element is here. Names are compared without case; unknown ones are `Other`.
    fn kind(&self, name: &[u8]) -> Kind {
        let mut lower = [0; 16];
        let Some(lower) = lower.get_mut(..name.len()) else {
            return Kind::Other;
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let inside = self.stack.last().map(|open| open.kind);
        let in_text = !self.texts.is_empty();
        let kind = match &*lower {
            b"testsuites" => Kind::Root,
            b"testsuite" => Kind::Suite,
            b"testcase" => Kind::Case,
            b"properties" => Kind::Properties,
            b"property" => Kind::Property,
            b"failure" => Kind::Problem(Class::Failure),
            b"error" => Kind::Problem(Class::Error),
            b"skipped" | b"skip" | b"ignored" => Kind::Problem(Class::Skipped),
            b"rerunfailure" | b"rerunerror" | b"flakyfailure" | b"flakyerror"
                if self.case.is_some() =>
            {
                Kind::Retry
            }
            b"stacktrace" if inside == Some(Kind::Retry) => Kind::StackTrace,
            b"system-out" => Kind::Stdout,
            b"system-err" => Kind::Stderr,
            _ => Kind::Other,
        };
        match kind {
            // Inside a text only the parts of a retry have a meaning of their own; all else is more of the text.
            Kind::StackTrace | Kind::Case | Kind::Suite => kind,
            Kind::Stdout | Kind::Stderr if inside == Some(Kind::Retry) => kind,
            _ if in_text => Kind::Other,
            _ => kind,
        }
    }

    fn text_limit(&self, kind: Kind) -> Option<usize> {
        let short = self.limits.attribute_bytes;
        match kind {
            _ if self.texts.len() >= 2 => None,
            Kind::Problem(_) | Kind::Retry | Kind::StackTrace | Kind::Stdout | Kind::Stderr => {
                Some(self.limits.text_bytes)
            }
            Kind::Property => Some(short),
            Kind::Other if self.case.is_some() && self.texts.is_empty() => Some(short),
            _ => None,
        }
    }

    fn read_property(&mut self, tag: &Tag<'_>) -> OpenProperty {
        let mut property = OpenProperty {
            name: String::new(),
            value: None,
        };
        for (name, value) in tag.attributes() {
            let value = TextBuilder::short(
                value,
                Piece::Attribute,
                self.limits.attribute_bytes,
                &mut self.repairs,
            );
            match name {
                b"name" | b"key" => property.name = value,
                b"value" => property.value = Some(value),
                _ => {}
            }
        }
        property
    }

    fn text(&mut self, piece: &[u8], how: Piece) {
        if let Some((_, builder)) = self.texts.last_mut() {
            builder.push(piece, how, &mut self.repairs);
        }
    }

    fn end(&mut self, name: &[u8]) -> Result<(), ParseError> {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return Ok(());
        }
        let wanted = Name::of(name);
        let height = match self.stack.last() {
            None => {
                self.repairs.stray_markup();
                return Ok(());
            }
            Some(open) if name.is_empty() || open.name == wanted => self.stack.len() - 1,
            Some(_) => {
                self.repairs.stray_markup();
                let Some(height) = self.stack.iter().rposition(|open| open.name == wanted) else {
                    return Ok(());
                };
                height
            }
        };
        while self.stack.len() > height {
            self.close_innermost(name)?;
        }
        Ok(())
    }

    fn close_innermost(&mut self, name: &[u8]) -> Result<(), ParseError> {
        let height = self.stack.len();
        let text = self
            .texts
            .pop_if(|(at, _)| *at == height)
            .map(|(_, mut builder)| builder.finish());
        let Some(Open { kind, .. }) = self.stack.pop() else {
            return Ok(());
        };
        match (kind, text, &mut self.case) {
            (Kind::Case, ..) => self.emit_case()?,
            (Kind::Suite, ..) => {
                self.emit_case()?;
                self.suites.close(self.sink);
            }
            (Kind::Problem(class), Some(text), Some(case)) => {
                case.close_problem(class, &text, &mut self.repairs);
                if case.of_suite {
                    self.emit_case()?;
                }
            }
            (Kind::Retry, Some(text), Some(case)) => case.close_retry(text),
            (Kind::StackTrace, Some(text), Some(case)) => case.retry_trace(text),
            (Kind::Stdout, Some(text), Some(case)) => case.stdout(
                text,
                self.stack
                    .last()
                    .is_some_and(|open| open.kind == Kind::Retry),
            ),
            (Kind::Stderr, Some(text), Some(case)) => case.stderr(
                text,
                self.stack
                    .last()
                    .is_some_and(|open| open.kind == Kind::Retry),
            ),
            (Kind::Stdout, Some(text), None) => self.suites.stdout(text),
            (Kind::Stderr, Some(text), None) => self.suites.stderr(text),
            (Kind::Other, Some(text), Some(case)) => case.unknown(name, text),
            (Kind::Property, Some(text), case) => {
                if let Some(OpenProperty { name, value }) = self.property.take() {
                    let value = value.unwrap_or_else(|| text.value.trim().to_owned());
                    match case {
                        Some(case) => case.property(name, value),
                        None => {
                            self.dialect.writer.property(&name);
                            self.suites.property(name, value);
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Hands the case in hand, if any, to the sink.
    fn emit_case(&mut self) -> Result<(), ParseError> {
        let Some(mut builder) = self.case.take() else {
            return Ok(());
        };
        let case = builder.finish(&mut self.dialect, &mut self.warnings);
        self.spare = Some(builder);
        if self.counts.total >= self.limits.cases {
            self.full = true;
            return Ok(());
        }
        let line = case.report_line;
        self.counts.add(case.outcome);
        self.inner_attempts += case.retries.len() as u64;
        self.sink
            .case(case)
            .map_err(|_| ParseError::Stopped { line })
    }

    /// Hands on the case in which a document breaks off, when it says how it ended.
    fn end_cut_case(&mut self, line: u64) -> Result<(), ParseError> {
        let unknown = |case: &mut Box<CaseBuilder>| !case.outcome_is_known();
        if let Some(cut) = self.case.take_if(unknown) {
            self.spare = Some(cut);
            self.warnings
                .add(line, "incomplete_case", "left it out", || {
                    "the last case has no outcome yet".to_owned()
                });
        }
        self.emit_case()
    }

    /// A document begins inside a case: a runner that died, and the next one wrote to the same file.
    fn begin_again(&mut self) -> Result<(), ParseError> {
        let line = self.repairs.line.max(1);
        self.broke_off = true;
        self.warnings
            .add(line, "truncated", "read on with the next", || {
                "the report ends inside a test case, and another begins".to_owned()
            });
        self.end_cut_case(line)?;
        while !self.stack.is_empty() {
            self.close_innermost(b"")?;
        }
        Ok(())
    }

    fn finish(mut self, unfinished: bool) -> Result<Summary, ParseError> {
        let line = self.repairs.line.max(1);
        if !self.recognised {
            return Err(ParseError::NotRecognised {
                line: 1,
                reason: "no element of a JUnit report".to_owned(),
            });
        }
        let truncated = unfinished || !self.stack.is_empty();
        if self.full {
            self.warnings
                .add(line, "too_many_cases", "left out the rest", || {
                    format!("more than {} cases", self.limits.cases)
                });
        } else if truncated {
            self.warnings
                .add(line, "truncated", "kept what stood before", || {
                    "the report ends inside an element".to_owned()
                });
            while let Some((_, mut builder)) = self.texts.pop() {
                let kind = self.stack.pop().map(|open| open.kind);
                if let (Some(Kind::Problem(class)), Some(case)) = (kind, &mut self.case) {
                    case.close_problem(class, &builder.finish(), &mut self.repairs);
                }
            }
            self.end_cut_case(line)?;
            if self.counts.total == 0 {
                return Err(ParseError::Broken {
                    line,
                    reason: "the report ends inside an element".to_owned(),
                });
            }
        }
        let suites = self.suites.finish(self.sink);
        // Surefire counts every run of a test, so that reruns are in its sum.
        let runs = self.counts.total + self.inner_attempts;
        if let Some(declared) = suites.declared
            && declared.total != self.counts.total
            && declared.total != runs
        {
            let found = self.counts.total;
            self.warnings
                .add(1, "declared_counts", "counted the cases", || {
                    format!(
                        "the report declares {} tests and holds {found}",
                        declared.total
                    )
                });
        }
        let (warnings, warnings_total) = self.warnings.finish(&self.repairs);
        Ok(Summary {
            format: self.dialect.format(),
            reporter: self.dialect.reporter(&suites.first_name),
            reporter_version: None,
            properties: suites.properties,
            declared: suites.declared,
            counts: self.counts,
            started_at: suites.started_at,
            finished_at: suites.finished_at,
            warnings,
            warnings_total,
            repaired: self.repairs.total(),
            truncated: truncated || self.broke_off,
        })
    }
}
