//! Documents of JSON: by the keys of their first levels.
//!
//! Each rule names keys that its tools always write and others do not; lines of JSON (`go test -json`, libtest) have none
//! of them in their first line, and no more than that line is looked at.

use super::sketch::Sketch;
use crate::reports::parse::format::Format;

/// Looks at the beginning of a document that starts with `{` or `[`.
pub(super) fn look_at_json(head: &[u8]) -> Option<Format> {
    let sketch = Sketch::of(head);
    let rules: &[(Format, Rule)] = &[
        (Format::Ctrf, is_ctrf),
        (Format::Playwright, is_playwright),
        (Format::Jest, is_jest),
        (Format::Mocha, is_mocha),
        (Format::Cucumber, is_cucumber),
        (Format::Allure, is_allure),
    ];
    rules
        .iter()
        .find(|(_, holds)| holds(&sketch))
        .map(|(format, _)| *format)
}

/// Says from the keys alone whether a document is of one format.
type Rule = fn(&Sketch<'_>) -> bool;

/// The name of the format, or an object `results` with one of its members.
fn is_ctrf(sketch: &Sketch<'_>) -> bool {
    sketch.begins("reportFormat", b"\"CTRF\"")
        || (sketch.object("results")
            && sketch.count(&["results.tool", "results.summary", "results.tests"]) > 0)
}

/// Suites of specs, or the settings that come before them and may fill the head.
fn is_playwright(sketch: &Sketch<'_>) -> bool {
    let settings = [
        "config.rootDir",
        "config.forbidOnly",
        "config.fullyParallel",
        "config.globalTimeout",
        "config.projects",
        "config.reportSlowTests",
    ];
    sketch.list("suites[].specs")
        || (sketch.object("config") && sketch.count(&settings) > 1)
        || (sketch.list("suites") && sketch.count(&["stats.expected", "stats.unexpected"]) > 0)
}

/// Counters with Jest's names, or files of assertions.
fn is_jest(sketch: &Sketch<'_>) -> bool {
    let counters = [
        "numTotalTests",
        "numFailedTests",
        "numPassedTests",
        "numPendingTests",
        "numTotalTestSuites",
        "numFailedTestSuites",
    ];
    sketch.count(&counters) > 1 || sketch.list("testResults[].assertionResults")
}

/// Statistics with Mocha's names, of its own reporter and of Mochawesome.
fn is_mocha(sketch: &Sketch<'_>) -> bool {
    sketch.object("stats")
        && sketch.has("stats.tests")
        && sketch.count(&["stats.passes", "stats.failures", "stats.pending"]) > 0
}

/// A list of features.
fn is_cucumber(sketch: &Sketch<'_>) -> bool {
    sketch.list("[].elements")
        || (sketch.has("[].keyword")
            && sketch.has("[].name")
            && sketch.count(&["[].uri", "[].location"]) > 0)
}

/// A status of Allure's with members that its results have together.
fn is_allure(sketch: &Sketch<'_>) -> bool {
    let statuses = ["passed", "failed", "broken", "skipped", "unknown"];
    let members = [
        "uuid",
        "historyId",
        "testCaseId",
        "fullName",
        "statusDetails",
        "steps",
        "stage",
        "labels",
        "attachments",
        "parameters",
    ];
    statuses
        .iter()
        .any(|status| sketch.begins("status", format!("\"{status}\"").as_bytes()))
        && sketch.count(&members) > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_keys() {
        let check = |head: &str, expected: Option<Format>| {
            assert_eq!(look_at_json(head.as_bytes()), expected, "{head}");
        };
        check(
            r#"{"config":{"argv":[],"configFile":"x","rootDir":"/srv","forbidOnly":false,"metadata":{"a":"#,
            Some(Format::Playwright),
        );
        check(
            r#"{"config":{},"suites":[{"title":"a","file":"a","specs":["#,
            Some(Format::Playwright),
        );
        check(
            r#"{"suites":[],"errors":[],"stats":{"expected":0}}"#,
            Some(Format::Playwright),
        );
        check(
            r#"{"numFailedTestSuites":1,"numFailedTests":2,"snapshot":{"#,
            Some(Format::Jest),
        );
        check(
            r#"{"testResults":[{"assertionResults":["#,
            Some(Format::Jest),
        );
        check(
            r#"{"stats":{"suites":1,"tests":1,"passes":1},"tests":["#,
            Some(Format::Mocha),
        );
        check(
            r#"{"stats":{"suites":1,"tests":1,"passes":1},"results":[{"uuid":"#,
            Some(Format::Mocha),
        );
        check(
            r#"[{"description":"","elements":[{"id":"#,
            Some(Format::Cucumber),
        );
        check(
            r#"[{"keyword":"Feature","location":"a.feature:1","name":"A","status":"#,
            Some(Format::Cucumber),
        );
        check(r#"{"stats":{"tests":1},"tests":[]}"#, None);
        check(r#"{"suites":[{"title":"a"}]}"#, None);
        check(r#"{"config":{"rootDir":"x"}}"#, None);
        check(r#"{"testResults":[]}"#, None);
        check(r#"[{"name":"a"}]"#, None);
        check("[]", None);
        check(
            "{\"Time\":\"2026-11-21T08:00:00Z\",\"Action\":\"start\",\"Package\":\"p\"}\n{\"stats\":{\"tests\":1,\"passes\":1}}",
            None,
        );
        check(
            "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 3 }\n{ \"type\": \"test\", \"event\": \"started\", \"name\": \"a\" }",
            None,
        );
        check(
            r#"{"uuid":"1","historyId":"2","fullName":"a","status":"passed","stage":"finished","steps":[],"labels":[]}"#,
            Some(Format::Allure),
        );
        check(r#"{"uuid":"1","status":"passed"}"#, None);
    }
}
