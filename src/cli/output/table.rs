//! Tables: aligned by display width, cut to the terminal's. An id is never cut: where it leaves too little room, it gets a line of its own. Pure.

use super::clean::clean;
use super::theme::{Colour, Theme};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns between two columns.
const GAP: usize = 2;

/// A flexible column is not made narrower than this.
const LEAST: usize = 12;

/// A flexible column that would get less than this makes the ids move below.
const COMFORTABLE: usize = 28;

/// Columns of an id.
const ID: usize = 36;

/// One cell; its text is clean.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A cell with any text; it is cleaned here.
    pub(in crate::cli) fn new(text: &str) -> Self {
        Self {
            text: clean(text),
            colour: None,
        }
    }

    /// Paints the cell.
    pub(in crate::cli) fn colour(mut self, colour: Colour) -> Self {
        self.colour = Some(colour);
        self
    }

    /// The text in its colour.
    pub(in crate::cli) fn paint(&self, theme: &Theme) -> String {
        self.painted(theme, &self.text)
    }

    /// The clean text.
    pub(in crate::cli) fn text(&self) -> &str {
        &self.text
    }

    fn painted(&self, theme: &Theme, text: &str) -> String {
        self.colour
            .map_or_else(|| text.to_owned(), |colour| theme.paint(colour, text))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

/// How a column behaves; the mark is the first letter of its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fixed,
    Right,
    Flexible,
}

/// A table that is being filled.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Table {
    headings: Vec<(Kind, &'static str)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with its headings: `>` before a heading aligns its column to the right, `~` lets it be cut when space is short.
    pub(in crate::cli) fn new(headings: &[&'static str]) -> Self {
        let read =
            |heading: &&'static str| match (heading.strip_prefix('>'), heading.strip_prefix('~')) {
                (Some(rest), _) => (Kind::Right, rest),
                (_, Some(rest)) => (Kind::Flexible, rest),
                _ => (Kind::Fixed, *heading),
            };
        Self {
            headings: headings.iter().map(read).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with one cell for each heading.
    pub(in crate::cli) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        assert_eq!(
            N,
            self.headings.len(),
            "a row has as many cells as the table has headings"
        );
        self.rows.push(cells.into());
    }

    /// Whether there is no row.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, headings first.
    pub(in crate::cli) fn render(&self, theme: &Theme) -> String {
        let below = self.ids_go_below(theme);
        let columns = self.headings.len() - usize::from(below);
        let widths = self.widths(columns, theme);
        // An id stands below the first flexible cell, which it belongs to.
        let flexible = self
            .headings
            .iter()
            .position(|(kind, _)| *kind == Kind::Flexible);
        let before = &widths[..flexible.unwrap_or(0)];
        let room = theme.width.unwrap_or(usize::MAX).saturating_sub(ID);
        let indent = (before.iter().sum::<usize>() + GAP * before.len()).min(room);
        let headings = self
            .headings
            .iter()
            .map(|(_, text)| Cell::new(text).colour(Colour::Dim))
            .collect();
        let mut out = String::new();
        for (number, row) in std::iter::once(&headings).chain(&self.rows).enumerate() {
            let mut line = String::new();
            let mut owed = 0;
            for ((cell, width), (kind, _)) in row.iter().zip(&widths).zip(&self.headings) {
                let text = cut(&cell.text, *width, theme);
                let spare = width.saturating_sub(text.width());
                if *kind == Kind::Right {
                    owed += spare;
                }
                if !text.is_empty() {
                    // Spaces are written only before something, so that no line ends with them.
                    line.extend(std::iter::repeat_n(' ', owed));
                    owed = 0;
                    line.push_str(&cell.painted(theme, &text));
                }
                if *kind != Kind::Right {
                    owed += spare;
                }
                owed += GAP;
            }
            out.push_str(&line);
            out.push('\n');
            if let Some(id) = row.last().filter(|_| below && number > 0) {
                let id = theme.paint(Colour::Dim, &id.text);
                out.push_str(&format!("{:indent$}{id}\n", ""));
            }
        }
        out
    }

    /// Whether the last column holds ids that leave too little room for what people read.
    fn ids_go_below(&self, theme: &Theme) -> bool {
        let Some(room) = theme.width else {
            return false;
        };
        let last = self.headings.len() - 1;
        if self.widest(last) < ID || self.rows.iter().any(|row| row[last].text.width() != ID) {
            return false;
        }
        let least = |column: usize| match self.headings[column].0 {
            Kind::Flexible => self.widest(column).min(COMFORTABLE),
            Kind::Fixed | Kind::Right => self.widest(column),
        };
        let least: usize = (0..=last).map(least).sum();
        least + GAP * last > room
    }

    /// Columns that the widest cell of a column takes.
    fn widest(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].text.width());
        let widest = cells.max().unwrap_or(0);
        widest.max(self.headings[column].1.width())
    }

    fn widths(&self, columns: usize, theme: &Theme) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..columns).map(|column| self.widest(column)).collect();
        let Some(room) = theme.width else {
            return widths;
        };
        loop {
            let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let flexible = (0..widths.len()).filter(|column| {
                self.headings[*column].0 == Kind::Flexible && widths[*column] > LEAST
            });
            let Some(column) = flexible
                .max_by_key(|column| widths[*column])
                .filter(|_| total > room)
            else {
                return widths;
            };
            widths[column] -= 1;
        }
    }
}

/// `text` in at most `width` columns; a cut shows.
pub(in crate::cli) fn cut(text: &str, width: usize, theme: &Theme) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(theme.ellipsis().width());
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        out.push(c);
    }
    out.push_str(theme.ellipsis());
    out
}

#[cfg(test)]
mod tests {
    use super::{Cell, Table};
    use crate::cli::output::{Colour, Theme};
    use testhide_protocol::Timestamp;
    use unicode_width::UnicodeWidthStr;

    const PLAIN: Theme = Theme {
        colour: false,
        unicode: true,
        width: None,
        now: Timestamp(0),
    };

    fn sample() -> Table {
        let mut table = Table::new(&["STATE", ">BUILD", "~NAME", "AGE"]);
        table.row([
            Cell::from("✔ passed"),
            Cell::from("7"),
            Cell::from("漢字/unit"),
            Cell::from("5m ago"),
        ]);
        table.row([
            Cell::from("✖ failed").colour(Colour::Red),
            Cell::from("1421"),
            Cell::from("a name that is rather long\u{1b}[2J"),
            Cell::from(""),
        ]);
        table
    }

    #[test]
    fn columns_stand_below_each_other() {
        let expected = "\
STATE     BUILD  NAME                        AGE
✔ passed      7  漢字/unit                   5m ago
✖ failed   1421  a name that is rather long
";
        assert_eq!(sample().render(&PLAIN), expected);
    }

    #[test]
    fn a_narrow_terminal_cuts_the_flexible_column() {
        let expected = "\
STATE     BUILD  NAME            AGE
✔ passed      7  漢字/unit       5m ago
✖ failed   1421  a name that i…
";
        assert_eq!(
            sample().render(&Theme {
                width: Some(39),
                ..PLAIN
            }),
            expected
        );
        let ascii = sample().render(&Theme {
            width: Some(39),
            unicode: false,
            ..PLAIN
        });
        assert!(ascii.contains("a name that..."), "{ascii}");
    }

    #[test]
    fn an_id_without_room_stands_below_its_row() {
        let mut table = Table::new(&["LAST", "~TEST", ">RUNS", "ID"]);
        for (state, name) in [
            ("✔ passed", "cart > adds"),
            ("✖ failed", "a name that is rather long"),
        ] {
            table.row([
                Cell::from(state),
                Cell::from(name),
                Cell::from("7"),
                Cell::from("0198c1a2-7f3e-7abc-8def-0123456789ab"),
            ]);
        }
        let expected = "\
LAST      TEST                        RUNS
✔ passed  cart > adds                    7
          0198c1a2-7f3e-7abc-8def-0123456789ab
✖ failed  a name that is rather long     7
          0198c1a2-7f3e-7abc-8def-0123456789ab
";
        let width = |columns| Theme {
            width: Some(columns),
            ..PLAIN
        };
        assert_eq!(table.render(&width(79)), expected);
        assert_eq!(table.render(&width(80)).lines().count(), 3);
        for columns in [46, 50, 60, 79, 80, 120] {
            let drawn = table.render(&width(columns));
            assert!(drawn.lines().all(|line| line.width() <= columns), "{drawn}");
        }
    }

    #[test]
    fn colours_do_not_move_columns() {
        let coloured = sample().render(&Theme {
            colour: true,
            ..PLAIN
        });
        assert!(
            coloured.contains("\u{1b}[31m✖ failed\u{1b}[0m   1421"),
            "{coloured}"
        );
    }
}
