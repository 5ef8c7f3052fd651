//! Whole screens as snapshots, behaviours key by key, and properties over any sequence of events.

mod behaviour;
pub(crate) mod data;
mod properties;
mod screens;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::draw::draw;
use crate::event::{Effect, Event, Feed, Key};
use crate::model::{Model, Place};
use crate::update::{enter, update};

/// A model at a place, connected, at the time of the tests.
fn model_at(place: Place) -> Model {
    let mut model = Model::new("http://ci.example:8080", false, true);
    model.now = data::NOW;
    enter(&mut model, place);
    let _ = update(&mut model, Event::Feed(Feed::Live));
    model
}

/// Types keys; capitals and signs are themselves, `\n` is enter, `\u{1b}` is escape.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for letter in keys.chars() {
        let key = match letter {
            '\n' => Key::Enter,
            '\u{1b}' => Key::Esc,
            letter => Key::Char(letter),
        };
        effects.extend(update(model, Event::Key(key)));
    }
    effects
}

/// The screen at a size.
fn picture(model: &mut Model, columns: u16, rows: u16) -> String {
    let _ = update(model, Event::Resize(columns, rows));
    let mut terminal =
        Terminal::new(TestBackend::new(columns, rows)).expect("a test backend cannot fail");
    terminal
        .draw(|frame| draw(model, frame))
        .expect("a test backend cannot fail");
    let buffer = terminal.backend().buffer();
    let mut picture = String::new();
    for y in 0..rows {
        let mut row = String::new();
        let mut skip = 0;
        for x in 0..columns {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                row.push_str(symbol);
                skip = crate::text::width(symbol);
            }
            skip = skip.saturating_sub(1);
        }
        picture.push_str(row.trim_end());
        picture.push('\n');
    }
    picture
}
