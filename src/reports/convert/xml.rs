//! Elements of XML 1.0, indented, with everything escaped that has to be.

use std::io::{self, Write};

/// Writes one document. An element holds either text or elements, never both.
pub(super) struct XmlWriter<W> {
    out: W,
    open: Vec<Open>,
    /// The start tag is not yet closed.
    in_tag: bool,
    /// Characters that XML forbids and that were dropped.
    pub(super) dropped: u64,
}

struct Open {
    name: &'static str,
    has_elements: bool,
}

impl<W: Write> XmlWriter<W> {
    /// Begins with the declaration.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        Ok(Self {
            out,
            open: Vec::new(),
            in_tag: false,
            dropped: 0,
        })
    }

    /// Opens an element; attributes follow.
    pub(super) fn start(&mut self, name: &'static str) -> io::Result<()> {
        self.close_tag()?;
        if let Some(outer) = self.open.last_mut() {
            outer.has_elements = true;
            self.new_line()?;
        }
        write!(self.out, "<{name}")?;
        self.open.push(Open {
            name,
            has_elements: false,
        });
        self.in_tag = true;
        Ok(())
    }

    /// An attribute of the element that was opened last.
    pub(super) fn attribute(&mut self, name: &str, value: &str) -> io::Result<()> {
        write!(self.out, " {name}=\"")?;
        self.escaped(value, true)?;
        self.out.write_all(b"\"")
    }

    /// An attribute, when there is a value.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.attribute(name, value))
    }

    /// Text of the innermost element.
    pub(super) fn text(&mut self, value: &str) -> io::Result<()> {
        self.close_tag()?;
        self.escaped(value, false)
    }

    /// Closes the innermost element, and the document with the outermost one.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let open = self.open.pop().expect("every end has its start");
        if self.in_tag {
            self.out.write_all(b"/>")?;
            self.in_tag = false;
        } else {
            if open.has_elements {
                self.new_line()?;
            }
            write!(self.out, "</{}>", open.name)?;
        }
        if self.open.is_empty() {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// An element with text and nothing else, when there is some.
    pub(super) fn element(&mut self, name: &'static str, text: Option<&str>) -> io::Result<()> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.start(name)?;
        self.text(text)?;
        self.end()
    }

    /// A `property`.
    pub(super) fn property(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.start("property")?;
        self.attribute("name", name)?;
        self.attribute("value", value)?;
        self.end()
    }

    fn close_tag(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.in_tag) {
            self.out.write_all(b">")?;
        }
        Ok(())
    }

    fn new_line(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")?;
        self.open.iter().try_for_each(|_| self.out.write_all(b"  "))
    }

    fn escaped(&mut self, value: &str, in_attribute: bool) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in value.char_indices() {
            let instead: &str = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' if in_attribute => "&quot;",
                '\n' if in_attribute => "&#10;",
                '\t' if in_attribute => "&#9;",
                // A reader makes a line end of it otherwise.
                '\r' => "&#13;",
                '\n' | '\t' => continue,
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                    self.dropped += 1;
                    ""
                }
                _ => continue,
            };
            self.out.write_all(&value.as_bytes()[plain..at])?;
            self.out.write_all(instead.as_bytes())?;
            plain = at + c.len_utf8();
        }
        self.out.write_all(&value.as_bytes()[plain..])
    }
}

/// Milliseconds as seconds with three decimals.
pub(super) fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::{XmlWriter, seconds};

    #[test]
    fn documents_are_well_formed() {
        let mut bytes = Vec::new();
        let mut xml = XmlWriter::new(&mut bytes).unwrap();
        xml.start("a").unwrap();
        xml.attribute("x", "1 < \"2\" & \u{1b}3\n").unwrap();
        xml.start("b").unwrap();
        xml.end().unwrap();
        xml.element("c", Some("]]> \u{0}\r\n<x>")).unwrap();
        xml.element("d", None).unwrap();
        xml.end().unwrap();
        assert_eq!(xml.dropped, 2);
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <a x=\"1 &lt; &quot;2&quot; &amp; 3&#10;\">\n  <b/>\n  <c>]]&gt; &#13;\n&lt;x&gt;</c>\n</a>\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn durations() {
        assert_eq!(seconds(61_005), "61.005");
        assert_eq!(seconds(0), "0.000");
    }
}
