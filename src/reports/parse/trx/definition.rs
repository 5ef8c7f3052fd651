//! Definitions of tests, and the results that wait for them.

use std::collections::HashMap;
use std::sync::Arc;

use super::read::At;
use super::result::{Id, Ids};
use crate::reports::parse::fill::{base_name, split_full_name};
use crate::reports::parse::held::Held;
use crate::reports::parse::input::Tag;
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::ParsedCase;
use crate::reports::parse::output::{Halt, Output};

/// Bytes that it takes to remember what a result waits for.
const WAITING: usize = 128;

/// What is said of a test beside its results.
pub(super) struct Definition {
    id: Option<Id>,
    executions: Vec<Id>,
    /// File name of its assembly.
    assembly: Arc<str>,
    class: String,
    method: String,
    pub(super) description: Option<String>,
    pub(super) tickets: Vec<String>,
    pub(super) properties: Vec<(String, String)>,
    pub(super) extra: Vec<(String, String)>,
}

impl Definition {
    pub(super) fn new(at: &mut At<'_, '_>, tag: &Tag<'_>) -> Self {
        let mut attributes = at.attributes(tag);
        let storage = attributes.take("storage").unwrap_or_default();
        let mut definition = Self {
            id: attributes.take("id").as_deref().map(Id::of),
            executions: Vec::new(),
            assembly: base_name(&storage).into(),
            class: String::new(),
            method: String::new(),
            description: None,
            tickets: Vec::new(),
            properties: Vec::new(),
            extra: Vec::new(),
        };
        // The results repeat the name.
        attributes.take("name");
        for pair in attributes.rest() {
            at.keep(&mut definition.extra, pair);
        }
        definition
    }

    /// Reads a part that says all in its attributes.
    pub(super) fn part(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        match tag.name() {
            b"Execution" => {
                if let Some(id) = attributes.take("id") {
                    at.keep(&mut self.executions, Id::of(&id));
                }
            }
            b"TestMethod" => {
                let class = attributes.take("className").unwrap_or_default();
                // MSTest of old wrote the name of the assembly behind the class.
                self.class = match class.split_once(", ") {
                    Some((class, _)) => class.to_owned(),
                    None => class,
                };
                self.method = attributes.take("name").unwrap_or_default();
                // The storage is the same path in lower case.
                if let Some(path) = attributes.take("codeBase")
                    && (self.assembly.is_empty()
                        || self.assembly.eq_ignore_ascii_case(base_name(&path)))
                {
                    self.assembly = base_name(&path).into();
                }
                for pair in attributes.rest() {
                    at.keep(&mut self.extra, pair);
                }
            }
            b"TestCategoryItem" => {
                if let Some(category) = attributes.take("TestCategory") {
                    at.keep(&mut self.properties, ("Category".to_owned(), category));
                }
            }
            _ => {
                if let Some(owner) = attributes.take("name") {
                    at.keep(&mut self.properties, ("Owner".to_owned(), owner));
                }
            }
        }
    }

    /// Gives a row what is said of its test; no list becomes longer than `most`.
    fn apply(&self, case: &mut ParsedCase, most: usize) {
        case.suite = self.assembly.clone();
        if self.class.is_empty() {
            split(case);
        } else {
            case.classname.clone_from(&self.class);
            if let Some(rest) = case.name.strip_prefix(&self.class)
                && let Some(rest) = rest.strip_prefix('.')
                && !rest.is_empty()
            {
                case.name = rest.to_owned();
            }
        }
        let method = self.method.rsplit('.').next().unwrap_or_default();
        if !method.is_empty() && !case.name.starts_with(method) && !self.class.is_empty() {
            case.extra.push(("method".to_owned(), method.to_owned()));
        }
        case.docstring.clone_from(&self.description);
        extend(&mut case.tickets, &self.tickets, most);
        extend(&mut case.properties, &self.properties, most);
        extend(&mut case.extra, &self.extra, most);
    }

    fn bytes(&self) -> usize {
        let pairs = self.properties.iter().chain(&self.extra);
        size_of::<Self>()
            + self.class.capacity()
            + self.method.capacity()
            + self.description.as_ref().map_or(0, String::capacity)
            + self.executions.len() * WAITING
            + self
                .tickets
                .iter()
                .map(|text| text.capacity() + 24)
                .sum::<usize>()
            + pairs
                .map(|(name, value)| name.capacity() + value.capacity() + 48)
                .sum::<usize>()
    }
}

fn extend<T: Clone>(list: &mut Vec<T>, more: &[T], most: usize) {
    let room = most.saturating_sub(list.len()).min(more.len());
    list.extend_from_slice(&more[..room]);
}

/// Class and name from the display name alone.
fn split(case: &mut ParsedCase) {
    let (class, name) = split_full_name(&case.name);
    let (class, name) = (class.to_owned(), name.to_owned());
    (case.classname, case.name) = (class, name);
}

/// Brings results and definitions together, whichever come first.
pub(super) struct Definitions {
    /// Those read before their results.
    known: HashMap<Id, Arc<Definition>>,
    /// Results that wait, and whether their definition has come.
    held: Held<bool>,
    /// Which of them wait for an id, of a test or an execution.
    waiting: HashMap<Id, Vec<usize>>,
    /// The first assembly that a definition names.
    assembly: Arc<str>,
    complete: bool,
    /// The budget was used up: nothing waits any more.
    overflowed: bool,
}

impl Default for Definitions {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            held: Held::new(),
            waiting: HashMap::new(),
            assembly: Arc::from(""),
            complete: false,
            overflowed: false,
        }
    }
}

impl Definitions {
    /// All definitions have been read.
    pub(super) fn are_complete(&mut self) {
        self.complete = true;
    }

    /// The first assembly that a definition names; empty if none does.
    pub(super) fn assembly(&self) -> &Arc<str> {
        &self.assembly
    }

    /// Takes a definition, for the results that wait for it or for those to come.
    pub(super) fn add(&mut self, definition: Definition, limits: &Limits) {
        if self.assembly.is_empty() {
            self.assembly = definition.assembly.clone();
        }
        let ids = definition
            .id
            .into_iter()
            .chain(definition.executions.iter().copied());
        let ids: Vec<Id> = ids.collect();
        let rows = self.held.rows();
        let mut awaited = false;
        for index in ids.iter().filter_map(|id| self.waiting.get(id)).flatten() {
            let (case, placed) = &mut rows[*index];
            awaited = true;
            if !std::mem::replace(placed, true) {
                definition.apply(case, limits.properties);
            }
        }
        if awaited || self.overflowed || !self.held.has_room() {
            return;
        }
        self.held.charge(definition.bytes());
        let definition = Arc::new(definition);
        for id in ids {
            self.known.insert(id, definition.clone());
        }
    }

    /// Takes a finished result: hands it on if its definition is known or will not come, else lets it wait.
    pub(super) fn place(
        &mut self,
        out: &mut Output<'_>,
        mut case: ParsedCase,
        ids: Ids,
    ) -> Result<(), Halt> {
        let Ids { test, execution } = ids;
        let mut both = test.into_iter().chain(execution);
        if let Some(definition) = both.clone().find_map(|id| self.known.get(&id)) {
            definition.apply(&mut case, out.limits.properties);
            return out.case(case);
        }
        if self.complete || self.overflowed || both.clone().next().is_none() {
            split(&mut case);
            return out.case(case);
        }
        let index = self.held.rows().len();
        for id in &mut both {
            self.waiting.entry(id).or_default().push(index);
        }
        self.held.charge(2 * WAITING);
        let line = case.report_line;
        if !self.held.push(case, false) {
            self.overflowed = true;
            out.warn(
                line,
                "definitions_too_far",
                "took the classes from the names of the tests",
                || "the definitions of the tests stand too far behind their results".to_owned(),
            );
            self.release(out)?;
        }
        Ok(())
    }

    /// Hands on all results that wait, with or without a definition.
    pub(super) fn release(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        self.waiting = HashMap::new();
        for (mut case, placed) in self.held.take() {
            if !placed {
                split(&mut case);
            }
            out.case(case)?;
        }
        Ok(())
    }
}
