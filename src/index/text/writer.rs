//! Writes the text index.

use std::sync::atomic::Ordering;

use tantivy::indexer::IndexWriterOptions;
use tantivy::{IndexWriter, TantivyDocument, TantivyError, Term};

use super::block::BlockDoc;
use super::candidates::{Facet, facet_value};
use super::compile::kind_number;
use super::error::IndexError;
use super::reader::TextIndex;
use super::terms::TermSet;

/// Memory for terms before a segment is written. A commit comes after 32 MB of text anyway, so more would only be held for
/// texts that repeat nothing, and the whole server is to stay below 100 MB while it takes a log.
const MEMORY_BYTES: usize = 24_000_000;

/// The one writer of a text index. What it was given shows in searches, and survives, from the next commit on;
/// dropped without a commit, the index is as the last commit left it.
pub struct TextWriter {
    index: TextIndex,
    writer: IndexWriter,
    terms: TermSet,
}

impl TextWriter {
    pub(super) fn new(index: TextIndex) -> Result<TextWriter, IndexError> {
        // One thread each: the writer shares the machine with builds and ingest.
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(MEMORY_BYTES)
            .build();
        let writer =
            index
                .shared
                .index
                .writer_with_options(options)
                .map_err(|error| match error {
                    TantivyError::LockFailure(..) => IndexError::WriterTaken {
                        path: index.shared.path.clone(),
                    },
                    error => IndexError::Engine(error),
                })?;
        Ok(TextWriter {
            index,
            writer,
            terms: TermSet::new(),
        })
    }

    /// Adds a block in place of an earlier one of the same key.
    ///
    /// # Errors
    /// `Engine` if the index cannot be written; drop the writer and go on from the cursor with a new one.
    pub fn add(&mut self, block: &BlockDoc<'_>) -> Result<(), IndexError> {
        let fields = &self.index.shared.fields;
        let key = block.key.encode();
        self.writer
            .delete_term(Term::from_field_bytes(fields.key, &key));

        let mut document = TantivyDocument::default();
        document.add_text(fields.text, self.terms.fill(block.text));
        document.add_bytes(fields.key, &key);
        document.add_bytes(fields.build_id, &block.build_id);
        document.add_bytes(fields.project, &block.project);
        document.add_u64(fields.build, block.build);
        document.add_u64(fields.kind, kind_number(block.key.kind()));
        document.add_i64(fields.time, block.time);
        document.add_u64(fields.tie, block.key.tie());
        document.add_bytes(fields.hit, &block.hit().encode());
        for facet in Facet::ALL {
            let name = match facet {
                Facet::Job => block.job,
                Facet::Branch => block.branch,
                Facet::Status => block.status,
                Facet::Agent => block.agent,
                Facet::Test => block.test,
                Facet::Step => block.step,
            };
            if !name.is_empty() {
                document.add_text(fields.facet(facet), facet_value(name));
            }
        }
        self.writer.add_document(document)?;
        Ok(())
    }

    /// Deletes every block of a build that was added so far.
    pub fn delete_build(&mut self, build_id: [u8; 16]) {
        let term = Term::from_field_bytes(self.index.shared.fields.build_id, &build_id);
        self.writer.delete_term(term);
    }

    /// Makes everything so far durable and visible, together with the sequence of the last event it comes from.
    ///
    /// # Errors
    /// `Engine` if the index cannot be written: then the last commit holds, and its cursor.
    pub fn commit(&mut self, event_sequence: u64) -> Result<(), IndexError> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&event_sequence.to_string());
        commit.commit()?;
        let shared = &self.index.shared;
        shared.reader.reload()?;
        shared.cursor.store(event_sequence, Ordering::Release);
        Ok(())
    }

    /// Waits for merges in the background and gives the place of the writer free.
    ///
    /// # Errors
    /// `Engine` if a merge failed; the last commit holds.
    pub fn close(self) -> Result<(), IndexError> {
        self.writer.wait_merging_threads()?;
        Ok(())
    }
}
