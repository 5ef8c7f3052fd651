//! What masking is used by: [`Masks`] of some secrets, a [`Masker`] for each stream, a [`Cover`] where lengths must stay.

use super::forms::forms;
use super::patterns::Patterns;
use super::scanner::Scanner;
use super::secret::Secret;
use std::sync::Arc;

/// Most bytes that all values of one build have together: an automaton of all their forms takes up to 40 MB then.
pub const MAX_SECRETS_BYTES: usize = 64 * 1024;

/// What stands for a secret whose name cannot be shown, because it holds a secret itself.
const NAMELESS: &[u8] = b"***";

/// The secrets of a build, ready to be searched for. A clone is cheap and shares all of it.
#[derive(Debug, Clone)]
pub struct Masks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    patterns: Patterns,
    /// By secret: what stands in its place.
    marks: Vec<Vec<u8>>,
}

/// Secrets that cannot be masked together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasks {
    /// All values together are too long.
    #[error("values of all secrets have {bytes} bytes together, more than {MAX_SECRETS_BYTES}")]
    TooMuch {
        /// How many they have.
        bytes: usize,
    },
}

impl Masks {
    /// Prepares the search for all forms of `secrets`. Of two with the same value the first is named.
    ///
    /// # Errors
    /// [`InvalidMasks::TooMuch`] when the values are longer together than [`MAX_SECRETS_BYTES`].
    pub fn new(secrets: &[Secret]) -> Result<Self, InvalidMasks> {
        let bytes = secrets.iter().map(|secret| secret.value().len()).sum();
        if bytes > MAX_SECRETS_BYTES {
            return Err(InvalidMasks::TooMuch { bytes });
        }
        let all = (0..).zip(secrets).flat_map(|(number, secret)| {
            let forms = forms(secret.value()).into_iter();
            forms.map(move |form| (form, number))
        });
        let patterns = Patterns::new(all.collect());
        let marks = secrets.iter().map(|secret| mark(secret, &patterns));
        let marks = marks.collect();
        Ok(Self(Arc::new(Inner { patterns, marks })))
    }

    /// Masks one stream.
    #[must_use]
    pub fn masker(&self) -> Masker {
        Masker {
            masks: self.clone(),
            scanner: Scanner::new(&self.0.patterns),
            held: Vec::new(),
            held_at: 0,
        }
    }

    /// Covers secrets in one stream.
    #[must_use]
    pub fn cover(&self) -> Cover {
        Cover {
            masks: self.clone(),
            scanner: Scanner::new(&self.0.patterns),
            at: 0,
        }
    }

    /// A whole text, masked.
    #[must_use]
    pub fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(text.len());
        let mut masker = self.masker();
        masker.mask(text, &mut masked);
        masker.finish(&mut masked);
        masked
    }

    /// Bytes of memory that the search takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.patterns.memory()
    }
}

/// `[secret:NAME]`, unless that would show a secret: some have their own name as value.
fn mark(secret: &Secret, patterns: &Patterns) -> Vec<u8> {
    let mark = format!("[secret:{}]", secret.name()).into_bytes();
    let mut scanner = Scanner::new(patterns);
    scanner.scan(&mark, patterns);
    scanner.finish(patterns);
    if scanner.found().is_empty() {
        mark
    } else {
        NAMELESS.to_vec()
    }
}

/// Replaces secrets in one stream that comes in pieces.
///
/// Each stream (standard output, standard error) has a masker of its own: a secret lies within one of them. What comes out does not depend
/// on where the stream was cut. Only bytes that may be the beginning of a secret are held back until it is clear; after the end of an
/// ordinary line that is nothing.
#[derive(Debug)]
pub struct Masker {
    masks: Masks,
    scanner: Scanner,
    held: Vec<u8>,
    /// Place of the first held byte in the stream.
    held_at: u64,
}

impl Masker {
    /// Takes the next piece of the stream; appends to `out` all that is clear by now, masked.
    pub fn mask(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let patterns = &self.masks.0.patterns;
        self.scanner.scan(piece, patterns);
        let open_since = self.scanner.open_since(patterns);
        if self.held.is_empty()
            && self.scanner.found().is_empty()
            && open_since == self.held_at + piece.len() as u64
        {
            out.extend_from_slice(piece);
            self.held_at = open_since;
            return;
        }
        self.held.extend_from_slice(piece);
        self.release(open_since, out);
    }

    /// Ends the stream; appends to `out` what was held back, masked. The masker is ready for another stream.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.scanner.finish(&self.masks.0.patterns);
        self.release(self.held_at + self.held.len() as u64, out);
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Lets go of all before `open_since`. A secret that goes on there stays whole: it may grow into one stretch with another.
    fn release(&mut self, open_since: u64, out: &mut Vec<u8>) {
        let begin = self.held_at;
        let text = |from: u64, to: u64| (from - begin) as usize..(to - begin) as usize;
        let mut done = begin;
        let mut taken = 0;
        let mut until = open_since;
        for found in self.scanner.found() {
            if found.end > open_since {
                until = until.min(found.start);
                break;
            }
            out.extend_from_slice(&self.held[text(done, found.start)]);
            out.extend_from_slice(&self.masks.0.marks[found.secret as usize]);
            done = found.end;
            taken += 1;
        }
        out.extend_from_slice(&self.held[text(done, until)]);
        self.held.drain(text(begin, until));
        self.held_at = until;
        self.scanner.forget_found(taken);
    }
}

/// Covers secrets with `*` in one stream, byte for byte: for a second look at text whose lengths and places are settled already.
///
/// It holds nothing back. Of a secret that began in an earlier piece, the part in this one is covered.
#[derive(Debug)]
pub struct Cover {
    masks: Masks,
    scanner: Scanner,
    at: u64,
}

impl Cover {
    /// Covers what is found in the next piece of the stream; how many places were.
    pub fn cover(&mut self, piece: &mut [u8]) -> usize {
        let begin = self.at;
        self.at += piece.len() as u64;
        self.scanner.scan(piece, &self.masks.0.patterns);
        let count = self.scanner.found().len();
        for found in self.scanner.found() {
            let from = found.start.saturating_sub(begin) as usize;
            let to = found.end.saturating_sub(begin) as usize;
            piece[from..to].fill(b'*');
        }
        self.scanner.forget_found(count);
        count
    }

    /// Ends the stream. The cover is ready for another.
    pub fn finish(&mut self) {
        *self = self.masks.cover();
    }
}
