//! Use case: show reports, findings and failures first. Files need no server; an id asks one.

use super::args::Show;
use super::build_show::heading;
use super::error::{CliError, Exit};
use super::output::{Cell, Colour, Table, Theme, clean, clean_lines, cut, duration, outcome_sign};
use super::report::counts;
use super::report_input::{inputs, read_all};
use super::session::Session;
use crate::reports::digest::{Digest, FailureGroup, FileFacts, Test, ToldTest, digest_json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use testhide_protocol::ReportId;
use testhide_protocol::api::Finding;

/// Groups of failures that are shown.
const GROUPS: usize = 50;

/// Names of a group that are shown.
const NAMES: usize = 10;

/// Lines of a message that are shown.
const MESSAGE_LINES: usize = 6;

/// Lines of a trace that are shown.
const TRACE_LINES: usize = 8;

/// Flaky tests that are shown.
const FLAKY: usize = 20;

/// Slow tests that are shown.
const SLOWEST: usize = 3;

/// Milliseconds from which a test is slow enough to be named.
const SLOW_MS: u64 = 1000;

/// Files that are shown one by one.
const FILES: usize = 20;

/// Shows reports: files, or the one on the server that has this id.
pub(super) async fn run(session: &Session, args: &Show) -> Result<(), CliError> {
    if let [only] = args.files.as_slice()
        && let Some(id) = id_on_server(only)
    {
        return super::report::show(session, id).await;
    }
    files(session, args)
}

/// The id, when the argument is one and no file has this name.
pub(super) fn id_on_server(argument: &Path) -> Option<&str> {
    let text = argument.to_str()?;
    (text.parse::<ReportId>().is_ok() && !argument.exists()).then_some(text)
}

fn files(session: &Session, args: &Show) -> Result<(), CliError> {
    let digest = read_all(&inputs(&args.files)?)?;
    if session.out.json {
        return session.out.json_stream(&digest_json(&digest));
    }
    let drawn = draw(&digest, &session.out.theme()).map_err(|error| spool_failed(&error))?;
    session.out.write(&drawn)
}

/// The error of rows that cannot be read back.
pub(super) fn spool_failed(error: &io::Error) -> CliError {
    let detail = format!("failed to read from the temporary folder: {error}");
    CliError::new(Exit::Failed, "temporary_file", detail)
}

fn draw(digest: &Digest, theme: &Theme) -> io::Result<String> {
    let mut out = head(digest, theme);
    let findings: Vec<&Finding> = digest
        .files
        .iter()
        .flat_map(|file| &file.findings)
        .collect();
    for finding in &findings {
        out.push_str(&draw_finding(finding, theme));
    }
    let groups = digest.failure_groups();
    for group in groups.iter().take(GROUPS) {
        out.push('\n');
        out.push_str(&draw_group(digest, group, theme)?);
    }
    if groups.len() > GROUPS {
        let more: usize = groups[GROUPS..].iter().map(|group| group.tests.len()).sum();
        out.push_str(&format!("\n{more} more tests failed; --json has all\n"));
    }
    out.push_str(&flaky(digest, theme)?);
    out.push_str(&slowest(digest, theme));
    out.push_str(&warnings(&digest.files, theme));
    out.push_str(&format!(
        "\n{}\n",
        theme.paint(Colour::Bold, &total(digest, theme))
    ));
    Ok(out)
}

/// The files: one with its facts, several as a table.
fn head(digest: &Digest, theme: &Theme) -> String {
    if let [file] = digest.files.as_slice() {
        let facts = [Some(file.format.as_str().to_owned()), reporter(file)];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        return format!(
            "{}  {}\n",
            theme.paint(Colour::Bold, &clean(&file.name)),
            clean(&facts.join(theme.dot()))
        );
    }
    let mut table = Table::new(&["~FILE", "FORMAT", ">FAILED", ">ROWS"]);
    for file in digest.files.iter().take(FILES) {
        let failed = file.counts.failed + file.counts.error;
        let cell = Cell::from(failed.to_string());
        table.row([
            Cell::from(&file.name),
            Cell::from(file.format.as_str()),
            if failed > 0 {
                cell.colour(Colour::Red)
            } else {
                cell
            },
            file.counts.total.to_string().into(),
        ]);
    }
    let mut out = table.render(theme);
    if digest.files.len() > FILES {
        out.push_str(&format!("and {} more files\n", digest.files.len() - FILES));
    }
    out
}

/// The writer of a file with its version.
pub(super) fn reporter(file: &FileFacts) -> Option<String> {
    let name = file.reporter.as_ref()?;
    Some(match &file.reporter_version {
        Some(version) => format!("{name} {version}"),
        None => name.clone(),
    })
}

/// A finding as one line, with the tests it is about below.
pub(super) fn draw_finding(finding: &Finding, theme: &Theme) -> String {
    let sign = if theme.unicode { "⚠" } else { "!" };
    let kind = theme.paint(Colour::Yellow, &format!("{sign} {}", finding.kind.as_str()));
    let file = finding
        .report
        .as_ref()
        .map(|name| format!("{}: ", clean(name)))
        .unwrap_or_default();
    let mut out = format!("{kind}  {file}{}\n", clean(&finding.message));
    let shown = finding.tests.iter().take(NAMES);
    out.extend(shown.map(|name| format!("    {}\n", fit(&clean(name), 4, theme))));
    let left = finding.count.saturating_sub(NAMES as u64);
    if !finding.tests.is_empty() && left > 0 {
        out.push_str(&format!("    and {left} more\n"));
    }
    out
}

fn draw_group(digest: &Digest, group: &FailureGroup, theme: &Theme) -> io::Result<String> {
    let first = &digest.tests[group.tests[0] as usize];
    let sign = outcome_sign(theme, first.outcome);
    let mut out = String::new();
    if let [_] = group.tests.as_slice() {
        let time = first
            .duration_ms
            .map(|millis| format!("  {}", duration(millis)));
        let name = theme.paint(Colour::Bold, &clean(&first.display));
        let time = theme.paint(Colour::Dim, &time.unwrap_or_default());
        out.push_str(&format!("{}  {name}{time}\n", sign.paint(theme)));
    } else {
        let many = group.tests.len();
        let title = format!("{many} tests fail alike");
        let title = theme.paint(Colour::Bold, &title);
        out.push_str(&format!("{}  {title}\n", sign.paint(theme)));
        for number in group.tests.iter().take(NAMES) {
            let name = told_apart(digest, &digest.tests[*number as usize], group);
            out.push_str(&format!("    {}\n", fit(&clean(&name), 4, theme)));
        }
        if many > NAMES {
            out.push_str(&format!("    and {} more\n", many - NAMES));
        }
    }
    out.push_str(&draw_failure(&digest.told(first)?, theme));
    Ok(out)
}

/// The test's name, with its report where another one of the group has the same name.
fn told_apart(digest: &Digest, test: &Test, group: &FailureGroup) -> String {
    let same = |number: &&u32| digest.tests[**number as usize].display == test.display;
    let twins = group.tests.iter().take(NAMES).filter(same).count();
    let row = test.decisive as usize;
    match digest.files.iter().find(|file| file.rows.contains(&row)) {
        Some(file) if twins > 1 => format!("{}  {}", test.display, file.name),
        _ => test.display.clone(),
    }
}

/// Where and why a test failed.
fn draw_failure(told: &ToldTest<'_>, theme: &Theme) -> String {
    let mut out = String::new();
    let mut dim = |text: &str| {
        let text = theme.paint(Colour::Dim, &fit(&clean(text), 4, theme));
        out.push_str(&format!("    {text}\n"));
    };
    match (&told.row.file, told.row.line) {
        (Some(file), Some(line)) => dim(&format!("{file}:{line}")),
        (Some(file), None) => dim(file),
        _ => {}
    }
    if told.test.attempts > 1 {
        dim(&format!("failed after {} attempts", told.test.attempts));
    }
    if !told.row.tickets.is_empty() {
        dim(&told.row.tickets.join(", "));
    }
    let message = told.last.said.message.as_deref().unwrap_or_default();
    let lines = clean_lines(message.trim());
    for line in lines.iter().take(MESSAGE_LINES) {
        out.push_str(&format!("    {}\n", fit(line, 4, theme)));
    }
    if lines.len() > MESSAGE_LINES {
        let more = lines.len() - MESSAGE_LINES;
        out.push_str(&format!("    ({more} more lines)\n"));
    }
    let trace = told.last.said.trace.as_deref().unwrap_or_default().trim();
    if trace != message.trim() {
        out.push_str(&short_trace(trace, theme));
    }
    out
}

/// The lines of a trace that say most: Python writes them at the end, others at the beginning.
fn short_trace(trace: &str, theme: &Theme) -> String {
    let lines: Vec<String> = clean_lines(trace)
        .into_iter()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let left_out = lines.len().saturating_sub(TRACE_LINES);
    let at_end = trace.contains("Traceback (most recent call last)");
    let from = if at_end { left_out } else { 0 };
    let shown = &lines[from..lines.len() - (left_out - from)];
    let mut out = String::new();
    let note = format!("      ({left_out} more lines)\n");
    if left_out > 0 && at_end {
        out.push_str(&note);
    }
    for line in shown {
        let line = theme.paint(Colour::Dim, &fit(line, 6, theme));
        out.push_str(&format!("      {line}\n"));
    }
    if left_out > 0 && !at_end {
        out.push_str(&note);
    }
    out
}

fn flaky(digest: &Digest, theme: &Theme) -> io::Result<String> {
    let tests: Vec<&Test> = digest.tests.iter().filter(|test| test.flaky).collect();
    if tests.is_empty() {
        return Ok(String::new());
    }
    let title = format!("Passed only after a failed attempt ({})", tests.len());
    let mut out = format!("\n{}", heading(theme, &title));
    for test in tests.iter().take(FLAKY) {
        let attempts = format!("{} attempts", test.attempts);
        let told = digest.told(test)?;
        let why = told
            .earlier
            .iter()
            .rev()
            .find_map(|attempt| attempt.said.message.as_deref())
            .and_then(|message| message.trim().lines().next())
            .map(|line| format!(": {line}"))
            .unwrap_or_default();
        let line = format!("{}  {attempts}{why}", clean(&test.display));
        out.push_str(&format!("  {}\n", fit(&clean(&line), 2, theme)));
    }
    if tests.len() > FLAKY {
        out.push_str(&format!("  and {} more\n", tests.len() - FLAKY));
    }
    Ok(out)
}

fn slowest(digest: &Digest, theme: &Theme) -> String {
    let mut slow: Vec<(u64, &str)> = digest
        .tests
        .iter()
        .filter_map(|test| Some((test.duration_ms?, test.display.as_str())))
        .filter(|(millis, _)| *millis >= SLOW_MS)
        .collect();
    slow.sort_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(two.1)));
    if slow.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}", heading(theme, "Slowest"));
    for (millis, name) in slow.iter().take(SLOWEST) {
        let line = format!("{:>8}  {}", duration(*millis), clean(name));
        out.push_str(&format!("  {}\n", fit(&line, 2, theme)));
    }
    out
}

/// The warnings, one line a kind.
fn warnings(files: &[FileFacts], theme: &Theme) -> String {
    let mut kinds: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    for file in files {
        for warning in &file.warnings {
            let place = if files.len() > 1 {
                format!("{} line {}", file.name, warning.line)
            } else {
                format!("line {}", warning.line)
            };
            let first = || format!("{place}: {}; {}", warning.what, warning.assumed);
            let kind = kinds.entry(warning.code).or_insert_with(|| (0, first()));
            kind.0 += 1;
        }
    }
    let total: u64 = files.iter().map(|file| file.warnings_total).sum();
    if total == 0 {
        return String::new();
    }
    let mut out = format!("\n{}", heading(theme, &format!("Warnings ({total})")));
    for (count, first) in kinds.values() {
        let times = if *count > 1 {
            format!("{count} times, first ")
        } else {
            String::new()
        };
        let line = clean(&format!("{times}{first}"));
        out.push_str(&format!("  {}\n", fit(&line, 2, theme)));
    }
    out
}

fn total(digest: &Digest, theme: &Theme) -> String {
    let tests = digest.tests_by_outcome();
    let mut facts = vec![counts(&tests)];
    let flaky = digest.tests.iter().filter(|test| test.flaky).count();
    if flaky > 0 {
        facts.push(format!("{flaky} flaky"));
    }
    if tests.total != digest.counts.total {
        facts.push(format!(
            "{} tests in {} rows",
            tests.total, digest.counts.total
        ));
    }
    let millis = digest
        .tests
        .iter()
        .filter_map(|test| test.duration_ms)
        .sum();
    facts.push(duration(millis));
    facts.join(theme.dot())
}

/// A clean line, cut to what is left of the terminal beside `indent` columns.
fn fit(line: &str, indent: usize, theme: &Theme) -> String {
    match theme.width {
        Some(width) => cut(line, width.saturating_sub(indent), theme),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use crate::cli::output::Theme;
    use crate::reports::digest::Reading;
    use unicode_width::UnicodeWidthStr;

    const XML: &str = r#"<testsuites><testsuite name="shop" tests="6">
<testcase classname="shop.Cart" name="adds" file="tests/cart.py" line="12" time="0.5"><failure type="AssertionError" message="expected 3, got 4">Traceback (most recent call last):
  File "tests/cart.py", line 14, in adds
    assert total == 3
AssertionError: expected 3, got 4</failure></testcase>
<testcase classname="shop.Stock" name="a" time="0.1"><error type="ConnectionError" message="no route to 10.0.0.1:5432">at stock</error></testcase>
<testcase classname="shop.Stock" name="b" time="0.1"><error type="ConnectionError" message="no route to 10.0.0.7:6000">at stock</error></testcase>
<testcase classname="shop.Cart" name="slow" time="2"><flakyFailure message="timed out">at x</flakyFailure></testcase>
<testcase classname="shop.Cart" name="fast" time="oops"/>
<testcase classname="shop.Cart" name="off"><skipped message="later"/></testcase>"#;

    fn drawn(theme: &Theme) -> String {
        let mut reading = Reading::new();
        reading.read("junit.xml", XML.as_bytes()).unwrap();
        draw(&reading.finish().unwrap(), theme).unwrap()
    }

    #[test]
    fn findings_then_failures_then_counts() {
        let expected = r#"junit.xml  junit
⚠ partial_report  junit.xml: expected a whole report, found one that breaks off after 6 tests

✖ failed  shop.Cart > adds  500ms
    tests/cart.py:12
    expected 3, got 4
      Traceback (most recent call last):
        File "tests/cart.py", line 14, in adds
          assert total == 3
      AssertionError: expected 3, got 4

✖ error  2 tests fail alike
    shop.Stock > a
    shop.Stock > b
    no route to 10.0.0.1:5432
      at stock

Passed only after a failed attempt (1)
  shop.Cart > slow  2 attempts: timed out

Slowest
      2.0s  shop.Cart > slow

Warnings (2)
  line 9: `oops` is no duration; left the duration out
  line 10: the report ends inside an element; kept what stood before

1 failed, 2 errors, 2 passed, 1 skipped · 1 flaky · 2.7s
"#;
        assert_eq!(drawn(&theme()), expected);
    }

    #[test]
    fn equal_names_of_several_reports_are_told_apart() {
        let mut reading = Reading::new();
        for name in ["one.xml", "two.xml"] {
            reading.read(name, XML.as_bytes()).unwrap();
        }
        let drawn = draw(&reading.finish().unwrap(), &theme()).unwrap();
        let expected = "\
✖ failed  2 tests fail alike
    shop.Cart > adds  one.xml
    shop.Cart > adds  two.xml
";
        assert!(drawn.contains(expected), "{drawn}");
    }

    #[test]
    fn lines_fit_the_terminal() {
        let narrow = Theme {
            width: Some(40),
            ..theme()
        };
        for line in drawn(&narrow).lines().filter(|line| line.starts_with("  ")) {
            assert!(line.width() <= 40, "{line}");
        }
    }
}
