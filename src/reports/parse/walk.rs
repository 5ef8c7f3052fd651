//! Walks over a document of XML and tells a [`Document`] what opens and closes, with the text that it asked for.
//!
//! This is the frame that the parsers of XML share (JUnit's is older and has its own). It promises them:
//!
//! * every element that was opened is closed, innermost first, whatever the end tags in the document say; an element whose
//!   end is missing because the document was cut is closed with [`At::cut`] set;
//! * no element stands deeper than the limit: deeper ones are not told, only their text stays, and one warning says so;
//! * texts are repaired and cut while they are read, so that no text costs more than its limit;
//! * a document type declaration ends the parse.

use std::io::BufRead;

use super::detect::format_of_root;
use super::error::ParseError;
use super::format::Format;
use super::input::{Decoded, Fault, Piece, Tag, Text, TextBuilder, Token, Xml, duration_to_ms};
use super::limits::Limits;
use super::model::Summary;
use super::output::{Halt, Output};
use super::read::Sink;
use super::warnings::Repairs;
use super::words::first_line;

/// What a parser of one format makes of its elements.
pub(super) trait Document {
    /// What an element is, given where it stands.
    type Element: Copy + PartialEq;

    /// An element begins: says what it is and whether its text is wanted.
    fn open(
        &mut self,
        at: &mut At<'_, '_, Self::Element>,
        tag: &Tag<'_>,
    ) -> Result<(Self::Element, Keep), Halt>;

    /// An element has ended; `text` is empty unless it was asked for.
    fn close(
        &mut self,
        at: &mut At<'_, '_, Self::Element>,
        element: Self::Element,
        text: Text,
    ) -> Result<(), Halt>;

    /// The document has ended, whole or cut; hands over what was held back.
    fn end(&mut self, _out: &mut Output<'_>) -> Result<(), Halt> {
        Ok(())
    }
}

/// Whether an element's text is kept. Text inside an element that does not keep it belongs to the innermost one around it
/// that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Not for itself.
    Nothing,
    /// Up to the limit of attributes: names, messages, values.
    Short,
    /// Up to the limit of texts: traces and output.
    Long,
}

/// Where in the document the walk is, and what a parser may do there.
pub(super) struct At<'w, 'a, E> {
    /// The elements around the one in hand, the innermost last.
    pub(super) around: &'w [E],
    /// Line at which the markup in hand begins.
    pub(super) line: u64,
    /// The element is closed because the document ends here, before its end tag.
    pub(super) cut: bool,
    pub(super) out: &'w mut Output<'a>,
    pub(super) repairs: &'w mut Repairs,
}

impl<E: Copy + PartialEq> At<'_, '_, E> {
    /// The element that holds the one in hand.
    pub(super) fn parent(&self) -> Option<E> {
        self.around.last().copied()
    }

    /// Whether one of the elements around is this one.
    pub(super) fn inside(&self, element: E) -> bool {
        self.around.contains(&element)
    }

    /// The attributes of a tag, read. Beyond the limit of properties they are left out with a warning.
    pub(super) fn attributes<'t>(&mut self, tag: &Tag<'t>) -> Attributes<'t> {
        let (most, bytes) = (self.out.limits.properties, self.out.limits.attribute_bytes);
        let mut read = Vec::new();
        for (name, raw) in tag.attributes() {
            if read.len() >= most {
                self.out.warn(
                    self.line,
                    "too_many_attributes",
                    "left out the rest",
                    || format!("an element has more than {most} attributes"),
                );
                break;
            }
            let value = TextBuilder::short(raw, Piece::Attribute, bytes, self.repairs);
            read.push((name, value));
        }
        Attributes { read }
    }

    /// Adds to a list of a row or suite. Beyond the limit of properties it is left out with a warning.
    pub(super) fn keep<T>(&mut self, list: &mut Vec<T>, item: T) {
        let most = self.out.limits.properties;
        if list.len() < most {
            list.push(item);
        } else {
            self.warn("too_many_properties", "left out the rest", || {
                format!("more than {most} properties, attachments or other details of one kind")
            });
        }
    }

    /// Adds to the properties of the report as a whole, up to the same limit.
    pub(super) fn keep_of_run(&mut self, name: &str, value: String) {
        let mut list = std::mem::take(&mut self.out.summary.properties);
        self.keep(&mut list, (name.to_owned(), value));
        self.out.summary.properties = list;
    }

    /// Reads a duration, as a clock or in seconds; what is none is left out with a warning.
    pub(super) fn duration(&mut self, text: Option<String>) -> Option<u64> {
        let text = text?;
        let read = duration_to_ms(&text);
        if read.is_none() {
            self.warn("bad_duration", "left the duration out", || {
                format!("`{}` is no duration", first_line(&text))
            });
        }
        read
    }

    /// Warns about the line in hand.
    pub(super) fn warn(
        &mut self,
        code: &'static str,
        assumed: &'static str,
        what: impl FnOnce() -> String,
    ) {
        self.out.warn(self.line, code, assumed, what);
    }
}

/// Attributes of one tag; each is taken by its name, and what nobody took is the rest.
pub(super) struct Attributes<'t> {
    read: Vec<(&'t [u8], String)>,
}

impl Attributes<'_> {
    /// Takes an attribute; `None` if it is absent or blank.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self
            .read
            .iter()
            .position(|(known, _)| *known == name.as_bytes())?;
        let (_, value) = self.read.remove(at);
        (!value.trim().is_empty()).then_some(value)
    }

    /// Takes an attribute that is a number.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.take(name)?.trim().parse().ok()
    }

    /// Takes an attribute that is `true` or `false`, in any case.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)?.trim() {
            "1" => Some(true),
            "0" => Some(false),
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// What was not taken, without blanks and declarations of namespaces.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, String)> {
        self.read
            .into_iter()
            .filter(|(name, value)| {
                !value.trim().is_empty()
                    && !matches!(
                        *name,
                        b"xmlns"
                            | b"xsi"
                            | b"xsd"
                            | b"schemaLocation"
                            | b"noNamespaceSchemaLocation"
                    )
            })
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value))
    }
}

/// The bytes of a document, ready to be walked over.
pub(super) struct Source<R> {
    pub(super) input: Decoded<R>,
    /// The declared encoding is not the one used.
    pub(super) declaration_ignored: bool,
}

/// Reads a document of `format` from `source` into `sink`.
///
/// # Errors
/// As [`super::parse_as`].
pub(super) fn walk<R: BufRead, D: Document>(
    source: Source<R>,
    format: Format,
    limits: &Limits,
    sink: &mut dyn Sink,
    mut document: D,
) -> Result<Summary, ParseError> {
    let mut out = Output::new(format, limits, sink);
    if source.declaration_ignored {
        out.warn(1, "encoding_ignored", "read the file as UTF-8", || {
            "the declared encoding is unknown or not the one used".to_owned()
        });
    }
    let mut xml = Xml::new(source.input, limits.tag_bytes);
    let mut walk = Walk {
        document: &mut document,
        out: &mut out,
        elements: Vec::new(),
        open: Vec::new(),
        too_deep: 0,
        too_deep_told: false,
        root_seen: false,
        repairs: Repairs::at_line(1),
    };
    let mut end = walk.tokens(&mut xml);
    if let Err(Halt::Broken(Fault::Ended)) = end {
        end = walk.unwind(0, true).and(end);
    }
    let (mut repairs, root_seen) = (walk.repairs, walk.root_seen);
    if end.is_ok() && !root_seen && out.summary.counts.total == 0 {
        return Err(ParseError::NotRecognised {
            line: 1,
            reason: format!("no element of `{}`", format.as_str()),
        });
    }
    if matches!(end, Ok(()) | Err(Halt::Broken(Fault::Ended))) {
        end = document.end(&mut out).and(end);
    }
    if xml.input().had_errors {
        repairs.invalid_bytes();
    }
    let line = repairs.line.max(1);
    out.finish(end, line, &repairs)
}

/// An element that is open.
struct Open {
    name: Name,
    text: Option<TextBuilder>,
}

/// Enough of a name to find its end tag: its bytes hashed (FNV), so that names of any length cost the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name(u64);

impl Name {
    fn of(name: &[u8]) -> Self {
        Self(name.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }
}

struct Walk<'w, 'a, D: Document> {
    document: &'w mut D,
    out: &'w mut Output<'a>,
    /// What the open elements are; as many as `open`.
    elements: Vec<D::Element>,
    open: Vec<Open>,
    /// Elements open below the depth limit.
    too_deep: u64,
    too_deep_told: bool,
    /// An element was there that documents of the format have for their root.
    root_seen: bool,
    repairs: Repairs,
}

impl<D: Document> Walk<'_, '_, D> {
    fn tokens<R: BufRead>(&mut self, xml: &mut Xml<Decoded<R>>) -> Result<(), Halt> {
        loop {
            match xml.next_token().map_err(Fault::Input)? {
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
                Token::Declaration => return Err(Halt::Doctype { line: xml.line() }),
                Token::EndOfInput { unfinished } => {
                    return if unfinished || !self.open.is_empty() {
                        Err(Fault::Ended.into())
                    } else {
                        Ok(())
                    };
                }
            }
            self.repairs.line = xml.next_line();
        }
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), Halt> {
        if tag.damaged {
            self.repairs.stray_markup();
        }
        let depth = self.out.limits.depth;
        if self.open.len() >= depth {
            if !std::mem::replace(&mut self.too_deep_told, true) {
                self.out.warn(
                    self.repairs.line,
                    "too_deep",
                    "skipped what lies deeper",
                    || format!("elements nested deeper than {depth}"),
                );
            }
            self.too_deep += 1;
            return Ok(());
        }
        self.root_seen |= format_of_root(tag) == Some(self.out.summary.format);
        let (element, keep) = self.document.open(
            &mut At {
                around: &self.elements,
                line: self.repairs.line.max(1),
                cut: false,
                out: self.out,
                repairs: &mut self.repairs,
            },
            tag,
        )?;
        let limits = self.out.limits;
        let text = match keep {
            Keep::Nothing => None,
            Keep::Short => Some(TextBuilder::new(limits.attribute_bytes)),
            Keep::Long => Some(TextBuilder::new(limits.text_bytes)),
        };
        self.elements.push(element);
        self.open.push(Open {
            name: Name::of(tag.name()),
            text,
        });
        Ok(())
    }

    fn end(&mut self, name: &[u8]) -> Result<(), Halt> {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return Ok(());
        }
        let wanted = Name::of(name);
        let innermost = |open: &Open| name.is_empty() || open.name == wanted;
        if self.open.last().is_some_and(innermost) {
            return self.unwind(self.open.len() - 1, false);
        }
        self.repairs.stray_markup();
        match self.open.iter().rposition(|open| open.name == wanted) {
            Some(height) => self.unwind(height, false),
            None => Ok(()),
        }
    }

    /// Closes elements until `height` of them are open.
    fn unwind(&mut self, height: usize, cut: bool) -> Result<(), Halt> {
        while self.open.len() > height
            && let (Some(open), Some(element)) = (self.open.pop(), self.elements.pop())
        {
            let text = open.text.map(|mut text| text.finish()).unwrap_or_default();
            let mut at = At {
                around: &self.elements,
                line: self.repairs.line.max(1),
                cut,
                out: self.out,
                repairs: &mut self.repairs,
            };
            self.document.close(&mut at, element, text)?;
        }
        Ok(())
    }

    fn text(&mut self, piece: &[u8], how: Piece) {
        let keeps = self
            .open
            .iter_mut()
            .rev()
            .find_map(|open| open.text.as_mut());
        if let Some(text) = keeps {
            text.push(piece, how, &mut self.repairs);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::reports::parse::input::sniff;
    use crate::reports::parse::limits::Stop;
    use crate::reports::parse::model::{ParsedCase, SuiteInfo};

    struct Nobody;

    impl Sink for Nobody {
        fn suite(&mut self, _suite: SuiteInfo) {}

        fn case(&mut self, _case: ParsedCase) -> Result<(), Stop> {
            Ok(())
        }
    }

    /// Writes down what it is told; elements `t` keep their text.
    struct Notes<'n>(&'n mut String);

    impl Document for Notes<'_> {
        type Element = char;

        fn open(&mut self, at: &mut At<'_, '_, char>, tag: &Tag<'_>) -> Result<(char, Keep), Halt> {
            let name = char::from(tag.name()[0]);
            let mut attributes = at.attributes(tag);
            let id = attributes.take("id").unwrap_or_default();
            write!(self.0, "({name}{id}").expect("a string takes all");
            for (key, value) in attributes.rest() {
                write!(self.0, " {key}={value}").expect("a string takes all");
            }
            if name == 'c' {
                at.out.case(ParsedCase::default())?;
            }
            Ok((
                name,
                if name == 't' {
                    Keep::Short
                } else {
                    Keep::Nothing
                },
            ))
        }

        fn close(
            &mut self,
            at: &mut At<'_, '_, char>,
            element: char,
            text: Text,
        ) -> Result<(), Halt> {
            let parent = at.parent().unwrap_or('.');
            let cut = if at.cut { "!" } else { "" };
            write!(self.0, "{}{cut}<{parent}{element})", text.value).expect("a string takes all");
            Ok(())
        }

        fn end(&mut self, _out: &mut Output<'_>) -> Result<(), Halt> {
            self.0.push('.');
            Ok(())
        }
    }

    fn walked(text: &str, limits: &Limits) -> (String, Result<Summary, ParseError>) {
        let mut notes = String::new();
        // A root of the format, so that it is recognised.
        let text = format!("<test-run/>{text}");
        let source = Source {
            input: Decoded::new(text.as_bytes(), sniff(text.as_bytes())),
            declaration_ignored: false,
        };
        let end = walk(
            source,
            Format::Nunit3,
            limits,
            &mut Nobody,
            Notes(&mut notes),
        );
        (notes.replacen("(t<.t)", "", 1), end)
    }

    #[test]
    fn a_document_of_something_else() {
        let mut notes = String::new();
        let text = b"<a><b/></a>";
        let source = Source {
            input: Decoded::new(&text[..], sniff(text)),
            declaration_ignored: false,
        };
        let end = walk(
            source,
            Format::Nunit3,
            &Limits::default(),
            &mut Nobody,
            Notes(&mut notes),
        );
        assert_eq!(end.expect_err("is none").code(), "report_not_recognised");
    }

    #[test]
    fn what_is_told() {
        let check = |text: &str, expected: &str, end: &str| {
            let (notes, ended) = walked(text, &Limits::default());
            let told = match ended {
                Ok(summary) if summary.truncated => "cut",
                Ok(summary) if summary.repaired > 0 => "repaired",
                Ok(_) => "whole",
                Err(error) => error.code(),
            };
            assert_eq!((notes.as_str(), told), (expected, end), "{text}");
        };
        check("<a id='1' x='2' y=''/>", "(a1 x=2<.a).", "whole");
        check(
            "<a><t>x&lt;<b>y</b><![CDATA[z]]></t>w</a>",
            "(a(t(b<tb)x<yz<at)<.a).",
            "whole",
        );
        check("<a><b></a>", "(a(b<ab)<.a).", "repaired");
        check("<a></b></a>", "(a<.a).", "repaired");
        check("<a/><b/>", "(a<.a)(b<.b).", "whole");
        check("<c><t>x", "(c(tx!<ct)!<.c).", "cut");
        check("<c/><a", "(c<.c).", "cut");
        check("<a><t>x", "(a(tx!<at)!<.a).", "report_broken");
        check("<c/>\n<!DOCTYPE c>", "(c<.c)", "report_doctype_refused");
    }

    #[test]
    fn deeper_elements_are_skipped() {
        let limits = Limits {
            depth: 2,
            ..Limits::default()
        };
        let (notes, end) = walked("<a><t>1<b>2<c/></b>3</t><b><c/></b></a>", &limits);
        assert_eq!(notes, "(a(t123<at)(b<ab)<.a).");
        let summary = end.expect("is whole");
        let codes: Vec<_> = summary
            .warnings
            .iter()
            .map(|warning| warning.code)
            .collect();
        assert_eq!(codes, ["too_deep"]);
    }

    #[test]
    fn attributes_have_an_end() {
        let limits = Limits {
            properties: 2,
            ..Limits::default()
        };
        let (notes, end) = walked("<a x='1' y='2' z='3'/>", &limits);
        assert_eq!(notes, "(a x=1 y=2<.a).");
        assert_eq!(
            end.expect("is whole").warnings[0].code,
            "too_many_attributes"
        );
    }
}
