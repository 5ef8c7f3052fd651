//! A job's definition in a file, judged before it is sent. Pure but for the reading.

use super::error::CliError;
use std::io::Read;
use std::path::Path;
use testhide_protocol::api::JobDefinition;

/// Longest definition that is read.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Reads a definition; `-` is stdin.
pub(super) fn read_definition(file: &Path) -> Result<JobDefinition, CliError> {
    let (name, text) = read_text(file)?;
    parse_definition(&name, &text)
}

/// What messages call a file, and its text; `-` is stdin.
pub(super) fn read_text(file: &Path) -> Result<(String, String), CliError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(LONGEST)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| CliError::file("read", file, &error))?;
    let name = if file == Path::new("-") {
        "stdin".to_owned()
    } else {
        file.display().to_string()
    };
    Ok((name, text))
}

/// The definition in `text`; errors say line and column.
fn parse_definition(name: &str, text: &str) -> Result<JobDefinition, CliError> {
    serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = what.strip_suffix(&place).unwrap_or(&what);
        CliError::usage(format!("{name}:{}:{}: {what}", error.line(), error.column()))
            .hint("nothing was sent; a definition is JSON such as {\"steps\": [{\"type\": \"bash\", \"run\": \"make test\"}]}")
    })
}

#[cfg(test)]
mod tests {
    use super::parse_definition;

    #[test]
    fn a_broken_file_says_where() {
        let check = |text: &str, expected: &str| {
            let error = parse_definition("job.json", text).unwrap_err();
            assert!(error.detail.starts_with(expected), "{}", error.detail);
        };
        check("", "job.json:1:0: EOF while parsing a value");
        check(
            "{\n  \"steps\": [\n    {\"type\": \"bash\"]\n}",
            "job.json:3:20: expected `,` or `}`",
        );
        check(
            "{\n  \"steps\": [],\n  \"stpes\": []\n}",
            "job.json:3:9: unknown field `stpes`, expected one of",
        );
        check(
            "{\"steps\": [{\"type\": \"fish\", \"run\": \"x\"}]}",
            "job.json:1:",
        );
    }

    #[test]
    fn a_whole_file_is_a_definition() {
        let text = r#"{"steps": [{"type": "bash", "run": "make test"}], "labels": ["linux"]}"#;
        let definition = parse_definition("job.json", text).unwrap();
        assert_eq!((definition.steps.len(), definition.labels.len()), (1, 1));
    }
}
