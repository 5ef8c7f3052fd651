//! What stands on the command line as files: files, folders, patterns, standard input.
//!
//! A file that is named must be a report. Of a folder and of a pattern those files are taken whose content is a report; the others are
//! passed by; a folder of Allure results is one report. Hidden folders and `node_modules` inside a folder are not entered, symbolic links to folders neither.

use super::error::{CliError, Exit};
use crate::reports::digest::{
    Digest, ReadError, Reading, is_allure_folder, looks_like_a_report, read_allure_folder,
    read_file, read_input,
};
use globset::{GlobBuilder, GlobMatcher};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Standard input, as an argument.
const STDIN: &str = "-";

/// Characters of a pattern.
const WILD: [char; 4] = ['*', '?', '[', '{'];

/// One report to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Standard input.
    Stdin,
    /// A file, and what it is called: as it was named, or its path in the folder that was.
    File {
        path: PathBuf,
        name: String,
        /// In a folder or by a pattern; else it was named itself.
        found: bool,
    },
    /// A folder of Allure results: one report.
    Allure { path: PathBuf, name: String },
}

/// The reports that the arguments mean, in their order; those of a folder by name.
///
/// # Errors
/// A file that is not there (exit code 3), a folder that cannot be read, a folder or pattern without a report (3), a wrong pattern (2).
pub(super) fn inputs(arguments: &[PathBuf]) -> Result<Vec<Input>, CliError> {
    let mut all = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == STDIN {
            if all.contains(&Input::Stdin) {
                return Err(CliError::usage("standard input can be read once only"));
            }
            all.push(Input::Stdin);
        } else if argument.is_dir() {
            let mut found = Found::default();
            if is_allure_folder(argument) {
                found.allure.push(argument.clone());
            } else {
                walk(argument, None, &mut found)?;
            }
            all.extend(found.reports(argument, argument)?);
        } else if argument.exists() || !is_pattern(argument) {
            // A file that is not there is told here, before any other is read.
            fs::metadata(argument).map_err(|error| CliError::file("open", argument, &error))?;
            all.push(Input::File {
                path: argument.clone(),
                name: argument.display().to_string(),
                found: false,
            });
        } else {
            all.extend(expand(argument)?);
        }
    }
    Ok(all)
}

/// Reads the reports, each for itself.
///
/// # Errors
/// The first that is no report, with exit code 2.
pub(super) fn read_all(inputs: &[Input]) -> Result<Digest, CliError> {
    read_into(Reading::new(), inputs)
}

/// Reads the reports as one run: what comes again in a later one is a later attempt.
///
/// # Errors
/// As [`read_all`].
pub(super) fn read_merged(inputs: &[Input]) -> Result<Digest, CliError> {
    read_into(Reading::merging(), inputs)
}

/// Reads one report; its errors are the caller's to tell.
pub(super) fn read_one(input: &Input) -> Result<Digest, ReadError> {
    let mut reading = Reading::new();
    input.read(&mut reading)?;
    reading.finish()
}

fn read_into(mut reading: Reading, inputs: &[Input]) -> Result<Digest, CliError> {
    for input in inputs {
        input
            .read(&mut reading)
            .map_err(|error| unreadable(input.name(), &error))?;
    }
    reading.finish().map_err(|error| unreadable("", &error))
}

impl Input {
    /// How messages call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Stdin => STDIN,
            Self::File { name, .. } | Self::Allure { name, .. } => name,
        }
    }

    /// Whether it is the file `output`, without anybody having named it.
    pub(super) fn was_found_at(&self, output: &Path) -> bool {
        let whole = |path: &Path| fs::canonicalize(path).ok();
        match self {
            Self::File { path, found, .. } => {
                *found && whole(output).is_some_and(|output| whole(path) == Some(output))
            }
            Self::Stdin | Self::Allure { .. } => false,
        }
    }

    fn read(&self, reading: &mut Reading) -> Result<(), ReadError> {
        match self {
            Self::Stdin => read_input(reading, STDIN, io::stdin().lock()),
            Self::File { path, name, .. } => read_file(reading, name, path),
            Self::Allure { path, name } => read_allure_folder(reading, name, path),
        }
    }
}

fn unreadable(name: &str, error: &ReadError) -> CliError {
    match error {
        ReadError::Open(source) => CliError::file("open", Path::new(name), source),
        ReadError::Parse(source) => {
            CliError::new(Exit::Usage, source.code(), format!("`{name}`, {source}"))
                .hint("give a test report, or a folder to take the reports from")
        }
        ReadError::Spool(_) => CliError::new(Exit::Failed, "temporary_file", error.to_string()),
    }
}

/// What was found below a folder.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    /// Folders of Allure results.
    allure: Vec<PathBuf>,
}

impl Found {
    /// Those that are reports, called by their path below `base`.
    fn reports(mut self, argument: &Path, base: &Path) -> Result<Vec<Input>, CliError> {
        self.files.sort();
        let seen = self.files.len();
        let name = |path: &Path| {
            let below = path.strip_prefix(base).unwrap_or(path);
            let name = if below.as_os_str().is_empty() {
                path
            } else {
                below
            };
            name.to_string_lossy().replace('\\', "/")
        };
        let files = self
            .files
            .into_iter()
            .filter(|path| looks_like_a_report(path))
            .map(|path| Input::File {
                name: name(&path),
                path,
                found: true,
            });
        let folders = self.allure.into_iter().map(|path| Input::Allure {
            name: name(&path),
            path,
        });
        let mut reports: Vec<Input> = files.chain(folders).collect();
        reports.sort_by(|one, two| one.name().cmp(two.name()));
        if !reports.is_empty() {
            return Ok(reports);
        }
        let detail = match seen {
            0 => format!("`{}` holds no file", argument.display()),
            1 => format!(
                "`{}` holds one file, and it is no test report",
                argument.display()
            ),
            many => format!(
                "`{}` holds {many} files, and none is a test report",
                argument.display()
            ),
        };
        Err(CliError::new(Exit::NotFound, "no_report", detail))
    }
}

fn is_pattern(argument: &Path) -> bool {
    argument.to_string_lossy().contains(WILD)
}

fn expand(pattern: &Path) -> Result<Vec<Input>, CliError> {
    let text = pattern.to_string_lossy();
    let glob = GlobBuilder::new(&text)
        .literal_separator(true)
        .build()
        .map_err(|error| CliError::usage(format!("`{text}` is not a pattern: {}", error.kind())))?;
    let is_plain = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(WILD);
    let base: PathBuf = pattern.components().take_while(is_plain).collect();
    let mut found = Found::default();
    if base.as_os_str().is_empty() || base.is_dir() {
        walk(&base, Some(&glob.compile_matcher()), &mut found)?;
    }
    if found.files.is_empty() && found.allure.is_empty() {
        let detail = format!("`{text}` matches no file");
        return Err(CliError::new(Exit::NotFound, "no_match", detail));
    }
    found.reports(pattern, Path::new(""))
}

/// Gathers files: all of them, or those that match, and everything in folders that match.
fn walk(folder: &Path, matcher: Option<&GlobMatcher>, found: &mut Found) -> Result<(), CliError> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let failed = |error: io::Error| CliError::file("read", here, &error);
    for entry in fs::read_dir(here).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let path = folder.join(&name);
        let matches = matcher.is_none_or(|matcher| matcher.is_match(&path));
        if entry.file_type().map_err(failed)?.is_dir() {
            let name = name.to_string_lossy();
            if !(name.starts_with('.') || name == "node_modules") {
                if matches && is_allure_folder(&path) {
                    found.allure.push(path);
                } else {
                    walk(&path, matcher.filter(|_| !matches), found)?;
                }
            }
        } else if matches && path.is_file() {
            found.files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Input, inputs};
    use crate::cli::Exit;
    use std::path::{Path, PathBuf};

    const REPORT: &str =
        "<testsuites><testsuite name=\"s\"><testcase name=\"t\"/></testsuite></testsuites>";

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("a.xml", REPORT),
            ("pom.xml", "<project/>"),
            ("one/b.xml", REPORT),
            ("one/notes.txt", "text"),
            ("two/deep/c.xml", REPORT),
            (".hidden/d.xml", REPORT),
            ("node_modules/e.xml", REPORT),
            ("empty/notes.txt", "text"),
            ("three/allure-results/1-result.json", "{}"),
            ("three/allure-results/2-result.json", "{}"),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    fn names(base: &Path, argument: &str) -> Result<Vec<String>, Exit> {
        let found = inputs(&[base.join(argument)]).map_err(|error| error.exit)?;
        let name = |input: Input| match input {
            Input::Stdin => "-".to_owned(),
            Input::File { path, .. } | Input::Allure { path, .. } => path
                .strip_prefix(base)
                .unwrap_or(&path)
                .display()
                .to_string(),
        };
        Ok(found.into_iter().map(name).collect())
    }

    #[test]
    fn files_folders_and_patterns() {
        let dir = folder();
        let check = |argument: &str, expected: Result<&[&str], Exit>| {
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(names(dir.path(), argument), expected, "{argument}");
        };
        let all = [
            "a.xml",
            "one/b.xml",
            "three/allure-results",
            "two/deep/c.xml",
        ];
        check("", Ok(&all));
        check("three/allure-results", Ok(&all[2..3]));
        check("three/*", Ok(&all[2..3]));
        check("one", Ok(&["one/b.xml"]));
        // Named, so it is taken; whether it is a report shows when it is read.
        check("pom.xml", Ok(&["pom.xml"]));
        check("*.xml", Ok(&["a.xml"]));
        check("**/*.xml", Ok(&["a.xml", "one/b.xml", "two/deep/c.xml"]));
        check("tw*", Ok(&["two/deep/c.xml"]));
        check(
            "{one,two}/**/[bc].xml",
            Ok(&["one/b.xml", "two/deep/c.xml"]),
        );
        check(".hidden", Ok(&[".hidden/d.xml"]));
        check("missing.xml", Err(Exit::NotFound));
        check("missing/*.xml", Err(Exit::NotFound));
        check("*.json", Err(Exit::NotFound));
        check("pom.x?l", Err(Exit::NotFound));
        check("empty", Err(Exit::NotFound));
        check("[", Err(Exit::Usage));
    }

    #[test]
    fn names_are_those_of_the_folder() {
        let dir = folder();
        let found = inputs(&[dir.path().to_owned()]).unwrap();
        assert_eq!(found[1].name(), "one/b.xml");
        let twice = inputs(&[PathBuf::from("-"), PathBuf::from("-")]);
        assert_eq!(twice.unwrap_err().exit, Exit::Usage);
    }
}
