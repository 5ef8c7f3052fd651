//! Stack frames of a failure's trace, whatever language wrote it.
//!
//! Line by line, without regular expressions and without backtracking: time and memory are bounded by fixed limits on
//! text, line length and number of frames. What cannot be read is skipped; a trace whose newlines were lost gives no
//! frames rather than wrong ones.

use std::collections::VecDeque;

use super::mask::prefix;
use super::origin::{Origin, origin};

/// One call on the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The source file as the trace writes it; empty when the trace does not say.
    pub file: String,
    /// The function, qualified as far as the trace does; empty when the trace does not say.
    pub function: String,
    /// The line in `file`, where known.
    pub line: Option<u32>,
    /// Whose code it is, judged by names.
    pub origin: Origin,
}

const MAX_INPUT: usize = 1024 * 1024;
/// A frame's line is short; glued traces and dumps of data are not.
const MAX_LINE: usize = 2_048;
/// Deep recursion repeats itself; this many frames nearest to the failure say enough.
const MAX_FRAMES: usize = 128;

/// The frames of `trace`, innermost first: the place that failed, then its callers.
///
/// Python writes the innermost frame last; it is turned around. Of several chained exceptions the one reported last
/// comes first (Python) or the outermost one (Java, C#), in the order of the text. At most 128 frames are kept, the ones
/// nearest to the failure.
pub fn frames(trace: &str) -> Vec<Frame> {
    let mut innermost_last: VecDeque<Frame> = VecDeque::new();
    let mut innermost_first: Vec<Frame> = Vec::new();
    let mut context = Context::default();
    for line in prefix(trace, MAX_INPUT).lines() {
        if line.len() > MAX_LINE {
            context = Context::default();
            continue;
        }
        match read_line(line, &mut context) {
            Some((Order::InnermostLast, frame)) => {
                if innermost_last.len() == MAX_FRAMES {
                    innermost_last.pop_front();
                }
                innermost_last.push_back(frame);
            }
            Some((Order::InnermostFirst, frame)) if innermost_first.len() < MAX_FRAMES => {
                innermost_first.push(frame);
            }
            _ => {}
        }
    }
    let mut frames: Vec<Frame> = innermost_last
        .into_iter()
        .rev()
        .chain(innermost_first)
        .collect();
    frames.truncate(MAX_FRAMES);
    frames
}

/// How a language orders the lines of a trace.
enum Order {
    InnermostFirst,
    InnermostLast,
}

/// What earlier lines said about the frame that a later line completes.
#[derive(Default)]
struct Context {
    /// The line before this one named a function and its place follows (Go, Rust).
    pending: Option<String>,
    /// The function whose source pytest prints above the place.
    shown_function: String,
}

fn read_line(line: &str, context: &mut Context) -> Option<(Order, Frame)> {
    let pending = context.pending.take();
    let trimmed = line.trim();
    if let Some(frame) = python(trimmed) {
        return Some((Order::InnermostLast, frame));
    }
    if let Some(rest) = trimmed.strip_prefix("at ") {
        let frame = match pending {
            Some(function) => {
                rust_place(rest).map(|(file, line)| frame(file, &function, Some(line)))
            }
            None => dotnet(rest)
                .or_else(|| java(rest))
                .or_else(|| javascript(rest))
                .or_else(|| dotnet_without_place(rest)),
        };
        return frame.map(|frame| (Order::InnermostFirst, frame));
    }
    if let Some(function) = rust_function(trimmed) {
        context.pending = Some(function.to_owned());
        return None;
    }
    if let Some(place) = trimmed
        .split_once("panicked at ")
        .and_then(|(_, place)| place.strip_suffix(':'))
    {
        return rust_place(place)
            .map(|(file, line)| (Order::InnermostFirst, frame(file, "", Some(line))));
    }
    if let Some((file, line)) = go_place(line) {
        let function = pending.unwrap_or_default();
        return Some((Order::InnermostFirst, frame(file, &function, Some(line))));
    }
    if let Some(function) = go_function(line) {
        context.pending = Some(function.to_owned());
        return None;
    }
    if let Some(frame) = firefox(trimmed) {
        return Some((Order::InnermostFirst, frame));
    }
    if let Some(function) = shown_python_function(trimmed) {
        function.clone_into(&mut context.shown_function);
        return None;
    }
    pytest_place(line, &mut context.shown_function).map(|frame| (Order::InnermostLast, frame))
}

fn frame(file: &str, function: &str, line: Option<u32>) -> Frame {
    Frame {
        file: file.to_owned(),
        function: function.to_owned(),
        line,
        origin: origin(file, function),
    }
}

/// `File "src/a.py", line 12, in place`
fn python(line: &str) -> Option<Frame> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let (number, function) = match rest.split_once(", in ") {
        Some((number, function)) => (number, function),
        None => (rest, ""),
    };
    Some(frame(file, function, Some(number.parse().ok()?)))
}

/// `def place(self):` or `>   def place():` in the source that pytest shows.
fn shown_python_function(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['>', ' ']);
    let rest = line
        .strip_prefix("async ")
        .unwrap_or(line)
        .strip_prefix("def ")?;
    rest.split_once('(').map(|(name, _)| name)
}

/// `src/a.py:12: ValueError` after shown source, `src/a.py:12: in place` in the short style.
fn pytest_place(line: &str, shown_function: &mut String) -> Option<Frame> {
    let (file, rest) = line.split_once(".py:")?;
    if file.is_empty() || file.contains([' ', '"', '(']) {
        return None;
    }
    let (number, rest) = rest.split_once(':')?;
    let number = number.parse().ok()?;
    let shown = std::mem::take(shown_function);
    let function = rest
        .trim()
        .strip_prefix("in ")
        .map_or(shown.as_str(), str::trim);
    Some(frame(&format!("{file}.py"), function, Some(number)))
}

/// `com.shop.Order.place(Order.java:12)`, also with a module or class loader before a `/`, and without a place.
fn java(line: &str) -> Option<Frame> {
    let (call, place) = line
        .strip_suffix(')')
        .or_else(|| line.split_once(") ~[").map(|(line, _)| line))?
        .rsplit_once('(')?;
    let function = call.rsplit('/').next().unwrap_or(call);
    if !function.contains('.') || function.contains([' ', '(', ')']) {
        return None;
    }
    if matches!(place, "Native Method" | "Unknown Source") {
        return Some(frame("", function, None));
    }
    let (file, number) = match place.split_once(':') {
        Some((file, number)) => (file, Some(number.parse().ok()?)),
        None => (place, None),
    };
    let source = [".java", ".kt", ".kts", ".scala", ".groovy", ".clj"]
        .iter()
        .any(|end| file.ends_with(end));
    source.then(|| frame(file, function, number))
}

/// `place (src/a.ts:12:5)`, `async Object.<anonymous> (src/a.ts:12:5)`, `src/a.ts:12:5`.
fn javascript(line: &str) -> Option<Frame> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (function, place) = match line
        .strip_suffix(')')
        .and_then(|line| line.rsplit_once(" ("))
    {
        Some((function, place)) => (function, place),
        None => ("", line),
    };
    let function = function.strip_prefix("new ").unwrap_or(function);
    // `Order.place [as save]`: the name after `as` is where it was stored.
    let function = function.split(" [as ").next().unwrap_or(function);
    if matches!(place, "<anonymous>" | "native") && !function.is_empty() {
        return Some(frame("", function, None));
    }
    let (file, number) = file_line_column(place)?;
    Some(frame(file, function, Some(number)))
}

/// `place@https://shop.example/a.js:12:5`, as Firefox and Safari write it.
fn firefox(line: &str) -> Option<Frame> {
    let (function, place) = line.split_once('@')?;
    let (file, number) = file_line_column(place)?;
    let is_place = file.contains("://") || file.starts_with('/');
    (is_place && !function.contains([' ', '"', '\''])).then(|| frame(file, function, Some(number)))
}

/// `path:12:5`; a drive letter or scheme may stand before.
fn file_line_column(place: &str) -> Option<(&str, u32)> {
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    column.parse::<u32>().ok()?;
    let line = line.parse().ok()?;
    (!file.is_empty()).then_some((file, line))
}

/// `Shop.Order.Place(Int32 id) in C:\ws\Order.cs:line 12`
fn dotnet(line: &str) -> Option<Frame> {
    let (call, place) = line.split_once(" in ")?;
    let (file, number) = place.rsplit_once(":line ")?;
    let (function, _) = call.split_once('(')?;
    Some(frame(file, function, Some(number.trim().parse().ok()?)))
}

/// `System.String.Substring(Int32 start, Int32 length)`
fn dotnet_without_place(line: &str) -> Option<Frame> {
    let (function, arguments) = line.strip_suffix(')')?.split_once('(')?;
    let is_call = function.contains('.') && !function.contains(' ') && !arguments.contains(':');
    is_call.then(|| frame("", function, None))
}

/// `12: shop::orders::place`, with an address in some builds: `12: 0x55d1 - shop::orders::place`.
fn rust_function(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(": ")?;
    number.parse::<u32>().ok()?;
    let rest = rest.trim();
    let function = match rest.split_once(" - ") {
        Some((address, function)) if address.starts_with("0x") => function,
        _ => rest,
    };
    (!function.is_empty() && !function.contains(' ') || function.starts_with('<'))
        .then_some(function)
}

/// `./src/lib.rs:12:5`; only Rust's own files, so that other languages' `at` lines are not taken for it.
fn rust_place(place: &str) -> Option<(&str, u32)> {
    file_line_column(place).filter(|(file, _)| file.ends_with(".rs"))
}

/// `shop/orders.(*Service).Place(0xc000, 0x1)` at the start of a line; `created by` names who started the goroutine.
fn go_function(line: &str) -> Option<&str> {
    let call = line.strip_prefix("created by ").map_or(line, |rest| {
        rest.split(" in goroutine").next().unwrap_or(rest)
    });
    let started = call.len() != line.len();
    let function = if started {
        call
    } else {
        call.strip_suffix(')')?.rsplit_once('(')?.0
    };
    let is_name = function.contains('.') && !function.contains([' ', '\t', '"', ':']);
    is_name.then_some(function)
}

/// `\t/ws/orders.go:12 +0x1d` of a panic, `    orders_test.go:12: message` of a test.
fn go_place(line: &str) -> Option<(&str, u32)> {
    let rest = line.strip_prefix([' ', '\t'])?.trim_start();
    let position = rest.find(".go:")?;
    let file = &rest[..position + 3];
    let number: String = rest[position + 4..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let after = &rest[position + 4 + number.len()..];
    let ends_well = after.is_empty() || after.starts_with(" +0x") || after.starts_with(':');
    let number = number.parse().ok()?;
    (ends_well && !file.contains([' ', '"', '('])).then_some((file, number))
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
