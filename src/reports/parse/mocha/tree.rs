//! Mochawesome's shape: a tree of suites, each with its tests and with the hooks that failed.

use std::io::BufRead;
use std::sync::Arc;

use super::read::Mocha;
use super::row::{is_hook, row};
use crate::reports::parse::document::joined;
use crate::reports::parse::input::Value;
use crate::reports::parse::model::{Outcome, SuiteInfo};
use crate::reports::parse::output::Halt;

impl<R: BufRead> Mocha<'_, R> {
    /// Reads one suite and those within. Its tests wait until its file and title are known.
    pub(super) fn suite(&mut self, depth: usize, outer_file: Option<&str>) -> Result<(), Halt> {
        if self.doc.too_deep(depth)? || !self.doc.enter_object("suites[]")? {
            return Ok(());
        }
        let mark = self.doc.hold();
        let mut suite = SuiteInfo::default();
        let (mut file, mut full_file) = (None, None);
        let above = self.titles.len();
        self.titles.push(String::new());
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "title" => self.titles[above] = self.doc.text("title")?.unwrap_or_default(),
                "file" => file = self.doc.text("file")?,
                "fullFile" => full_file = self.doc.text("fullFile")?,
                "tests" | "beforeHooks" | "afterHooks" => {
                    if self.doc.enter_array(&key)? {
                        while self.doc.json.next_item()? {
                            suite.cases += u64::from(self.test(&key)?);
                        }
                    }
                }
                "suites" => {
                    if self.doc.enter_array("suites")? {
                        let outer = full_file.clone().or_else(|| file.clone());
                        while self.doc.json.next_item()? {
                            self.suite(depth + 1, outer.as_deref().or(outer_file))?;
                        }
                    }
                }
                // Lists of ids, and numbers that follow from the tests.
                _ => self.doc.json.skip_value()?,
            }
        }
        let file = full_file.or(file).or_else(|| outer_file.map(str::to_owned));
        for case in self.doc.held_since(mark) {
            if case.file.is_none() {
                case.file.clone_from(&file);
            }
        }
        self.doc.release()?;
        suite.name = joined(self.titles.iter().map(String::as_str)).into();
        suite.file = file;
        self.titles.truncate(above);
        if suite.cases > 0 {
            self.doc.out.suite(suite);
        }
        Ok(())
    }

    /// Reads a test or a hook; hooks that went well are no rows.
    fn test(&mut self, list: &str) -> Result<bool, Halt> {
        let line = self.doc.json.line();
        let Value::Object(members) = self.doc.value(list)? else {
            self.doc.out.warn(line, "wrong_type", "left it out", || {
                format!("`{list}[]` is no object")
            });
            return Ok(false);
        };
        let mut case = row(&mut self.doc, members, line);
        if list == "tests" && !is_hook(&case.name) {
            self.doc.put(case)?;
            return Ok(true);
        }
        if !matches!(case.outcome, Outcome::Failed | Outcome::Error) {
            return Ok(false);
        }
        case.outcome = Outcome::Error;
        if case.classname.is_empty() {
            case.classname = joined(self.titles.iter().map(String::as_str));
            case.suite = Arc::from(case.classname.as_str());
        }
        self.doc.put_uncounted(case)?;
        Ok(true)
    }
}
