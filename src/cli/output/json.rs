//! JSON that is written while it is made: indented, and clean for a terminal, piece by piece.

use super::clean::clean_json;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::io::{self, Write};

/// Writes a value of any size as indented JSON, with the controls that JSON leaves as they are escaped.
///
/// # Errors
/// Those of the writer and of the value.
pub(super) fn write_json<T: Serialize>(value: &T, out: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 * 1024, out);
    let formatter = Clean(PrettyFormatter::new());
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// As `serde_json` indents, but for the strings.
struct Clean(PrettyFormatter<'static>);

impl Formatter for Clean {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() && !fragment.contains('\u{7f}') {
            return writer.write_all(fragment.as_bytes());
        }
        writer.write_all(clean_json(fragment).as_bytes())
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::write_json;
    use crate::cli::output::clean::clean_json;
    use serde_json::json;

    #[test]
    fn it_is_what_the_whole_text_would_be() {
        let value =
            json!({"a": [1, {"b": "x\u{9b}2J\u{7f}\u{202e}ü\n"}, []], "c": {}, "d\u{7f}": null});
        let mut bytes = Vec::new();
        write_json(&value, &mut bytes).unwrap();
        let expected = clean_json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("{expected}\n"));
    }
}
