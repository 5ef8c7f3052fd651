//! The log's window: scrolling, following, and finding through lines that are not here yet.

use testhide_protocol::api::{LogLine, LogPage};

use super::RETRY_MS;
use super::lists::Move;
use crate::event::{Answered, Effect, Key, LogPurpose, LogRange};
use crate::model::{Find, LogView, Model, Scan};
use crate::text::plain;

/// Lines that a walk for the next match asks for at once.
const FIND_LINES: u64 = 1_000;
/// Lines that one answer about the tail may bring.
const FOLLOW_LINES: u64 = 1_000;
/// Milliseconds before the tail is asked for again after an answer without lines.
const IDLE_MS: i64 = 250;
/// Columns of one step sideways.
const SIDEWAYS: usize = 16;

/// What the log lacks to fill the screen, to follow, and to go on finding.
pub(super) fn wants(model: &mut Model) -> Vec<Effect> {
    let height = model.log_height();
    let now = model.now;
    let view = &mut model.log;
    if now < view.retry_at {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    if view.asked.is_none() {
        if !view.loaded || view.stale {
            view.stale = false;
            ranges.extend(Some(view.range(
                view.top,
                crate::model::PAGE,
                LogPurpose::Show,
            )));
        } else {
            ranges.extend(view.missing(height));
        }
        view.asked = ranges.first().map(|range| range.from);
    }
    if view.loaded && view.follow && !view.complete && view.tail.is_none() {
        let known_bytes = view.known_bytes;
        let purpose = LogPurpose::Follow { known_bytes };
        let range = view.range(view.total.saturating_add(1), FOLLOW_LINES, purpose);
        view.tail = Some(range.from);
        ranges.push(range);
    }
    ranges.extend(continue_finding(model));
    ranges.into_iter().map(Effect::LoadLog).collect()
}

/// Takes an answer about the log that is shown.
pub(super) fn take(model: &mut Model, range: LogRange, page: Answered<LogPage>) {
    if !model.log.is_about(&range) {
        return;
    }
    let height = model.log_height();
    let now = model.now;
    let view = &mut model.log;
    match range.purpose {
        LogPurpose::Show => view.asked = None,
        LogPurpose::Follow { .. } => view.tail = None,
        LogPurpose::Find => {
            let Some(scan) = view.find.as_mut().and_then(|find| find.scan.as_mut()) else {
                return;
            };
            if scan.asked != Some(range.from) {
                return;
            }
            scan.asked = None;
        }
    }
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            view.error = Some(error);
            view.retry_at = now.plus_millis(RETRY_MS);
            return;
        }
    };
    if range.purpose == LogPurpose::Find {
        return find_in(model, &range, page);
    }
    let is_idle = page.lines.is_empty();
    let is_complete = page.complete;
    view.take(page);
    let is_tail = matches!(range.purpose, LogPurpose::Follow { .. });
    if is_tail && is_idle && !is_complete {
        view.retry_at = now.plus_millis(IDLE_MS);
    }
    if range.purpose == LogPurpose::Show && range.from <= view.total && is_idle {
        view.error = Some(format!(
            "the server counts {} lines and answers none from {} on",
            view.total, range.from
        ));
        view.retry_at = now.plus_millis(RETRY_MS);
    }
    view.top = view.top.clamp(1, view.last_top(height));
}

/// A key that means something in a log only; answers whether it did.
pub(super) fn press(model: &mut Model, key: Key) -> bool {
    let height = model.log_height();
    let view = &mut model.log;
    match key {
        Key::Char('f') if view.follow => stand_still(view, height),
        Key::Char('f') => view.follow = true,
        Key::Char('w') => (view.wrap, view.left) = (!view.wrap, 0),
        Key::Char('t') => view.times = !view.times,
        Key::Char('l') | Key::Right => {
            view.left = view.left.saturating_add(SIDEWAYS).min(16 * 1024);
        }
        Key::Char('h') | Key::Left => view.left = view.left.saturating_sub(SIDEWAYS),
        Key::Char('n') => step(model, true),
        Key::Char('N') => step(model, false),
        _ => return false,
    }
    true
}

/// Scrolls. Up ends the following; the end begins it.
pub(super) fn scroll(view: &mut LogView, to: Move, height: u16) {
    match to {
        Move::Last => view.follow = true,
        Move::First => (view.follow, view.top) = (false, 1),
        Move::By(rows) => {
            if view.follow && rows >= 0 {
                return;
            }
            stand_still(view, height);
            view.top = view
                .top
                .saturating_add_signed(rows)
                .clamp(1, view.last_top(height));
        }
    }
}

/// Brings a line onto the screen, a third from above.
pub(super) fn show_line(view: &mut LogView, line: u64, height: u16) {
    view.follow = false;
    view.top = line.saturating_sub(u64::from(height / 3)).max(1);
    if view.loaded {
        view.top = view
            .top
            .min(
                view.last_top(height)
                    .max(line.min(view.total).saturating_sub(u64::from(height))),
            )
            .max(1);
    }
}

fn stand_still(view: &mut LogView, height: u16) {
    if view.follow {
        view.top = *view.visible(height).start();
        view.follow = false;
    }
}

/// Looks for `needle` from the first line on the screen on.
pub(super) fn find(model: &mut Model, needle: &str) {
    let start = (*model.log.visible(model.log_height()).start()).max(1);
    if needle.is_empty() {
        model.log.find = None;
        return;
    }
    let scan = Scan {
        begun: start,
        wrapped: false,
        next: start,
        forward: true,
        asked: None,
        resume: None,
    };
    model.log.find = Some(Find {
        needle: needle.to_owned(),
        at: None,
        scan: Some(scan),
    });
}

/// Looks for the next match, or the one before.
fn step(model: &mut Model, forward: bool) {
    let visible = model.log.visible(model.log_height());
    let Some(find) = &mut model.log.find else {
        model.say("nothing to find yet: / asks for it");
        return;
    };
    let here = find.at.unwrap_or(*visible.start());
    let next = if forward {
        here.saturating_add(1)
    } else {
        here.saturating_sub(1)
    };
    find.scan = Some(Scan {
        begun: next,
        wrapped: false,
        next,
        forward,
        asked: None,
        resume: None,
    });
}

/// Looks at the lines that are held, and asks for more where they end.
fn continue_finding(model: &mut Model) -> Option<LogRange> {
    loop {
        let view = &mut model.log;
        let find = view.find.as_mut()?;
        let scan = find.scan.as_mut().filter(|scan| scan.asked.is_none())?;
        if !view.loaded {
            return None;
        }
        if view.total == 0 || !stays_inside(scan, view.total) {
            find.scan = None;
            let needle = find.needle.clone();
            model.complain(format!("`{needle}` is nowhere in the log"));
            return None;
        }
        let Some(line) = view.lines.get(&scan.next) else {
            let (from, limit) = if scan.forward {
                (scan.next, FIND_LINES)
            } else {
                let from = scan
                    .resume
                    .take()
                    .unwrap_or_else(|| scan.next.saturating_sub(FIND_LINES - 1).max(1));
                (from, scan.next - from + 1)
            };
            scan.asked = Some(from);
            return Some(view.range(from, limit, LogPurpose::Find));
        };
        let number = scan.next;
        if !find.matches(&plain(&line.text)).is_empty() {
            found(model, number);
            return None;
        }
        scan_on(find, number);
    }
}

/// Comes in at the other end when one is passed; answers false when the walk is back where it began.
fn stays_inside(scan: &mut Scan, total: u64) -> bool {
    if scan.forward && scan.next > total {
        if scan.wrapped {
            return false;
        }
        (scan.next, scan.wrapped) = (1, true);
    } else if !scan.forward && scan.next == 0 {
        if scan.wrapped {
            return false;
        }
        (scan.next, scan.wrapped) = (total, true);
    }
    let is_round = if scan.forward {
        scan.next >= scan.begun
    } else {
        scan.next <= scan.begun
    };
    !(scan.wrapped && is_round)
}

/// The walk has looked at line `number`.
fn scan_on(find: &mut Find, number: u64) {
    if let Some(scan) = &mut find.scan {
        scan.next = if scan.forward {
            number.saturating_add(1)
        } else {
            number.saturating_sub(1)
        };
    }
}

/// Looks through lines that were asked for to find something; they are kept only if it is there.
fn find_in(model: &mut Model, range: &LogRange, page: LogPage) {
    let view = &mut model.log;
    let Some(find) = view.find.as_mut() else {
        return;
    };
    let Some(scan) = find.scan else { return };
    let (Some(first), Some(last)) = (page.lines.first(), page.lines.last()) else {
        find.scan = None;
        model.complain(format!(
            "stopped looking: the server answers no lines from {} on",
            range.from
        ));
        return;
    };
    let (first, last) = (first.number, last.number);
    if !scan.forward && last < scan.next && last >= range.from {
        // The server answered the far part only: the near part comes first.
        find.scan = Some(Scan {
            resume: Some(last + 1),
            ..scan
        });
        return;
    }
    let is_match = |line: &&LogLine| !find.matches(&plain(&line.text)).is_empty();
    let hit = if scan.forward {
        page.lines
            .iter()
            .filter(|line| line.number >= scan.next)
            .find(is_match)
    } else {
        page.lines
            .iter()
            .rev()
            .filter(|line| line.number <= scan.next)
            .find(is_match)
    };
    let hit = hit.map(|line| line.number);
    match hit {
        Some(number) => {
            found(model, number);
            model.log.take(page);
        }
        // An answer that went nowhere must not be asked for again and again.
        None if scan.forward && last < scan.next || !scan.forward && first > scan.next => {
            find.scan = None;
        }
        None => scan_on(find, if scan.forward { last } else { first }),
    }
}

fn found(model: &mut Model, number: u64) {
    let height = model.log_height();
    let view = &mut model.log;
    if let Some(find) = &mut view.find {
        let wrapped = find.scan.is_some_and(|scan| scan.wrapped);
        (find.at, find.scan) = (Some(number), None);
        view.marked = None;
        if !view.visible(height).contains(&number) || view.follow {
            show_line(view, number, height);
        }
        if wrapped {
            model.say("went past the end and on from the other");
        }
    }
}
