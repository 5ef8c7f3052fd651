//! The keys of the first levels of a JSON document, as far as its head shows them.
//!
//! The head may be cut anywhere and need not be valid: brackets, strings and colons are all that is looked at.

use std::collections::HashMap;

/// Levels of keys that are noted.
const LEVELS: usize = 4;

/// Bytes of a value that are kept with its key.
const VALUE_BYTES: usize = 24;

/// Keys by their path, such as `results.tool` or `[].elements`, with the beginning of the first value of each.
pub(super) struct Sketch<'a> {
    keys: HashMap<String, &'a [u8]>,
}

impl<'a> Sketch<'a> {
    /// Sketches the document at the start of `head`; what follows it is not looked at.
    pub(super) fn of(head: &'a [u8]) -> Self {
        let mut sketch = Self {
            keys: HashMap::new(),
        };
        // Each open container adds its part to the path: a key, or `[]`.
        let mut open: Vec<String> = Vec::new();
        let mut depth = 0_usize;
        let mut key = String::new();
        let mut at = 0;
        while at < head.len() {
            match head[at] {
                bracket @ (b'{' | b'[') => {
                    depth += 1;
                    if depth <= LEVELS {
                        let mut part = std::mem::take(&mut key);
                        if bracket == b'[' {
                            part.push_str("[]");
                        }
                        open.push(part);
                    }
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    open.truncate(depth);
                    if depth == 0 {
                        break;
                    }
                }
                b'"' => {
                    let end = end_of_string(head, at);
                    let text = head.get(at + 1..end).unwrap_or_default();
                    let after = head.get(end + 1..).unwrap_or_default().trim_ascii_start();
                    if let Some(value) = after.strip_prefix(b":")
                        && depth <= LEVELS
                    {
                        key = String::from_utf8_lossy(text).into_owned();
                        sketch.note(&open, &key, value.trim_ascii_start());
                    }
                    at = end;
                }
                b',' => key.clear(),
                _ => {}
            }
            at += 1;
        }
        sketch
    }

    fn note(&mut self, open: &[String], key: &str, value: &'a [u8]) {
        let mut path = String::new();
        let parts = open.iter().map(String::as_str).chain([key]);
        for part in parts.filter(|part| !part.is_empty()) {
            if !path.is_empty() && part != "[]" {
                path.push('.');
            }
            path.push_str(part);
        }
        let value = &value[..value.len().min(VALUE_BYTES)];
        self.keys.entry(path).or_insert(value);
    }

    /// Whether there is such a key, with an object below it.
    pub(super) fn object(&self, path: &str) -> bool {
        self.begins(path, b"{")
    }

    /// Whether there is such a key, with a list below it.
    pub(super) fn list(&self, path: &str) -> bool {
        self.begins(path, b"[")
    }

    /// Whether there is such a key, with a value that begins so.
    pub(super) fn begins(&self, path: &str, value: &[u8]) -> bool {
        self.keys
            .get(path)
            .is_some_and(|found| found.starts_with(value))
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, path: &str) -> bool {
        self.keys.contains_key(path)
    }

    /// How many of these keys there are.
    pub(super) fn count(&self, paths: &[&str]) -> usize {
        paths.iter().filter(|path| self.has(path)).count()
    }
}

/// Where the string that begins at `start` ends: its closing quote, or the end of the head.
fn end_of_string(head: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < head.len() && head[at] != b'"' {
        at += if head[at] == b'\\' { 2 } else { 1 };
    }
    at.min(head.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths() {
        let sketch = Sketch::of(
            br#"{"a": {"b": [{"c": "}{"}, 1], "d\"": 2}, "e": [[{"f": 1}]], "g": "h"} {"i": 1}"#,
        );
        assert!(sketch.object("a") && sketch.list("a.b") && sketch.list("e"));
        assert!(sketch.begins("a.b[].c", b"\"}{\"") && sketch.has("a.d\\\""));
        assert!(sketch.has("e[][].f") && sketch.has("g"));
        assert!(!sketch.has("h") && !sketch.has("c") && !sketch.has("i"));
        assert!(Sketch::of(b"[{\"x\": 1").has("[].x"), "a cut head");
        assert_eq!(sketch.count(&["a", "e", "z"]), 2);
    }

    proptest! {
        #[test]
        fn never_panics(head in "[\\[\\]{}:,\"\\\\a ]{0,60}") {
            Sketch::of(head.as_bytes());
        }
    }
}
