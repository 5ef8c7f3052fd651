//! Opens and searches the text index.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tantivy::schema::Value;
use tantivy::{
    Index, IndexBuilder, IndexReader, IndexSettings, ReloadPolicy, TantivyDocument, TantivyError,
};

use super::block::{BlockHit, Cursor};
use super::candidates::{Candidates, Filter};
use super::collect::Newest;
use super::compile::compile;
use super::error::IndexError;
use super::schema::{Fields, tokenizers};
use super::writer::TextWriter;

/// The text index of a data directory; clones share it.
#[derive(Clone)]
pub struct TextIndex {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) index: Index,
    pub(super) fields: Fields,
    pub(super) reader: IndexReader,
    /// Last event in the index, as the newest commit says.
    pub(super) cursor: AtomicU64,
}

impl TextIndex {
    /// Opens the index in `dir`, and makes an empty one if there is none.
    ///
    /// # Errors
    /// `Damaged` and `OtherVersion` leave the directory as it is; answer them with [`TextIndex::recreate`].
    /// `Directory` if it cannot be made.
    pub fn open(dir: &Path) -> Result<TextIndex, IndexError> {
        let damaged = |error: TantivyError| IndexError::Damaged {
            path: dir.to_owned(),
            reason: error.to_string(),
        };
        fs::create_dir_all(dir).map_err(|source| IndexError::Directory {
            path: dir.to_owned(),
            source,
        })?;
        let fields = Fields::new();
        let mut index = if dir.join("meta.json").exists() {
            Index::open_in_dir(dir).map_err(damaged)?
        } else {
            let settings = IndexSettings {
                docstore_compress_dedicated_thread: false,
                ..IndexSettings::default()
            };
            IndexBuilder::new()
                .schema(fields.schema.clone())
                .settings(settings)
                .create_in_dir(dir)
                .map_err(damaged)?
        };
        if index.schema() != fields.schema {
            return Err(IndexError::OtherVersion {
                path: dir.to_owned(),
            });
        }
        index.set_tokenizers(tokenizers());
        let cursor = match index.load_metas().map_err(damaged)?.payload {
            None => 0,
            Some(payload) => payload.parse().map_err(|_| IndexError::Damaged {
                path: dir.to_owned(),
                reason: format!("`{payload}` is no event sequence"),
            })?,
        };
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(damaged)?;
        let cursor = AtomicU64::new(cursor);
        Ok(TextIndex {
            shared: Arc::new(Shared {
                path: dir.to_owned(),
                index,
                fields,
                reader,
                cursor,
            }),
        })
    }

    /// Removes everything in `dir` and opens an empty index there; its cursor is 0. No handle of the old index may be
    /// in use.
    ///
    /// # Errors
    /// `Directory` if `dir` cannot be emptied, which may leave part of it.
    pub fn recreate(dir: &Path) -> Result<TextIndex, IndexError> {
        match fs::remove_dir_all(dir) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(IndexError::Directory {
                    path: dir.to_owned(),
                    source,
                })
            }
            _ => TextIndex::open(dir),
        }
    }

    /// Sequence of the last event that the committed index contains; 0 if it is new.
    pub fn cursor(&self) -> u64 {
        self.shared.cursor.load(Ordering::Acquire)
    }

    /// The one writer.
    ///
    /// # Errors
    /// `WriterTaken` while another one lives, in this process or elsewhere.
    pub fn writer(&self) -> Result<TextWriter, IndexError> {
        TextWriter::new(self.clone())
    }

    /// Up to `limit` blocks that pass the filter and may hold what is asked, newest first, behind `after`.
    ///
    /// # Errors
    /// `Record` and `Engine` if the index cannot be read.
    pub fn search(
        &self,
        candidates: &Candidates,
        filter: &Filter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Vec<BlockHit>, IndexError> {
        let Shared { fields, reader, .. } = &*self.shared;
        let query = compile(fields, candidates, filter);
        let searcher = reader.searcher();
        let places = searcher.search(&*query, &Newest { limit, after })?;
        let mut hits = Vec::with_capacity(places.len());
        for (_, address) in places {
            let document: TantivyDocument = searcher.doc(address)?;
            let stored = document
                .get_first(fields.hit)
                .and_then(|value| value.as_bytes());
            hits.push(
                stored
                    .and_then(BlockHit::decode)
                    .ok_or(IndexError::Record)?,
            );
        }
        Ok(hits)
    }

    /// How many blocks the committed index contains.
    pub fn len(&self) -> u64 {
        self.shared.reader.searcher().num_docs()
    }

    /// Whether the committed index contains no block.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::text::{BlockDoc, BlockKey, Compare, Facet, Kind, Projects, facet_value};

    const SHOP: [u8; 16] = [1; 16];
    const BANK: [u8; 16] = [2; 16];

    fn log(build: u64, offset: u64, text: &str) -> BlockDoc<'_> {
        let build_id = [build as u8; 16];
        BlockDoc {
            key: BlockKey::Log {
                build_id,
                attempt: 1,
                offset,
            },
            project: if build < 10 { SHOP } else { BANK },
            build,
            build_id,
            attempt: 1,
            job: "Nightly",
            branch: "release/2.1",
            status: "failed",
            agent: "linux-1",
            test: "",
            step: "Unit tests",
            time: (build * 1_000 + offset / 2) as i64,
            text,
        }
    }

    fn failure(build: u64, ordinal: u32, text: &str) -> BlockDoc<'_> {
        let key = BlockKey::Failure {
            result_id: [9; 16],
            ordinal,
        };
        BlockDoc {
            key,
            test: "shop.CheckoutTest.places_order",
            job: "smoke",
            ..log(build, 0, text)
        }
    }

    fn term(text: &str) -> Candidates {
        Candidates::Term(text.to_owned())
    }

    fn keys(index: &TextIndex, candidates: &Candidates, filter: &Filter) -> Vec<BlockKey> {
        let hits = index
            .search(candidates, filter, 100, None)
            .expect("an answer");
        hits.into_iter().map(|hit| hit.key).collect()
    }

    fn everywhere() -> Filter {
        Filter::new(Projects::All)
    }

    fn filled(dir: &Path) -> TextIndex {
        let index = TextIndex::open(dir).expect("a new index");
        let mut writer = index.writer().expect("the only writer");
        for block in [
            log(1, 0, "placeOrder failed\nconnection refused"),
            log(1, 4, "all well"),
            log(2, 0, "connection reset"),
            log(11, 0, "connection refused"),
            failure(2, 0, "AssertionError: connection refused"),
        ] {
            writer.add(&block).expect("added");
        }
        writer.commit(42).expect("committed");
        writer.close().expect("closed");
        index
    }

    #[test]
    fn blocks_are_found_newest_first() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = filled(dir.path());
        let found = keys(&index, &term("connection"), &everywhere());
        let mut expected = [
            log(11, 0, "").key,
            log(2, 0, "").key,
            failure(2, 0, "").key,
            log(1, 0, "").key,
        ];
        // Two blocks of one moment stand in the order of their ties.
        if found[1] == expected[2] {
            expected.swap(1, 2);
        }
        assert_eq!(found, expected);
        let hit = index
            .search(&term("order"), &everywhere(), 1, None)
            .expect("an answer")[0];
        assert_eq!(hit, log(1, 0, "").hit());
    }

    #[test]
    fn filters_limit_the_answer() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = filled(dir.path());
        let check = |filter: Filter, expected: usize| {
            assert_eq!(
                keys(&index, &term("connection"), &filter).len(),
                expected,
                "{filter:?}"
            );
        };
        check(everywhere(), 4);
        check(Filter::new(Projects::Only(vec![SHOP])), 3);
        check(Filter::new(Projects::Only(vec![SHOP, BANK])), 4);
        check(Filter::new(Projects::Only(vec![])), 0);
        check(everywhere().facet(Facet::Job, "nightly"), 3);
        check(everywhere().facet(Facet::Branch, "release"), 0);
        check(
            everywhere()
                .facet(Facet::Branch, "release/2.1")
                .facet(Facet::Job, "SMOKE"),
            1,
        );
        check(everywhere().and(Candidates::Build(2)), 2);
        check(everywhere().and(Candidates::Kind(Kind::Failure)), 1);
        check(everywhere().and(Candidates::Before(2_000)), 1);
        check(everywhere().and(Candidates::After(2_000)), 3);
        let facet =
            |compare, value: &str| Candidates::Facet(Facet::Test, compare, facet_value(value));
        check(
            everywhere().and(facet(Compare::Contains, "CheckoutTest.places")),
            1,
        );
        check(everywhere().and(facet(Compare::Prefix, "shop.c")), 1);
        check(everywhere().and(facet(Compare::Prefix, "checkout")), 0);
    }

    #[test]
    fn conditions_on_terms_hold() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = filled(dir.path());
        let mut writer = index.writer().expect("the only writer");
        writer.add(&log(3, 0, &"z".repeat(1 << 20))).expect("added");
        writer.commit(43).expect("committed");
        let check = |candidates: Candidates, expected: usize| {
            assert_eq!(
                keys(&index, &candidates, &everywhere()).len(),
                expected,
                "{candidates:?}"
            );
        };
        check(Candidates::All, 6);
        check(Candidates::And(vec![]), 6);
        check(Candidates::Or(vec![]), 0);
        check(
            Candidates::And(vec![term("connection"), term("refused")]),
            3,
        );
        check(Candidates::Or(vec![term("well"), term("reset")]), 2);
        check(Candidates::Prefix("re".to_owned()), 4);
        // The block with the cut run may hold anything.
        check(Candidates::Contains("fuse".to_owned()), 4);
        check(Candidates::Suffix("fused".to_owned()), 4);
        check(Candidates::Contains("z".repeat(100)), 1);
        check(Candidates::Prefix("z".repeat(64)), 1);
    }

    #[test]
    fn pages_continue_without_gap_or_repetition() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = TextIndex::open(dir.path()).expect("a new index");
        let mut writer = index.writer().expect("the only writer");
        // Two blocks share each moment, and the pages lie over several segments.
        for offset in 0..25 {
            writer.add(&log(1, offset, "same word")).expect("added");
            if offset % 7 == 0 {
                writer.commit(offset).expect("committed");
            }
        }
        writer.commit(25).expect("committed");
        let mut pages = Vec::new();
        let mut after = None;
        loop {
            let page = index
                .search(&term("same"), &everywhere(), 3, after)
                .expect("an answer");
            let Some(last) = page.last() else { break };
            after = Some(last.cursor());
            pages.extend(page);
        }
        let whole = index
            .search(&term("same"), &everywhere(), 100, None)
            .expect("an answer");
        assert_eq!(pages, whole);
        assert_eq!(whole.len(), 25);
        assert!(whole.is_sorted_by(|left, right| left.cursor() > right.cursor()));
    }

    #[test]
    fn the_cursor_and_the_blocks_survive_a_reopening() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(filled(dir.path()).cursor(), 42);
        let index = TextIndex::open(dir.path()).expect("the index");
        assert_eq!((index.cursor(), index.len()), (42, 5));
        assert_eq!(keys(&index, &term("reset"), &everywhere()).len(), 1);
    }

    #[test]
    fn uncommitted_blocks_are_gone_after_a_reopening() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = filled(dir.path());
        let mut writer = index.writer().expect("the only writer");
        writer.add(&log(5, 0, "unfinished")).expect("added");
        drop(writer);
        assert_eq!((index.cursor(), index.len()), (42, 5));
        let index = TextIndex::open(dir.path()).expect("the index");
        assert_eq!((index.cursor(), index.len()), (42, 5));
    }

    #[test]
    fn a_replay_changes_nothing_and_a_newer_block_replaces() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = filled(dir.path());
        let before = keys(&index, &Candidates::All, &everywhere());
        filled(dir.path().join("other").as_path());
        let mut writer = index.writer().expect("the only writer");
        for _ in 0..2 {
            writer.add(&log(2, 0, "connection reset")).expect("added");
            writer.add(&log(1, 4, "no longer healthy")).expect("added");
        }
        writer.commit(43).expect("committed");
        assert_eq!(keys(&index, &Candidates::All, &everywhere()), before);
        assert_eq!(keys(&index, &term("well"), &everywhere()), []);
        assert_eq!(
            keys(&index, &term("healthy"), &everywhere()),
            [log(1, 4, "").key]
        );
    }

    #[test]
    fn a_deleted_build_is_gone_and_may_come_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = filled(dir.path());
        let mut writer = index.writer().expect("the only writer");
        writer.delete_build([2; 16]);
        writer.commit(43).expect("committed");
        assert_eq!(
            keys(&index, &term("connection"), &everywhere()),
            [log(11, 0, "").key, log(1, 0, "").key]
        );
        writer.add(&log(2, 0, "connection reset")).expect("added");
        writer.commit(44).expect("committed");
        assert_eq!(
            keys(&index, &term("reset"), &everywhere()),
            [log(2, 0, "").key]
        );
    }

    #[test]
    fn there_is_one_writer() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let index = TextIndex::open(dir.path()).expect("a new index");
        let writer = index.writer().expect("the only writer");
        assert!(matches!(
            index.writer(),
            Err(IndexError::WriterTaken { .. })
        ));
        writer.close().expect("closed");
        assert!(index.writer().is_ok());
    }

    #[test]
    fn a_damaged_or_foreign_directory_is_named_and_made_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("index");
        filled(&path);
        let meta = path.join("meta.json");
        let text = fs::read_to_string(&meta).expect("the index's description");

        fs::write(&meta, &text[..text.len() / 2]).expect("written");
        assert!(matches!(
            TextIndex::open(&path),
            Err(IndexError::Damaged { .. })
        ));

        fs::write(&meta, text.replace("testhide-terms-1", "testhide-terms-0")).expect("written");
        assert!(matches!(
            TextIndex::open(&path),
            Err(IndexError::OtherVersion { .. })
        ));

        fs::write(&meta, &text).expect("written");
        for entry in fs::read_dir(&path).expect("the directory") {
            let file = entry.expect("an entry").path();
            if file
                .extension()
                .is_some_and(|extension| extension == "term")
            {
                fs::write(file, b"no dictionary").expect("written");
            }
        }
        assert!(matches!(
            TextIndex::open(&path),
            Err(IndexError::Damaged { .. })
        ));

        let index = TextIndex::recreate(&path).expect("an empty index");
        assert_eq!((index.cursor(), index.len()), (0, 0));
    }
}
