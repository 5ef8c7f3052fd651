//! Rules of gates: from flags or a file to what is sent, and as people read them. Pure but for the reading.

use super::args::RuleArgs;
use super::error::CliError;
use super::job_file::read_text;
use super::output::duration;

use testhide_protocol::api::{DurationOf, GateRule};

/// The rules that were given; none when none was.
pub(super) fn read_rules(args: RuleArgs) -> Result<Vec<GateRule>, CliError> {
    match &args.file {
        Some(file) => {
            let (name, text) = read_text(file)?;
            parse_rules(&name, &text)
        }
        None => Ok(rules_of_flags(args)),
    }
}

/// The rules in `text`, a JSON array; errors say line and column.
fn parse_rules(name: &str, text: &str) -> Result<Vec<GateRule>, CliError> {
    serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = what.strip_suffix(&place).unwrap_or(&what);
        CliError::usage(format!("{name}:{}:{}: {what}", error.line(), error.column())).hint(
            "nothing was sent; rules are JSON such as [{\"type\": \"pass_rate\", \"min_percent\": 95}]",
        )
    })
}

fn rules_of_flags(args: RuleArgs) -> Vec<GateRule> {
    let mut rules = Vec::new();
    if let Some(min_percent) = args.pass_rate {
        rules.push(GateRule::PassRate {
            min_percent,
            include_skipped: false,
        });
    }
    if args.zero_failures {
        rules.push(GateRule::ZeroFailures {});
    }
    if args.no_new_failures {
        rules.push(GateRule::NoNewFailures {
            base_branch: args.base_branch,
            builds: args.base_builds,
        });
    }
    for (of, limit) in [
        (DurationOf::Build, args.max_duration),
        (DurationOf::EachTest, args.max_test_duration),
        (DurationOf::AllTests, args.max_tests_duration),
    ] {
        rules.extend(limit.map(|max_ms| GateRule::MaxDuration { of, max_ms }));
    }
    rules.extend(args.max_flaky.map(|max| GateRule::MaxFlakyCount { max }));
    rules.extend(args.min_tests.map(|min| GateRule::MinTestCount {
        min,
        include_skipped: false,
    }));
    if args.no_inconsistencies {
        rules.push(GateRule::NoInconsistencies {
            kinds: args.findings,
        });
    }
    rules
}

/// A rule in a few words.
pub(super) fn words(rule: &GateRule) -> String {
    let skipped = |included: &bool| {
        if *included { " with skipped tests" } else { "" }
    };
    match rule {
        GateRule::PassRate {
            min_percent,
            include_skipped,
        } => format!("pass rate ≥ {min_percent} %{}", skipped(include_skipped)),
        GateRule::ZeroFailures {} => "zero failures".to_owned(),
        GateRule::NoNewFailures {
            base_branch,
            builds,
        } => {
            let branch = base_branch.as_deref().unwrap_or("the job's branch");
            let builds = builds.map_or(String::new(), |builds| format!(" in {builds} builds"));
            format!("no failure that is new to {branch}{builds}")
        }
        GateRule::MaxDuration { of, max_ms } => {
            let what = match of {
                DurationOf::Build => "build",
                DurationOf::EachTest => "each test",
                DurationOf::AllTests => "all tests",
            };
            format!("{what} ≤ {}", duration(*max_ms))
        }
        GateRule::MaxFlakyCount { max } => format!("flaky tests ≤ {max}"),
        GateRule::MinTestCount {
            min,
            include_skipped,
        } => format!("tests ≥ {min}{}", skipped(include_skipped)),
        GateRule::NoInconsistencies { kinds } if kinds.is_empty() => "no findings".to_owned(),
        GateRule::NoInconsistencies { kinds } => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            format!("no finding of {}", kinds.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_rules, read_rules, words};
    use crate::cli::args::{Cli, Command, GateCommand};
    use clap::Parser;

    fn rules(flags: &str) -> String {
        let line = format!("testhide gate create shop release {flags}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Gate(GateCommand::Create(create)) = cli.command else {
            panic!("it makes a gate");
        };
        serde_json::to_string(&read_rules(create.rules).unwrap()).unwrap()
    }

    #[test]
    fn flags_become_rules() {
        let check = |flags: &str, expected: &str| assert_eq!(rules(flags), expected, "{flags}");
        check("", "[]");
        check(
            "--pass-rate 95",
            r#"[{"type":"pass_rate","min_percent":95.0}]"#,
        );
        check("--zero-failures", r#"[{"type":"zero_failures"}]"#);
        check("--no-new-failures", r#"[{"type":"no_new_failures"}]"#);
        check(
            "--no-new-failures --base-branch next --base-builds 3",
            r#"[{"type":"no_new_failures","base_branch":"next","builds":3}]"#,
        );
        check(
            "--max-duration 10m --max-test-duration 500ms --max-tests-duration 90",
            r#"[{"type":"max_duration","of":"build","max_ms":600000},{"type":"max_duration","of":"each_test","max_ms":500},{"type":"max_duration","of":"all_tests","max_ms":90000}]"#,
        );
        check(
            "--max-flaky 3 --min-tests 200",
            r#"[{"type":"max_flaky_count","max":3},{"type":"min_test_count","min":200}]"#,
        );
        check(
            "--no-inconsistencies --finding zero_tests --finding stale_report",
            r#"[{"type":"no_inconsistencies","kinds":["zero_tests","stale_report"]}]"#,
        );
    }

    #[test]
    fn a_file_holds_rules_or_says_where_not() {
        let text =
            "[\n  {\"type\": \"zero_failures\"},\n  {\"type\": \"min_test_count\", \"min\": 5}\n]";
        let rules = parse_rules("rules.json", text).unwrap();
        let words: Vec<String> = rules.iter().map(words).collect();
        assert_eq!(words, ["zero failures", "tests ≥ 5"]);
        let check = |text: &str, expected: &str| {
            let error = parse_rules("rules.json", text).unwrap_err();
            assert!(error.detail.starts_with(expected), "{}", error.detail);
        };
        check("", "rules.json:1:0: EOF while parsing a value");
        check("{}", "rules.json:1:0: invalid type: map");
        check("[\n{\"type\": \"green\"}]", "rules.json:2:");
    }

    #[test]
    fn a_file_on_disk_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rules.json");
        std::fs::write(&file, "[{\"type\": \"zero_failures\"}]").unwrap();
        assert_eq!(
            rules(&format!("--file {}", file.display())),
            r#"[{"type":"zero_failures"}]"#
        );
    }
}
