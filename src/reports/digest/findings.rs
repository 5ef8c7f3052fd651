//! What one file alone shows not to fit together: pure. What only a build knows (exit codes, plans, history) is not here.

use testhide_protocol::api::{Finding, FindingKind};

/// Names of tests that a finding gives.
const NAMES: usize = 20;

/// What is known of a file when it has been read.
#[derive(Debug, Clone, Default)]
pub struct WhatOneFileShows<'a> {
    /// How it is called.
    pub name: &'a str,
    /// Its rows.
    pub rows: u64,
    /// Tests that it says it has.
    pub declared: Option<u64>,
    /// It ends too early.
    pub truncated: bool,
    /// Display names of tests whose failed attempts look passed; the first of them.
    pub hidden: Vec<String>,
    /// How many such tests there are.
    pub hidden_total: u64,
}

/// The findings of one file, the gravest first.
#[must_use]
pub fn findings_of_file(file: &WhatOneFileShows<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |kind, message: String, tests: Vec<String>, count| {
        findings.push(Finding {
            kind,
            message,
            report: Some(file.name.to_owned()),
            tests,
            count,
        });
    };
    if file.truncated {
        let of = match file.declared {
            Some(declared) if declared > file.rows => format!(" of {declared}"),
            _ => String::new(),
        };
        let rows = file.rows;
        add(
            FindingKind::PartialReport,
            format!("expected a whole report, found one that breaks off after {rows}{of} tests"),
            Vec::new(),
            file.declared.unwrap_or(0).saturating_sub(rows),
        );
    }
    if file.rows == 0 {
        let message = match file.declared {
            Some(declared) if declared > 0 => {
                format!("expected {declared} tests, found a report without any")
            }
            _ => "expected tests, found a report without any".to_owned(),
        };
        add(FindingKind::ZeroTests, message, Vec::new(), 0);
    }
    if file.hidden_total > 0 {
        let what = match file.hidden_total {
            1 => "1 test was repeated, and its".to_owned(),
            many => format!("{many} tests were repeated, and their"),
        };
        let mut names = file.hidden.clone();
        names.truncate(NAMES);
        add(
            FindingKind::HiddenRetry,
            format!("{what} failed attempts look passed in the report"),
            names,
            file.hidden_total,
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{WhatOneFileShows, findings_of_file};
    use testhide_protocol::api::FindingKind;

    #[test]
    fn what_a_file_shows() {
        let check = |file: WhatOneFileShows<'_>, expected: &[(FindingKind, &str, u64)]| {
            let found = findings_of_file(&file);
            let found: Vec<_> = found
                .iter()
                .map(|finding| (finding.kind, finding.message.as_str(), finding.count))
                .collect();
            assert_eq!(found, expected, "{file:?}");
        };
        let whole = || WhatOneFileShows {
            rows: 3,
            declared: Some(3),
            ..WhatOneFileShows::default()
        };
        check(whole(), &[]);
        check(
            WhatOneFileShows {
                rows: 0,
                declared: None,
                ..whole()
            },
            &[(
                FindingKind::ZeroTests,
                "expected tests, found a report without any",
                0,
            )],
        );
        check(
            WhatOneFileShows {
                truncated: true,
                declared: Some(12),
                ..whole()
            },
            &[(
                FindingKind::PartialReport,
                "expected a whole report, found one that breaks off after 3 of 12 tests",
                9,
            )],
        );
        check(
            WhatOneFileShows {
                hidden: vec!["a".to_owned()],
                hidden_total: 1,
                ..whole()
            },
            &[(
                FindingKind::HiddenRetry,
                "1 test was repeated, and its failed attempts look passed in the report",
                1,
            )],
        );
    }

    #[test]
    fn not_more_names_than_anybody_reads() {
        let file = WhatOneFileShows {
            rows: 50,
            hidden: (0..50).map(|number| number.to_string()).collect(),
            hidden_total: 50,
            ..WhatOneFileShows::default()
        };
        let found = findings_of_file(&file);
        assert_eq!((found[0].tests.len(), found[0].count), (20, 50));
    }
}
