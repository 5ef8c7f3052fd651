//! How much of a report is taken in. Every limit is checked before memory is taken, never after.

/// Bounds of one parse. What lies beyond a bound is cut or left out with a warning; only `cases` ends the parse.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Levels of nested elements that are looked at; deeper ones are skipped with everything in them.
    pub depth: usize,
    /// Bytes of one start tag with all its attributes.
    pub tag_bytes: usize,
    /// Bytes of one attribute or short field that are kept, half from its head and half from its tail.
    pub attribute_bytes: usize,
    /// Bytes of one long text (trace, stdout, stderr) that are kept, half from its head and half from its tail.
    pub text_bytes: usize,
    /// Cases of one report.
    pub cases: u64,
    /// Properties, attachments, tickets and unknown fields of one case or suite, each.
    pub properties: usize,
    /// Earlier or later attempts written inside one case.
    pub retries: usize,
    /// Warnings that are kept; all are counted.
    pub warnings: usize,
    /// JSON values of one CTRF test.
    pub json_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            tag_bytes: 4 << 20,
            attribute_bytes: 64 << 10,
            // The published format promises reporters cut at 512 KiB; none of them does.
            text_bytes: 512 << 10,
            cases: 10_000_000,
            properties: 1_000,
            retries: 32,
            warnings: 100,
            json_values: 10_000,
        }
    }
}

/// A sink's wish to end the parse; [`super::parse`] then returns [`super::ParseError::Stopped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;
