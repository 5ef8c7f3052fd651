//! One file of tests. Its name comes after its tests, so they wait for it.

use std::io::BufRead;
use std::sync::Arc;

use super::read::Jest;
use crate::reports::parse::document::{headline, outside_tests};
use crate::reports::parse::input::{Text, Value};
use crate::reports::parse::model::{Outcome, SuiteInfo};
use crate::reports::parse::output::Halt;

impl<R: BufRead> Jest<'_, R> {
    /// Reads one item of `testResults`.
    pub(super) fn file(&mut self) -> Result<(), Halt> {
        let line = self.doc.json.line();
        if !self.doc.enter_object("testResults[]")? {
            return Ok(());
        }
        let mark = self.doc.hold();
        let mut suite = SuiteInfo::default();
        let (mut failed, mut message, mut end) = (false, None, None);
        let mut broken = 0_u64;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "assertionResults" | "testResults" => {
                    if !self.doc.enter_array(&key)? {
                        continue;
                    }
                    while self.doc.json.next_item()? {
                        let line = self.doc.json.line();
                        let value = self.doc.value("assertionResults")?;
                        if let Some(case) = self.assertion(value, line) {
                            broken +=
                                u64::from(matches!(case.outcome, Outcome::Failed | Outcome::Error));
                            suite.cases += 1;
                            self.doc.put(case)?;
                        }
                    }
                }
                "coverage" | "snapshot" => self.doc.json.skip_value()?,
                "name" | "testFilePath" => suite.file = self.doc.text(&key)?,
                "status" => failed = self.doc.text(&key)?.as_deref() == Some("failed"),
                "message" | "failureMessage" => message = Some(self.doc.value(&key)?),
                "startTime" => suite.timestamp = self.doc.value(&key)?.instant(),
                "endTime" => end = self.doc.value(&key)?.instant(),
                _ => {
                    let value = self.doc.value(&key)?;
                    if !value.is_blank() && self.doc.has_room(&suite.properties) {
                        suite.properties.push((key, self.doc.short(value)));
                    }
                }
            }
        }
        // Where tests failed, the message of the file only repeats what they say.
        if failed && broken == 0 {
            let mut case = outside_tests("(suite failed to run)", String::new());
            case.report_line = line;
            case.trace = message.and_then(|message| self.doc.long(message));
            let told = case
                .trace
                .as_ref()
                .map_or("the file failed, and no test in it did", |trace: &Text| {
                    reason(&trace.value)
                });
            case.message = Some(self.doc.shorten(told.to_owned()));
            case.kind = crate::reports::parse::words::exception_kind(told);
            self.doc.put_uncounted(case)?;
        }
        for case in self.doc.held_since(mark) {
            case.file.clone_from(&suite.file);
        }
        self.doc.release()?;
        if let (Some(start), Some(end)) = (suite.timestamp, end) {
            suite.duration_ms = u64::try_from(end.as_millisecond() - start.as_millisecond()).ok();
        }
        suite.name = Arc::from(suite.file.as_deref().unwrap_or_default());
        self.doc.out.suite(suite);
        Ok(())
    }

    /// The texts of a list, without blank ones.
    pub(super) fn texts(&self, value: Value) -> Vec<String> {
        value
            .into_items()
            .into_iter()
            .filter(|item| !item.is_blank())
            .map(Value::into_text)
            .collect()
    }
}

/// What a message of a file says below Jest's bullet: `● Test suite failed to run`.
fn reason(message: &str) -> &str {
    let told = message.trim_start();
    let told = match told.strip_prefix('\u{25cf}') {
        Some(bullet) => bullet.split_once('\n').map_or(bullet, |(_, rest)| rest),
        None => told,
    };
    let told = headline(told);
    told.split_once("\n\n").map_or(told, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        let check = |message: &str, expected: &str| assert_eq!(reason(message), expected);
        check(
            "  \u{25cf} Test suite failed to run\n\n    Cannot find module './x' from 'a.js'\n\n    > 1 | require\n      at f (x)",
            "Cannot find module './x' from 'a.js'",
        );
        check(
            "No test suite found in file a.mjs",
            "No test suite found in file a.mjs",
        );
        check("\u{25cf} bullet alone", "bullet alone");
        check("", "");
    }
}
