//! Reads the rows of a redb file without redb, page by page, each checked: redb gives up a file at its first damaged page, and this goes on
//! behind it.
//!
//! Only what the store writes can be read: tables from bytes to bytes, pages of 4096 bytes. The format is described in redb's
//! `docs/design.md` (version 3).

use crate::storage::error::StorageError;
use redb::StorageBackend;
use twox_hash::XxHash3_128;

const PAGE: u64 = 4096;
/// Bytes of one region: 2^20 pages.
const REGION: u64 = PAGE << 20;
/// Bytes of the first page that say something.
pub(in crate::storage) const HEADER: usize = 64 + 2 * SLOT;
const SLOT: usize = 128;
const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// No tree is deeper; a ring of pages is.
const DEPTH: usize = 64;

/// A redb file that is read page by page.
pub(super) struct Pages {
    backend: Box<dyn StorageBackend>,
    bytes: u64,
}

/// What a redb file's first bytes say.
#[derive(Debug)]
pub(in crate::storage) struct Head {
    /// The file was not closed in order.
    pub(super) is_unclean: bool,
    /// The commit that redb would open, and then the other one, as far as their slots are whole.
    pub(super) commits: Vec<Commit>,
    /// The newest commit was synced before it was pointed to, so it is never given up for the older one.
    pub(super) is_two_phase: bool,
    /// A slot is not as it was written.
    pub(super) has_damaged_slot: bool,
}

impl Head {
    pub(in crate::storage) fn of(page: &[u8; HEADER]) -> Self {
        let flags = page[9];
        let slots = [slot(&page[64..64 + SLOT]), slot(&page[64 + SLOT..])];
        let is_two_phase = flags & 4 != 0;
        let primary = usize::from(flags & 1 != 0);
        let mut commits: Vec<Commit> = [slots[primary], slots[primary ^ 1]]
            .into_iter()
            .flatten()
            .collect();
        // A single sync may have brought the flag but not the slot.
        if !is_two_phase {
            commits.sort_by_key(|commit| std::cmp::Reverse(commit.id));
        }
        Self {
            is_unclean: flags & 2 != 0,
            has_damaged_slot: commits.len() < 2,
            commits,
            is_two_phase,
        }
    }

    /// Whether opening the file, which made `after` of it, may have given up its last commit. A repair commits once more, so a newest commit
    /// that was kept has a newer one behind it.
    pub(in crate::storage) fn was_rolled_back(&self, after: &Self) -> bool {
        let newest = |head: &Self| head.commits.iter().map(|commit| commit.id).max();
        self.is_unclean
            && !self.is_two_phase
            && (self.has_damaged_slot || newest(after) <= newest(self))
    }
}

/// A commit: the root of the tree of tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    id: u64,
    tables: Option<Root>,
    /// redb's own tables: free pages and the like.
    system: Option<Root>,
}

/// A tree.
#[derive(Debug, Clone, Copy)]
struct Root {
    page: u64,
    check: u128,
    rows: u64,
    widths: Widths,
}

/// Bytes of a tree's keys and values, where all have the same number. The store's own have any; redb's are often numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Widths {
    key: Option<usize>,
    value: Option<usize>,
}

/// A table in a commit.
#[derive(Debug)]
pub(super) struct TableFound {
    pub(super) name: String,
    root: Option<Root>,
}

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Rows that were given.
    pub(super) rows: u64,
    /// Rows that there should be.
    pub(super) expected: u64,
    /// Pages that are not as they were written, with what is below them.
    pub(super) damage: Vec<String>,
}

impl Walked {
    /// What was lost, for a person.
    pub(super) fn lost(&self) -> Option<String> {
        let first = self.damage.first()?;
        let rows = self.expected.saturating_sub(self.rows);
        let more = match self.damage.len() {
            1 => String::new(),
            pages => format!(" and {} more pages", pages - 1),
        };
        Some(format!(
            "{rows} of {} rows are lost: {first}{more}",
            self.expected
        ))
    }
}

impl Pages {
    pub(super) fn new(backend: Box<dyn StorageBackend>) -> std::io::Result<Self> {
        let bytes = backend.len()?;
        Ok(Self { backend, bytes })
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the first page.
    pub(super) fn head(&self) -> Result<Head, String> {
        let mut page = [0; HEADER];
        self.backend
            .read(0, &mut page)
            .map_err(|error| format!("the first page cannot be read: {error}"))?;
        Ok(Head::of(&page))
    }

    /// The tables of a commit, by name.
    pub(super) fn tables(&self, commit: &Commit) -> (Vec<TableFound>, Walked) {
        self.tables_in(commit.tables)
    }

    fn tables_in(&self, root: Option<Root>) -> (Vec<TableFound>, Walked) {
        let mut tables = Vec::new();
        let walked = self.walk_tree(
            root,
            |name, definition| {
                if let (Ok(name), Some(root)) = (std::str::from_utf8(name), table_root(definition))
                {
                    let name = name.to_owned();
                    tables.push(TableFound { name, root });
                }
                Ok::<_, StorageError>(())
            },
            |_, _| Ok(()),
        );
        let walked = walked.expect("the closure does not fail");
        (tables, walked)
    }

    /// Gives every row of `table` that can be reached to `each`, in the order of keys.
    ///
    /// # Errors
    /// What `each` answers; damage is in the answer.
    pub(super) fn walk<E>(
        &self,
        table: &TableFound,
        each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<Walked, E> {
        self.walk_tree(table.root, each, |_, _| Ok(()))
    }

    /// As [`Pages::walk`], and gives the rows of pages that are not as they were written to `doubtful`, if they can be told apart. Any part of
    /// such a row may be wrong.
    pub(super) fn walk_all<E>(
        &self,
        table: &TableFound,
        each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
        doubtful: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<Walked, E> {
        self.walk_tree(table.root, each, doubtful)
    }

    /// Whether every page of a commit is as it was written, those of redb's own tables too.
    pub(super) fn is_whole(&self, commit: &Commit) -> bool {
        self.is_whole_below(commit.tables) && self.is_whole_below(commit.system)
    }

    fn is_whole_below(&self, root: Option<Root>) -> bool {
        let (tables, walked) = self.tables_in(root);
        let is_whole = |table: &TableFound| {
            let walked = self.walk(table, |_, _| Ok::<_, StorageError>(()));
            walked.is_ok_and(|walked| walked.damage.is_empty())
        };
        walked.damage.is_empty() && tables.iter().all(is_whole)
    }

    fn walk_tree<E>(
        &self,
        root: Option<Root>,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
        mut doubtful: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<Walked, E> {
        let mut walked = Walked::default();
        let Some(root) = root else {
            return Ok(walked);
        };
        walked.expected = root.rows;
        // Pages still to be read, the next one last.
        let mut waiting = vec![(root.page, root.check, 0)];
        // A tree has no more pages than its file; one that somebody wove into itself has no end.
        let mut left = self.bytes / PAGE;
        while let Some((number, check, depth)) = waiting.pop() {
            let Some(fewer) = left.checked_sub(1) else {
                let what = "its pages lead to each other again and again";
                walked.damage.push(what.to_owned());
                break;
            };
            left = fewer;
            match self.node((number, check), root.widths, depth) {
                Ok(Node::Leaf(leaf)) => {
                    for (key, value) in leaf.rows() {
                        each(key, value)?;
                        walked.rows += 1;
                    }
                }
                Ok(Node::Branch(children)) => {
                    let below = children.into_iter().rev();
                    waiting.extend(below.map(|(page, check)| (page, check, depth + 1)));
                }
                Ok(Node::Damaged(leaf, what)) => {
                    for (key, value) in leaf.rows() {
                        doubtful(key, value)?;
                    }
                    walked.damage.push(what);
                }
                Err(what) => walked.damage.push(what),
            }
        }
        Ok(walked)
    }

    fn node(
        &self,
        (number, check): (u64, u128),
        widths: Widths,
        depth: usize,
    ) -> Result<Node, String> {
        let (start, len) = place_of(number);
        let damaged = |what: &str| format!("the page at byte {start} {what}");
        if depth > DEPTH || start.saturating_add(len) > self.bytes {
            return Err(damaged("is not where it can be"));
        }
        let mut page = vec![0; usize::try_from(len).map_err(|_| damaged("is too large"))?];
        self.backend
            .read(start, &mut page)
            .map_err(|error| damaged(&format!("cannot be read: {error}")))?;
        let changed = || damaged("is not as it was written");
        let node = match page[0] {
            LEAF => Leaf::of(page, widths).map(|leaf| match leaf.check() == check {
                true => Node::Leaf(leaf),
                false => Node::Damaged(leaf, changed()),
            }),
            BRANCH => branch(&page, widths, check).map(Node::Branch),
            _ => None,
        };
        node.ok_or_else(changed)
    }
}

enum Node {
    Leaf(Leaf),
    /// Not as it was written; what is wrong, in words.
    Damaged(Leaf, String),
    Branch(Vec<(u64, u128)>),
}

/// A page of rows whose places were checked to be inside of it.
struct Leaf {
    page: Vec<u8>,
    /// Where each key ends, then where each value ends.
    ends: Vec<usize>,
    start: usize,
}

impl Leaf {
    fn of(page: Vec<u8>, widths: Widths) -> Option<Self> {
        let rows = usize::from(u16::from_le_bytes(page.get(2..4)?.try_into().ok()?));
        let stored = [widths.key, widths.value]
            .into_iter()
            .filter(Option::is_none);
        let start = 4 + 4 * rows * stored.count();
        let mut ends = Vec::with_capacity(2 * rows);
        let (mut at, mut end) = (4, start);
        for width in [widths.key, widths.value] {
            for _ in 0..rows {
                let next = match width {
                    Some(width) => end + width,
                    None => {
                        at += 4;
                        number(page.get(at - 4..at)?)?
                    }
                };
                if next < end || next > page.len() {
                    return None;
                }
                end = next;
                ends.push(end);
            }
        }
        (rows > 0).then_some(Self { page, ends, start })
    }

    fn check(&self) -> u128 {
        let end = self.ends.last().copied().unwrap_or_default();
        XxHash3_128::oneshot(&self.page[..end])
    }

    fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let part = |place: usize| {
            let start = match place {
                0 => self.start,
                _ => self.ends[place - 1],
            };
            &self.page[start..self.ends[place]]
        };
        let rows = self.ends.len() / 2;
        (0..rows).map(move |row| (part(row), part(rows + row)))
    }
}

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// The children of a page of pages: where each is and its check.
fn branch(page: &[u8], widths: Widths, check: u128) -> Option<Vec<(u64, u128)>> {
    let keys = usize::from(u16::from_le_bytes(page.get(2..4)?.try_into().ok()?));
    let children = keys + 1;
    let last_end = 8 + 24 * children + 4 * keys.checked_sub(1)?;
    let end = match widths.key {
        Some(width) => 8 + 24 * children + width * keys,
        None => number(page.get(last_end..last_end + 4)?)?,
    };
    let guarded = page.get(..end)?;
    if XxHash3_128::oneshot(guarded) != check {
        return None;
    }
    let child = |number: usize| {
        let check = guarded.get(8 + 16 * number..24 + 16 * number)?;
        let at = 8 + 16 * children + 8 * number;
        let page = guarded.get(at..at + 8)?;
        Some((
            u64::from_le_bytes(page.try_into().ok()?),
            u128::from_le_bytes(check.try_into().ok()?),
        ))
    };
    (0..children).map(child).collect()
}

/// Where a page lies: its number holds its index, its region and how often its size is doubled.
fn place_of(number: u64) -> (u64, u64) {
    let order = number >> 59;
    let index = number & (0xf_ffff >> order.min(20));
    let region = (number >> 20) & 0xf_ffff;
    let len = PAGE << order.min(20);
    (PAGE + region * REGION + index * len, len)
}

fn slot(bytes: &[u8]) -> Option<Commit> {
    let (guarded, check) = bytes.split_last_chunk::<16>()?;
    if XxHash3_128::oneshot(guarded) != u128::from_le_bytes(*check) {
        return None;
    }
    let root = |flag: u8, bytes: &[u8]| match flag {
        0 => Some(None),
        _ => root_of(bytes, Widths::default()).map(Some),
    };
    let tables = root(guarded[1], &guarded[8..40])?;
    let system = root(guarded[2], &guarded[40..72])?;
    let id = u64::from_le_bytes(guarded[104..112].try_into().ok()?);
    Some(Commit { id, tables, system })
}

/// The root in a table's definition; the outer `None` when it is not one.
fn table_root(definition: &[u8]) -> Option<Option<Root>> {
    let width = |at: usize| {
        let is_fixed = *definition.get(at)? != 0;
        let width = number(definition.get(at + 1..at + 5)?)?;
        Some(is_fixed.then_some(width))
    };
    let widths = Widths {
        key: width(42)?,
        value: width(47)?,
    };
    match definition.get(9)? {
        0 => Some(None),
        _ => Some(Some(root_of(definition.get(10..42)?, widths)?)),
    }
}

fn root_of(bytes: &[u8], widths: Widths) -> Option<Root> {
    let (page, rest) = bytes.split_first_chunk::<8>()?;
    let (check, rest) = rest.split_first_chunk::<16>()?;
    let (rows, _) = rest.split_first_chunk::<8>()?;
    Some(Root {
        page: u64::from_le_bytes(*page),
        check: u128::from_le_bytes(*check),
        rows: u64::from_le_bytes(*rows),
        widths,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    /// A page of two children, both the page `below`.
    fn twice(below: u64, check: u128) -> Vec<u8> {
        let mut page = vec![BRANCH, 0];
        page.extend(1u16.to_le_bytes());
        page.extend([0; 4]);
        page.extend([check.to_le_bytes(), check.to_le_bytes()].concat());
        page.extend([below.to_le_bytes(), below.to_le_bytes()].concat());
        let end = u32::try_from(page.len() + 4).unwrap();
        page.extend(end.to_le_bytes());
        page
    }

    #[test]
    fn a_tree_that_is_woven_into_itself_ends() {
        let mut leaf = vec![LEAF, 0];
        leaf.extend(1u16.to_le_bytes());
        leaf.extend([12u32.to_le_bytes(), 12u32.to_le_bytes()].concat());
        let mut check = XxHash3_128::oneshot(&leaf);
        let mut pages = vec![leaf];
        for below in 0..60 {
            let page = twice(below, check);
            check = XxHash3_128::oneshot(&page);
            pages.push(page);
        }
        let backend = InMemoryBackend::new();
        let count = u64::try_from(pages.len()).unwrap();
        backend.set_len(PAGE * (count + 1)).unwrap();
        for (number, page) in (1u64..).zip(&pages) {
            backend.write(PAGE * number, page).unwrap();
        }
        let pages = Pages::new(Box::new(backend)).unwrap();
        let root = Root {
            page: count - 1,
            check,
            rows: 1,
            widths: Widths::default(),
        };
        let table = TableFound {
            name: "woven".to_owned(),
            root: Some(root),
        };
        let walked = pages
            .walk(&table, |_, _| Ok::<_, StorageError>(()))
            .unwrap();
        assert!(walked.rows > 0, "{walked:?}");
        assert_eq!(walked.damage.len(), 1, "{walked:?}");
    }
}
