//! Pages that many ask for at the same time are read and written as JSON once.
//!
//! A page with as many lines as were asked for never changes, and answers for good; the page at the log's end answers until the log has
//! grown. What is kept is bounded in bytes, whoever asks for what.

use super::error::LogsError;
use super::model::LogHead;
use super::page::Logs;
use crate::storage::Watched;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use testhide_protocol::BuildId;
use testhide_protocol::api::LogPage;

/// Bytes of JSON that are kept.
const MAX_KEPT: usize = 16 * 1024 * 1024;

/// Pages that are kept; they are looked through one by one.
const MAX_PAGES: usize = 64;

/// A page as JSON: the parts of one [`LogPage`](testhide_protocol::api::LogPage), in order.
#[derive(Debug, Clone)]
pub struct PageJson(pub [Bytes; 3]);

impl PageJson {
    /// Bytes of all parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are none; never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Those who read or follow one log at this moment.
#[derive(Default)]
pub(super) struct Reader {
    /// How far the log is.
    pub head: Watched<LogHead>,
    /// Held while a page is read, so that whoever comes meanwhile finds it.
    reading: tokio::sync::Mutex<()>,
}

/// All of them, by log.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<(BuildId, u32), Weak<Reader>>>);

impl Readers {
    /// Comes to those who read this log.
    pub(super) fn enter(&self, build: BuildId, attempt: u32) -> Arc<Reader> {
        let mut readers = self.0.lock();
        if let Some(reader) = readers.get(&(build, attempt)).and_then(Weak::upgrade) {
            return reader;
        }
        readers.retain(|_, reader| reader.strong_count() > 0);
        let reader = Arc::new(Reader::default());
        readers.insert((build, attempt), Arc::downgrade(&reader));
        reader
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    build: BuildId,
    attempt: u32,
    from: u64,
    limit: usize,
}

/// How far a log was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    lines: u64,
    bytes: u64,
    complete: bool,
}

/// A page that may answer again.
#[derive(Debug, Clone)]
struct Kept {
    key: Key,
    /// The fields with the lines.
    lines: Bytes,
    /// The log that it was read from; `None` when the page has all the lines it will ever have.
    counts: Option<Counts>,
}

/// Pages that were asked for lately, the newest last.
#[derive(Default)]
pub(super) struct Pages(Mutex<VecDeque<Kept>>);

impl Pages {
    fn find(&self, key: Key, counts: Counts) -> Option<Bytes> {
        let pages = self.0.lock();
        let kept = pages.iter().find(|kept| kept.key == key)?;
        let answers = kept.counts.is_none_or(|read| read == counts);
        answers.then(|| kept.lines.clone())
    }

    fn keep(&self, page: Kept) {
        let mut pages = self.0.lock();
        pages.retain(|kept| kept.key != page.key);
        pages.push_back(page);
        let mut bytes: usize = pages.iter().map(|kept| kept.lines.len()).sum();
        while bytes > MAX_KEPT || pages.len() > MAX_PAGES {
            let Some(oldest) = pages.pop_front() else {
                return;
            };
            bytes -= oldest.lines.len();
        }
    }
}

impl Logs {
    /// The page that [`Logs::page`] answers, as JSON.
    ///
    /// # Errors
    /// As [`Logs::page`].
    pub async fn page_json(
        &self,
        build: BuildId,
        attempt: u32,
        from: u64,
        limit: usize,
    ) -> Result<PageJson, LogsError> {
        let key = Key {
            build,
            attempt,
            from,
            limit,
        };
        let reader = self.readers.enter(build, attempt);
        let _reading = reader.reading.lock().await;
        let head = self.head(build, attempt)?;
        let counts = Counts {
            lines: head.lines(),
            bytes: head.bytes,
            complete: head.complete,
        };
        if let Some(lines) = self.pages.find(key, counts) {
            return Ok(join(key, lines, counts));
        }
        let logs = self.clone();
        let reading = tokio::task::spawn_blocking(move || logs.page(build, attempt, from, limit));
        let page = reading.await.expect("reading a page does not panic")?;
        let counts = Counts {
            lines: page.total_lines,
            bytes: page.total_bytes,
            complete: page.complete,
        };
        let lines = fields(&page);
        let last = page.lines.last().map_or(u64::MAX, |line| line.number);
        let is_settled = page.lines.len() == limit || last < page.total_lines;
        self.pages.keep(Kept {
            key,
            lines: lines.clone(),
            counts: (!is_settled).then_some(counts),
        });
        Ok(join(key, lines, counts))
    }
}

/// The fields with the lines, followed by a comma.
fn fields(page: &LogPage) -> Bytes {
    let json = "lines are plain data";
    let mut text = b"\"lines\":".to_vec();
    serde_json::to_writer(&mut text, &page.lines).expect(json);
    if let Some(running) = &page.running {
        text.extend_from_slice(b",\"running\":");
        serde_json::to_writer(&mut text, running).expect(json);
    }
    text.push(b',');
    text.into()
}

fn join(key: Key, lines: Bytes, counts: Counts) -> PageJson {
    let Key { build, attempt, .. } = key;
    let Counts {
        lines: total,
        bytes,
        complete,
    } = counts;
    let begin = format!("{{\"build_id\":\"{build}\",\"attempt\":{attempt},");
    let end = format!("\"total_lines\":{total},\"total_bytes\":{bytes},\"complete\":{complete}}}");
    PageJson([begin.into(), lines, end.into()])
}

#[cfg(test)]
mod tests {
    use super::{Counts, Kept, Key, MAX_KEPT, MAX_PAGES, Pages, fields, join};
    use proptest::prelude::*;
    use testhide_protocol::api::{LogLine, LogPage, Stream};
    use testhide_protocol::{BuildId, Timestamp};

    fn line() -> impl Strategy<Value = LogLine> {
        (any::<u64>(), any::<u32>(), any::<String>(), any::<bool>()).prop_map(
            |(number, step, text, continued)| LogLine {
                number,
                step,
                stream: Stream::Stderr,
                time: Timestamp(0),
                text,
                continued,
            },
        )
    }

    proptest! {
        #[test]
        fn the_parts_are_the_page(
            lines in prop::collection::vec(line(), 0..5),
            running in prop::option::of(line()),
            (total_lines, total_bytes, complete) in any::<(u64, u64, bool)>(),
            attempt in any::<u32>(),
        ) {
            let build = BuildId::from_bytes([3; 16]);
            let page = LogPage { build_id: build, attempt, lines, running, total_lines, total_bytes, complete };
            let key = Key { build, attempt, from: 1, limit: 1 };
            let json = join(key, fields(&page), Counts { lines: total_lines, bytes: total_bytes, complete });
            prop_assert_eq!(json.0.concat(), serde_json::to_vec(&page).unwrap());
        }

        #[test]
        fn what_is_kept_is_bounded_and_right(asked in prop::collection::vec((1u64..90, 0usize..MAX_KEPT / 4, any::<bool>()), 1..200)) {
            let pages = Pages::default();
            let counts = |bytes| Counts { lines: 0, bytes, complete: false };
            for (from, length, is_settled) in asked {
                let key = Key { build: BuildId::from_bytes([0; 16]), attempt: 1, from, limit: 10 };
                let page = Kept { key, lines: vec![0; length].into(), counts: (!is_settled).then_some(counts(7)) };
                pages.keep(page);
                let held: usize = pages.0.lock().iter().map(|kept| kept.lines.len()).sum();
                prop_assert!(held <= MAX_KEPT && pages.0.lock().len() <= MAX_PAGES);
                prop_assert_eq!(pages.find(key, counts(7)).map(|lines| lines.len()), Some(length));
                prop_assert_eq!(pages.find(key, counts(8)).is_some(), is_settled);
            }
        }
    }
}
