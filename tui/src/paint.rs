//! The only way onto the screen: a canvas that sanitises every text, and the tones that texts have.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::text::{Piece, sanitise, width};

/// What a text means; its look follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Quiet,
    Good,
    Bad,
    Warning,
    Busy,
    /// Titles and keys.
    Accent,
}

/// A text with its tone.
pub(crate) type Part = (String, Tone);

/// A rectangle of the screen. Coordinates count from its upper left corner; what falls outside is cut.
pub(crate) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    colour: bool,
}

impl<'a> Canvas<'a> {
    /// A canvas over the whole of `area`; without `colour` only bold, dim and reversed are used.
    pub(crate) fn new(buffer: &'a mut Buffer, area: Rect, colour: bool) -> Self {
        let area = area.intersection(buffer.area);
        Self {
            buffer,
            area,
            colour,
        }
    }

    /// The part of it from row `y` on, `height` rows high.
    pub(crate) fn rows(&mut self, y: u16, height: u16) -> Canvas<'_> {
        let y = y.min(self.area.height);
        let area = Rect {
            y: self.area.y + y,
            height: height.min(self.area.height - y),
            ..self.area
        };
        Canvas {
            buffer: self.buffer,
            area,
            colour: self.colour,
        }
    }

    pub(crate) fn width(&self) -> u16 {
        self.area.width
    }

    pub(crate) fn height(&self) -> u16 {
        self.area.height
    }

    /// Writes a text into at most `columns` columns, with `…` where it was cut. Answers the column after it.
    pub(crate) fn text(&mut self, x: u16, y: u16, columns: u16, raw: &str, tone: Tone) -> u16 {
        let style = self.style(tone);
        let columns = columns.min(self.area.width.saturating_sub(x));
        let pieces = sanitise(raw, style, usize::from(columns) + 1);
        self.pieces(x, y, columns, 0, &pieces)
    }

    /// Writes a text so that it ends before column `end`; cut where it would begin before `start`.
    pub(crate) fn text_right(&mut self, start: u16, end: u16, y: u16, raw: &str, tone: Tone) {
        let room = end.saturating_sub(start);
        let pieces = sanitise(raw, self.style(tone), usize::from(room) + 1);
        let used: usize = pieces.iter().map(|piece| width(&piece.text)).sum();
        let used = u16::try_from(used).unwrap_or(room).min(room);
        self.pieces(end - used.min(end), y, used, 0, &pieces);
    }

    /// Writes parts one after the other from column `x` on.
    pub(crate) fn parts(&mut self, x: u16, y: u16, parts: &[Part]) -> u16 {
        let mut at = x;
        for (text, tone) in parts {
            at = self.text(at, y, u16::MAX, text, *tone);
        }
        at
    }

    /// Writes pieces that are clean already.
    pub(crate) fn pieces(
        &mut self,
        x: u16,
        y: u16,
        columns: u16,
        skip: usize,
        pieces: &[Piece],
    ) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let columns = usize::from(columns.min(self.area.width - x));
        let total: usize = pieces.iter().map(|piece| width(&piece.text)).sum();
        let is_cut = total.saturating_sub(skip) > columns;
        let room = if is_cut {
            columns.saturating_sub(1)
        } else {
            columns
        };
        let (mut at, mut passed) = (0usize, 0usize);
        let left = self.area.x + x;
        let mut cut_style = Style::new();
        'pieces: for piece in pieces {
            let style = self.shade(piece.style);
            let mut visible = String::new();
            let begin = at;
            for letter in piece.text.chars() {
                let wide = width(letter.encode_utf8(&mut [0; 4]));
                if passed < skip {
                    passed += wide;
                    continue;
                }
                if at + wide > room {
                    self.put(left, y, begin, &visible, style);
                    cut_style = style;
                    break 'pieces;
                }
                visible.push(letter);
                at += wide;
            }
            self.put(left, y, begin, &visible, style);
            cut_style = style;
        }
        if is_cut && columns > 0 {
            self.put(left, y, at, "…", cut_style);
            at += 1;
        }
        x + u16::try_from(at).unwrap_or(0)
    }

    fn put(&mut self, left: u16, y: u16, at: usize, text: &str, style: Style) {
        let x = left.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
        if x < self.area.right() && !text.is_empty() {
            let room = usize::from(self.area.right() - x);
            self.buffer
                .set_stringn(x, self.area.y + y, text, room, style);
        }
    }

    /// Turns a stretch of a row around: a selection or a match.
    pub(crate) fn reverse(&mut self, x: u16, y: u16, columns: u16) {
        self.modify(x, y, columns, Modifier::REVERSED);
    }

    fn modify(&mut self, x: u16, y: u16, columns: u16, modifier: Modifier) {
        if y < self.area.height && x < self.area.width {
            let columns = columns.min(self.area.width - x);
            let area = Rect::new(self.area.x + x, self.area.y + y, columns, 1);
            self.buffer
                .set_style(area, Style::new().add_modifier(modifier));
        }
    }

    /// Empties the canvas.
    pub(crate) fn clear(&mut self) {
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                self.buffer[(x, y)].reset();
            }
        }
    }

    /// The style of a tone.
    pub(crate) fn style(&self, tone: Tone) -> Style {
        let style = Style::new();
        self.shade(match tone {
            Tone::Plain => style,
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Quiet => style.add_modifier(Modifier::DIM),
            Tone::Good => style.fg(Color::Green),
            Tone::Bad => style.fg(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Warning => style.fg(Color::Yellow),
            Tone::Busy => style.fg(Color::Cyan),
            Tone::Accent => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        })
    }

    fn shade(&self, style: Style) -> Style {
        if self.colour {
            style
        } else {
            Style {
                fg: None,
                bg: None,
                underline_color: None,
                ..style
            }
        }
    }
}
