//! Names of libtest's events: nextest puts crate, binary and attempt into them, doctests their file and line.

/// A name taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// `crate::binary`, from nextest.
    pub(super) binary: Option<&'a str>,
    /// What the test is called in its binary.
    pub(super) test: &'a str,
    /// Number of the attempt, from nextest.
    pub(super) attempt: Option<u32>,
    /// Number of the run, from nextest's stress tests.
    pub(super) stress: Option<&'a str>,
    /// File and line of a doctest.
    pub(super) place: Option<(&'a str, u32)>,
}

impl<'a> Name<'a> {
    /// `crate::binary$test@stress-0#2`, `src/lib.rs - add (line 3)`, `tests::adds`.
    pub(super) fn new(written: &'a str) -> Self {
        let mut name = Self {
            test: written,
            ..Self::default()
        };
        if let Some((binary, test)) = written.split_once('$') {
            name.binary = Some(binary);
            name.test = test;
            if let Some((test, number)) = test.rsplit_once('#')
                && let Ok(number) = number.parse()
            {
                (name.test, name.attempt) = (test, Some(number));
            }
            if let Some((test, number)) = name.test.rsplit_once("@stress-") {
                (name.test, name.stress) = (test, Some(number));
            }
        }
        name.place = place(name.test);
        name
    }
}

fn place(name: &str) -> Option<(&str, u32)> {
    let (file, rest) = name.split_once(" - ")?;
    let at = rest.rfind("(line ")?;
    let digits = rest[at + 6..].split(')').next()?;
    Some((file, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |written: &str, expected: Name<'_>| {
            assert_eq!(Name::new(written), expected, "{written}");
        };
        check(
            "tests::r#try#2",
            Name {
                test: "tests::r#try#2",
                ..Name::default()
            },
        );
        check(
            "demo::it$tests::adds#3",
            Name {
                binary: Some("demo::it"),
                test: "tests::adds",
                attempt: Some(3),
                ..Name::default()
            },
        );
        check(
            "demo::it$r#try@stress-4#2",
            Name {
                binary: Some("demo::it"),
                test: "r#try",
                attempt: Some(2),
                stress: Some("4"),
                ..Name::default()
            },
        );
        check(
            "src/lib.rs - add (line 3) - compile fail",
            Name {
                test: "src/lib.rs - add (line 3) - compile fail",
                place: Some(("src/lib.rs", 3)),
                ..Name::default()
            },
        );
    }
}
