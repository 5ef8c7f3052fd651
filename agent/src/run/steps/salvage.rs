//! What a killed reporter left: its chunks, put together into the report that it did not come to write.
//!
//! Testhide's Python reporters write a file for each test into `.<report>_temp` and put them together at the end: pytest's into the
//! root directory, unittest's beside the report. After a `kill -9` they are all there is. A folder counts when the glob asks for a
//! report of its name, when its chunks are of this attempt, and when no report of this name was written after them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobMatcher};
use testhide_protocol::Timestamp;

use super::collect::open;
use crate::clock;

/// The most folders, files and chunks that are looked at.
const MAX_ENTRIES: usize = 2_000_000;

/// The most chunks of one report.
const MAX_CHUNKS: usize = 200_000;

/// The most bytes of one report: as many as the server takes.
const MAX_BYTES: u64 = 500 * 1024 * 1024;

/// The largest chunk.
const MAX_CHUNK: u64 = 64 * 1024 * 1024;

/// The deepest element of a chunk.
const MAX_DEPTH: usize = 100;

/// How coarse the times of files may be.
const COARSE_MS: i64 = 2000;

/// The chunks of one report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// Where the report would stand beside them.
    pub(super) report: PathBuf,
    /// When the last one was written.
    pub(super) modified: SystemTime,
    chunks: Vec<PathBuf>,
}

/// Whether a file is a chunk and not a report of its own.
pub(super) fn is_chunk(file: &Path) -> bool {
    let folder = file.parent().and_then(Path::file_name);
    folder.and_then(report_of).is_some() && file.file_name().is_some_and(has_name_of_chunk)
}

/// Finds what killed reporters left below `root` since `began`, sorted. `reports` are those that were found whole.
///
/// # Errors
/// When a folder cannot be read, or there is no end of folders.
pub(super) fn find(
    root: &Path,
    glob: &str,
    began: Timestamp,
    reports: &[PathBuf],
    enough: &AtomicBool,
) -> io::Result<Vec<Leftovers>> {
    let Some(wanted) = name_matcher(glob) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut seen = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            seen += 1;
            if seen > MAX_ENTRIES {
                let words = format!("the workspace holds more than {MAX_ENTRIES} entries");
                return Err(io::Error::other(words));
            }
            // Of the entry itself: a link is no folder here.
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let name = entry.file_name();
            match report_of(&name) {
                Some(report) if wanted.is_match(report) => {
                    let report = folder.join(report);
                    found.extend(leftovers(&entry.path(), report, began, reports)?);
                }
                _ if name == ".git" || name == "node_modules" => {}
                _ => folders.push(entry.path()),
            }
        }
    }
    found.sort_by(|one, other| one.report.cmp(&other.report));
    Ok(found)
}

impl Leftovers {
    /// Writes them as one report; answers how many tests it has. A chunk that breaks off is left out.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(super) fn write(&self, to: &mut impl Write, enough: &AtomicBool) -> io::Result<u64> {
        let names = self.chunks.iter().filter_map(|chunk| chunk.file_name());
        let unittest = names
            .take(1)
            .any(|name| name.to_string_lossy().starts_with("case_"));
        let suite = if unittest { "unittest" } else { "pytest" };
        write!(
            to,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites>\n<testsuite name=\"{suite}\">\n\
             <properties><property name=\"testhide_schema_version\" value=\"1\"/></properties>\n"
        )?;
        let (mut tests, mut bytes) = (0, 0);
        for chunk in &self.chunks {
            if enough.load(Ordering::Relaxed) {
                break;
            }
            let Some(content) = read(chunk)? else {
                continue;
            };
            let Some(case) = test_case(&content) else {
                continue;
            };
            bytes += case.len() as u64;
            if bytes > MAX_BYTES {
                break;
            }
            to.write_all(case.as_bytes())?;
            to.write_all(b"\n")?;
            tests += 1;
        }
        to.write_all(b"</testsuite>\n</testsuites>\n")?;
        to.flush()?;
        Ok(tests)
    }
}

fn read(chunk: &Path) -> io::Result<Option<String>> {
    let Some(file) = open(chunk)? else {
        return Ok(None);
    };
    let mut content = Vec::new();
    io::copy(&mut io::Read::take(file, MAX_CHUNK + 1), &mut content)?;
    Ok((content.len() as u64 <= MAX_CHUNK).then(|| String::from_utf8_lossy(&content).into_owned()))
}

/// The chunks in `folder` that are of this attempt, unless the report was written after them.
fn leftovers(
    folder: &Path,
    report: PathBuf,
    began: Timestamp,
    reports: &[PathBuf],
) -> io::Result<Option<Leftovers>> {
    let since = began.plus_millis(-COARSE_MS);
    let mut chunks = Vec::new();
    let mut newest: Option<SystemTime> = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !has_name_of_chunk(&entry.file_name()) || !entry.file_type()?.is_file() {
            continue;
        }
        let modified = entry.metadata()?.modified()?;
        if clock::timestamp(modified) < since || chunks.len() >= MAX_CHUNKS {
            continue;
        }
        newest = newest.max(Some(modified));
        chunks.push(entry.path());
    }
    let Some(modified) = newest else {
        return Ok(None);
    };
    let same_name = |other: &&PathBuf| other.file_name() == report.file_name();
    for whole in reports.iter().filter(same_name) {
        let written = fs::metadata(whole).and_then(|file| file.modified());
        if written.is_ok_and(|written| written >= modified) {
            return Ok(None);
        }
    }
    chunks.sort();
    Ok(Some(Leftovers {
        report,
        modified,
        chunks,
    }))
}

/// The report whose chunks a folder of this name holds.
fn report_of(folder: &OsStr) -> Option<&str> {
    let report = folder.to_str()?.strip_prefix('.')?.strip_suffix("_temp")?;
    (!report.is_empty()).then_some(report)
}

/// `<md5>_<worker>.xml` or `case_000001_<pid>.xml`.
fn has_name_of_chunk(name: &OsStr) -> bool {
    let stem = name.to_str().and_then(|name| name.strip_suffix(".xml"));
    let Some((first, rest)) = stem.and_then(|stem| stem.split_once('_')) else {
        return false;
    };
    let is_md5 = first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit());
    !rest.is_empty() && (is_md5 || first == "case")
}

/// The glob's last part: what a report has to be called.
fn name_matcher(glob: &str) -> Option<GlobMatcher> {
    let last = glob.rsplit(['/', '\\']).next()?;
    let name = GlobBuilder::new(last).literal_separator(true).build();
    name.ok().map(|glob| glob.compile_matcher())
}

/// The one `<testcase>` element of a chunk; nothing when the chunk is something else or breaks off.
fn test_case(chunk: &str) -> Option<&str> {
    let mut body = chunk.trim_start_matches('\u{feff}').trim();
    if let Some(declaration) = body.strip_prefix("<?xml") {
        body = declaration.split_once("?>")?.1.trim_start();
    }
    let behind = body.strip_prefix("<testcase")?;
    let is_tag = behind.starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/');
    (is_tag && is_one_element(body)).then_some(body)
}

/// Whether a text is one element, from its first byte to its last. What the element holds is the server's to judge.
fn is_one_element(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    loop {
        let Some(tag) = rest.find('<') else {
            return false;
        };
        rest = &rest[tag..];
        let special = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((_, end)) = special.iter().find(|(start, _)| rest.starts_with(start)) {
            let Some((_, behind)) = rest.split_once(end) else {
                return false;
            };
            rest = behind;
        } else if let Some(name) = rest.strip_prefix("</") {
            let Some((name, behind)) = name.split_once('>') else {
                return false;
            };
            if open.pop() != Some(name.trim_end()) {
                return false;
            }
            rest = behind;
        } else {
            let Some(end) = end_of_tag(rest) else {
                return false;
            };
            let inside = &rest[1..end];
            let name = inside
                .split(|c: char| c.is_whitespace() || c == '/')
                .next()
                .unwrap_or_default();
            if name.is_empty() || name.starts_with('!') || open.len() >= MAX_DEPTH {
                return false;
            }
            if !inside.ends_with('/') {
                open.push(name);
            }
            rest = &rest[end + 1..];
        }
        if open.is_empty() {
            return rest.is_empty();
        }
    }
}

/// Where the `>` of a start tag stands; one inside of quotes is text.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return Some(at),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Makes a file in the spool and writes leftovers into it; answers its size and its tests.
///
/// # Errors
/// When the disk refuses it.
pub(super) fn write_file(
    leftovers: &Leftovers,
    path: &Path,
    enough: &AtomicBool,
) -> io::Result<(u64, u64)> {
    let mut file = io::BufWriter::new(File::create(path)?);
    let tests = leftovers.write(&mut file, enough)?;
    file.get_ref().sync_data()?;
    let size = file.get_ref().metadata()?.len();
    Ok((size, tests))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Scratch;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_chunk_is_one_whole_test_case() {
        let check = |chunk: &str, expected: bool| {
            assert_eq!(test_case(chunk).is_some(), expected, "{chunk}");
        };
        check("<?xml version='1.0'?>\n<testcase name=\"a\" />", true);
        check(
            "\u{feff}<testcase name='a>b'><failure message=\"x\">&lt;</failure></testcase>\n",
            true,
        );
        check(
            "<testcase><![CDATA[ </testcase> ]]><!-- > --></testcase>",
            true,
        );
        check("<testcase name=\"a\"><failure>half", false);
        check("<testcase name=\"a\"><failure></testcase></failure>", false);
        check("<testcase/><testcase/>", false);
        check("<!DOCTYPE x><testcase/>", false);
        check("<testcase><!ENTITY x></testcase>", false);
        check("<testcases/>", false);
        check("", false);
    }

    proptest! {
        #[test]
        fn no_cut_of_a_chunk_is_a_chunk(name in "[a-z \u{1b}<>&;]{0,12}", cut in 0usize..200) {
            let escaped = name.replace('&', "&amp;").replace('<', "&lt;");
            let chunk = format!("<testcase name=\"{escaped}\"><failure>{escaped}</failure></testcase>");
            prop_assert!(test_case(&chunk).is_some());
            if let Some(part) = chunk.get(..cut.min(chunk.len() - 1)) {
                prop_assert!(test_case(part).is_none());
            }
        }
    }

    #[test]
    fn leftovers_count_once_they_are_of_this_attempt_and_of_a_wanted_report() {
        let scratch = Scratch::new();
        let root = scratch.path();
        let md5 = "17ec329ea5496f79eeae8f4c2aca542c";
        let put = |path: &str, content: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        put(
            &format!(".a.xml_temp/{md5}_gw0.xml"),
            "<testcase name=\"one\"/>",
        );
        put(
            ".a.xml_temp/17ec329ea5496f79eeae8f4c2aca542d_gw0.xml",
            "<testcase name=\"tw",
        );
        put(".a.xml_temp/notes.txt", "x");
        put(
            "deep/.b.xml_temp/case_000001_77.xml",
            "<testcase name=\"b\"/>",
        );
        put(".c.txt_temp/case_000001_77.xml", "<testcase name=\"c\"/>");
        let never = AtomicBool::new(false);
        let began = clock::now();
        let look =
            |began, reports: &[PathBuf]| find(root, "**/*.xml", began, reports, &never).unwrap();
        let found = look(began, &[]);
        let names: Vec<_> = found.iter().map(|one| one.report.clone()).collect();
        assert_eq!(names, [root.join("a.xml"), root.join("deep/b.xml")]);
        let mut report = Vec::new();
        assert_eq!(found[0].write(&mut report, &never).unwrap(), 1);
        let report = String::from_utf8(report).unwrap();
        assert!(
            report.contains("name=\"pytest\"")
                && report.contains("\"one\"")
                && !report.contains("tw"),
            "{report}"
        );
        assert!(is_chunk(&root.join(format!(".a.xml_temp/{md5}_gw0.xml"))));
        assert!(!is_chunk(&root.join("reports/case_1_2.xml")));
        // A later attempt does not count them, and a report that was written after them says all that they say.
        assert_eq!(look(began.plus_millis(60_000), &[]), []);
        put("reports/a.xml", "<testsuites/>");
        let after = found[0].modified + Duration::from_secs(1);
        File::options()
            .write(true)
            .open(root.join("reports/a.xml"))
            .unwrap()
            .set_modified(after)
            .unwrap();
        assert_eq!(look(began, &[root.join("reports/a.xml")]).len(), 1);
    }
}
