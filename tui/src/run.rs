//! Owns the terminal: sets it up, feeds the model, draws, and leaves it as it was, also after a panic.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossterm::event::{
    DisableBracketedPaste, EnableBracketedPaste, Event as Input, EventStream, KeyCode, KeyEvent,
    KeyEventKind, KeyModifiers,
};
use crossterm::execute;
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use testhide_protocol::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::client::{Client, follow};
use crate::draw::draw;
use crate::event::{Answer, Effect, Event, Key};
use crate::model::{Model, Place};
use crate::update::{enter, update};
use crate::{Options, Start};

/// Time goes on in steps of this length.
const TICK: Duration = Duration::from_millis(250);
/// The shortest time between two pictures: about thirty a second.
const FRAME: Duration = Duration::from_millis(33);
/// Words of the feed that may wait; more than that and the feed itself waits.
const FEED_QUEUE: usize = 16;

/// Why the terminal did not run, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Input or output is no terminal.
    #[error("`testhide tui` needs a terminal: {0}; scripts use the other commands")]
    NoTerminal(&'static str),
    /// The address cannot be used.
    #[error("failed to use the server `{server}`: {why}")]
    Server {
        /// As given.
        server: String,
        /// In words.
        why: String,
    },
    /// The terminal refused something.
    #[error("failed to use the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Runs the operator terminal until its user leaves it.
///
/// A server that does not answer is no error: the screen says so and goes on trying. Must be called on a tokio runtime
/// with time and I/O enabled, in a process that has a default `rustls` crypto provider installed. The terminal is as it was
/// when this ends, also by a panic.
///
/// # Errors
/// [`TuiError::NoTerminal`] and [`TuiError::Server`] before the screen is touched, [`TuiError::Terminal`] when it breaks.
pub async fn run(options: Options) -> Result<(), TuiError> {
    require_terminal()?;
    let client = Client::new(&options.server, options.token)?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut model = Model::new(&options.server, options.readonly, colour);
    model.now = now();
    enter(
        &mut model,
        match options.start {
            Start::Builds => Place::Builds,
            Start::Build(number) => Place::Build(number),
            Start::Log(build) => Place::Log {
                build,
                attempt: None,
                line: None,
            },
        },
    );
    let mut screen = Screen::open()?;
    if let Ok(size) = screen.terminal.size() {
        model.size = (size.width, size.height);
    }
    main_loop(&mut screen.terminal, &mut model, &client).await
}

fn require_terminal() -> Result<(), TuiError> {
    if !stdin().is_terminal() {
        return Err(TuiError::NoTerminal("standard input is none"));
    }
    if !stdout().is_terminal() {
        return Err(TuiError::NoTerminal("standard output is none"));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(TuiError::NoTerminal(
            "`TERM` is `dumb`, which cannot place a cursor",
        ));
    }
    Ok(())
}

/// The terminal while it is ours. Dropping it gives it back; so does a panic, before its message is written.
struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    fn open() -> Result<Self, TuiError> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        // This puts a hook of its own before ours, which restores the terminal too; both may run.
        let terminal = ratatui::try_init()?;
        let screen = Self { terminal };
        execute!(stdout(), EnableBracketedPaste)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Leaves the terminal as it was. Errors have nobody to be told to.
fn give_back() {
    let _ = execute!(stdout(), DisableBracketedPaste, crossterm::cursor::Show);
    let _ = ratatui::try_restore();
    let _ = std::io::Write::flush(&mut stderr());
}

async fn main_loop(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    client: &Client,
) -> Result<(), TuiError> {
    let mut keys = EventStream::new();
    // Dropping the set ends what is still on its way.
    let mut tasks: JoinSet<Option<Answer>> = JoinSet::new();
    let (feed, mut words) = mpsc::channel(FEED_QUEUE);
    let feed_client = client.clone();
    tasks.spawn(async move {
        follow(feed_client, feed).await;
        None
    });
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_frame = Instant::now();
    loop {
        let event = tokio::select! {
            biased;
            () = tokio::time::sleep_until(next_frame), if model.redraw => {
                terminal.draw(|frame| draw(model, frame))?;
                model.redraw = false;
                next_frame = Instant::now() + FRAME;
                continue;
            }
            input = keys.next() => match input {
                Some(input) => understood(input?),
                None => return Ok(()),
            },
            _ = tick.tick() => Some(Event::Tick(now())),
            Some(done) = tasks.join_next() => match done {
                Ok(answer) => answer.map(Event::Answer),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => None,
            },
            Some(word) = words.recv() => Some(Event::Feed(word)),
        };
        let Some(event) = event else { continue };
        for effect in update(model, event) {
            if effect == Effect::Quit {
                return Ok(());
            }
            tasks.spawn(client.clone().perform(effect));
        }
    }
}

/// The wall clock.
fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What the program makes of the terminal's input; nothing for what it has no use for.
fn understood(input: Input) -> Option<Event> {
    match input {
        Input::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Event::Key),
        Input::Paste(text) => Some(Event::Paste(text)),
        Input::Resize(columns, rows) => Some(Event::Resize(columns, rows)),
        Input::Key(_) | Input::Mouse(_) | Input::FocusGained | Input::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let is_ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char(letter) if is_ctrl => Key::Ctrl(letter.to_ascii_lowercase()),
        KeyCode::Char(_) if event.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
