//! What the terminal can show: colours, signs, width.

use testhide_protocol::Timestamp;

/// The few colours that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Dim,
    Bold,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// How to draw, as a value: what is drawn depends on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Theme {
    /// Whether colours may be used.
    pub colour: bool,
    /// Whether signs beyond ASCII may be used.
    pub unicode: bool,
    /// Columns, where the output is a terminal.
    pub width: Option<usize>,
    /// The moment that ages count from.
    pub now: Timestamp,
}

impl Theme {
    /// `text` in a colour, where there are colours. The text must be clean.
    pub(in crate::cli) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code())
        } else {
            text.to_owned()
        }
    }

    /// The dot between facts of one line.
    pub(in crate::cli) fn dot(&self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }

    /// The mark of a cut text.
    pub(in crate::cli) fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}
