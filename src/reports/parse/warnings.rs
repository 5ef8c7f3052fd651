//! What was odd in a report and what was assumed instead; capped, but always counted.

/// One oddity that did not stop the parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line of the (first) occurrence, counted from 1.
    pub line: u64,
    /// A stable code.
    pub code: &'static str,
    /// What was found.
    pub what: String,
    /// What the parser did about it.
    pub assumed: &'static str,
}

/// Collects warnings up to a cap.
#[derive(Debug)]
pub(super) struct Warnings {
    kept: Vec<Warning>,
    total: u64,
    cap: usize,
}

impl Warnings {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            kept: Vec::new(),
            total: 0,
            cap,
        }
    }

    /// Whether nothing was odd so far.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Counts a warning and keeps it while there is room; `what` is only made when it is kept.
    pub(super) fn add(
        &mut self,
        line: u64,
        code: &'static str,
        assumed: &'static str,
        what: impl FnOnce() -> String,
    ) {
        self.total += 1;
        if self.kept.len() < self.cap {
            self.kept.push(Warning {
                line,
                code,
                what: what(),
                assumed,
            });
        }
    }

    /// The kept warnings, with the repairs of characters put first so that a flood of others cannot hide them.
    pub(super) fn finish(mut self, repairs: &Repairs) -> (Vec<Warning>, u64) {
        let repaired = repairs.warnings();
        self.total += repaired.len() as u64;
        self.kept.splice(0..0, repaired);
        self.kept.truncate(self.cap);
        (self.kept, self.total)
    }
}

/// One kind of repaired character: how often, and where first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repair {
    count: u64,
    first_line: u64,
}

/// Characters that were repaired; one warning for each kind, however many there were.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    /// Line that is being read; kept up to date by the parsers.
    pub(super) line: u64,
    illegal: Repair,
    references: Repair,
    bytes: Repair,
    surrogates: Repair,
    markup: Repair,
}

impl Repairs {
    pub(super) fn at_line(line: u64) -> Self {
        Self {
            line,
            ..Self::default()
        }
    }

    /// A character that XML 1.0 forbids (or a terminal escape sequence) was dropped.
    pub(super) fn illegal_character(&mut self) {
        Self::count(&mut self.illegal, self.line);
    }

    /// A reference to an illegal character was dropped, or one to an unknown entity kept as text.
    pub(super) fn reference(&mut self) {
        Self::count(&mut self.references, self.line);
    }

    /// Bytes were not valid in the encoding.
    pub(super) fn invalid_bytes(&mut self) {
        Self::count(&mut self.bytes, self.line);
    }

    /// Half a surrogate pair stood alone.
    pub(super) fn surrogate(&mut self) {
        Self::count(&mut self.surrogates, self.line);
    }

    /// A `<` that begins no tag, or a tag that was never closed.
    pub(super) fn stray_markup(&mut self) {
        Self::count(&mut self.markup, self.line);
    }

    /// All repairs together.
    pub(super) fn total(&self) -> u64 {
        [
            self.illegal,
            self.references,
            self.bytes,
            self.surrogates,
            self.markup,
        ]
        .iter()
        .map(|repair| repair.count)
        .sum()
    }

    fn count(repair: &mut Repair, line: u64) {
        if repair.count == 0 {
            repair.first_line = line.max(1);
        }
        repair.count += 1;
    }

    fn warnings(&self) -> Vec<Warning> {
        let rows = [
            (
                self.illegal,
                "illegal_character",
                "control characters or escape sequences",
                "dropped them",
            ),
            (
                self.references,
                "illegal_reference",
                "references to illegal characters or unknown entities",
                "dropped the illegal, kept the unknown as text",
            ),
            (
                self.bytes,
                "invalid_bytes",
                "byte sequences invalid in the encoding",
                "read single bytes as Windows-1252, replaced longer ones",
            ),
            (
                self.surrogates,
                "lone_surrogate",
                "halves of surrogate pairs",
                "replaced them",
            ),
            (
                self.markup,
                "stray_markup",
                "stray `<` or unfinished tags",
                "read them as text, or closed the tag",
            ),
        ];
        rows.into_iter()
            .filter(|(repair, ..)| repair.count > 0)
            .map(|(repair, code, what, assumed)| Warning {
                line: repair.first_line,
                code,
                what: format!("{} {what}, the first here", repair.count),
                assumed,
            })
            .collect()
    }
}
