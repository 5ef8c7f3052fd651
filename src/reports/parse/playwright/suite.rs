//! Suites and specs. What a spec says after its tests (file, line, id) is put into their rows when it is known.

use std::io::BufRead;
use std::sync::Arc;

use super::read::Playwright;
use crate::reports::parse::document::joined;
use crate::reports::parse::input::Value;
use crate::reports::parse::model::ParsedCase;
use crate::reports::parse::output::Halt;

impl<R: BufRead> Playwright<'_, R> {
    /// Reads one suite and those within.
    pub(super) fn suite(&mut self, depth: usize) -> Result<(), Halt> {
        if self.doc.too_deep(depth)? || !self.doc.enter_object("suites[]")? {
            return Ok(());
        }
        let above = self.titles.len();
        self.titles.push(String::new());
        self.files.push(self.files.last().cloned().flatten());
        let mut title: Option<String> = None;
        // Set when tests came before the title.
        let mut waiting = None;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "title" => {
                    title = self.doc.text("title")?;
                    self.name(above, title.as_deref(), waiting);
                }
                "file" => {
                    let file = self.doc.text("file")?;
                    for case in waiting
                        .map(|mark| self.doc.held_since(mark))
                        .unwrap_or_default()
                    {
                        if case.file.is_none() {
                            case.file.clone_from(&file);
                        }
                    }
                    self.files[above] = file;
                    // The suite of a file has the file as its title, which is no part of a test's name.
                    self.name(above, title.as_deref(), None);
                }
                "specs" | "suites" => {
                    if title.is_none() && waiting.is_none() {
                        waiting = Some(self.doc.hold());
                    }
                    if self.doc.enter_array(&key)? {
                        while self.doc.json.next_item()? {
                            if key == "specs" {
                                self.spec()?;
                            } else {
                                self.suite(depth + 1)?;
                            }
                        }
                    }
                }
                // Where the suite stands in its file.
                _ => self.doc.json.skip_value()?,
            }
        }
        self.titles.truncate(above);
        self.files.truncate(above);
        if waiting.is_some() {
            self.doc.release()?;
        }
        Ok(())
    }

    /// Gives the suite at `level` its title, and those rows that came before it.
    fn name(&mut self, level: usize, title: Option<&str>, waiting: Option<usize>) {
        let title = title.unwrap_or_default();
        let is_file = level == 0
            && self.files[level]
                .as_deref()
                .is_none_or(|file| file.replace('\\', "/").ends_with(&title.replace('\\', "/")));
        if is_file {
            self.titles[level].clear();
            return;
        }
        title.clone_into(&mut self.titles[level]);
        let Some(mark) = waiting else { return };
        let before = joined(self.titles[..level].iter().map(String::as_str));
        for case in self.doc.held_since(mark) {
            let within = case
                .classname
                .strip_prefix(before.as_str())
                .unwrap_or(&case.classname);
            let within = within.trim_start_matches(" > ");
            case.classname = joined([before.as_str(), title, within]);
            case.suite = Arc::from(case.classname.as_str());
        }
    }

    /// Reads one spec: a test in the source, run once for each project and again after failures.
    fn spec(&mut self) -> Result<(), Halt> {
        if !self.doc.enter_object("specs[]")? {
            return Ok(());
        }
        let mark = self.doc.hold();
        let classname = joined(self.titles.iter().map(String::as_str));
        let classname = self.doc.shorten(classname);
        let mut spec = ParsedCase {
            file: self.files.last().cloned().flatten(),
            suite: Arc::from(classname.as_str()),
            classname,
            ..ParsedCase::default()
        };
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "title" => spec.name = self.doc.text("title")?.unwrap_or_default(),
                "file" => spec.file = self.doc.text("file")?.or(spec.file),
                "line" => spec.line = self.doc.value("line")?.whole(),
                "tags" => {
                    let tags = self.doc.value("tags")?;
                    self.doc.tags(&mut spec, tags);
                }
                "tests" => {
                    if self.doc.enter_array("tests")? {
                        while self.doc.json.next_item()? {
                            self.test(&spec)?;
                        }
                    }
                }
                // Follows from the results.
                "ok" => self.doc.json.skip_value()?,
                _ => {
                    let value: Value = self.doc.value(&key)?;
                    self.doc.extra(&mut spec, &key, value);
                }
            }
        }
        let room = self.doc.out.limits.properties;
        for case in self.doc.held_since(mark) {
            case.name.clone_from(&spec.name);
            case.file.clone_from(&spec.file);
            case.line = spec.line;
            case.properties.extend(spec.properties.iter().cloned());
            case.properties.truncate(room);
            case.extra.extend(spec.extra.iter().cloned());
            case.extra.truncate(room);
        }
        self.doc.release()
    }
}
