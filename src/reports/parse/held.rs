//! Rows that wait for what the document says of them later, within a budget of bytes.

use super::input::Text;
use super::model::ParsedCase;

/// Bytes of rows that may wait. A report of .NET's test platform names the classes of its tests behind all results; 32 MiB
/// hold those of some 30,000 ordinary tests, and leave the parser within half of its memory.
const BUDGET: usize = 32 << 20;

/// Bytes that a row takes beside its texts.
const ROW: usize = size_of::<ParsedCase>();

/// Rows that wait, each with what is needed to place it.
pub(super) struct Held<T> {
    rows: Vec<(ParsedCase, T)>,
    bytes: usize,
}

impl<T> Held<T> {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Lets a row wait; `false` when no more should.
    pub(super) fn push(&mut self, case: ParsedCase, place: T) -> bool {
        self.charge(size_of_case(&case) + size_of::<T>());
        self.rows.push((case, place));
        self.has_room()
    }

    /// Counts bytes that are kept elsewhere for the sake of the rows.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < BUDGET
    }

    pub(super) fn rows(&mut self) -> &mut [(ParsedCase, T)] {
        &mut self.rows
    }

    /// The rows in their order; nothing waits any more.
    pub(super) fn take(&mut self) -> Vec<(ParsedCase, T)> {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }
}

/// About how many bytes a row takes.
pub(super) fn size_of_case(case: &ParsedCase) -> usize {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
    let of_text = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.value.capacity());
    let pairs = case.properties.iter().chain(&case.extra);
    let lists = case.attachments.iter().chain(&case.tickets);
    ROW + case.classname.capacity()
        + case.name.capacity()
        + of(&case.message)
        + of(&case.kind)
        + of(&case.docstring)
        + of(&case.file)
        + of_text(&case.trace)
        + of_text(&case.stdout)
        + of_text(&case.stderr)
        + pairs
            .map(|(name, value)| name.capacity() + value.capacity() + 48)
            .sum::<usize>()
        + lists.map(|value| value.capacity() + 24).sum::<usize>()
}
