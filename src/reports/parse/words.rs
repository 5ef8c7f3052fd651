//! What the words of a failure say: its exception type, its first line.

/// The exception type at the start of a message: `pkg.CustomError: text`, `ValueError`, `Known Issue: OSError: text`.
pub(super) fn exception_kind(message: &str) -> Option<String> {
    let message = message.strip_prefix("Known Issue: ").unwrap_or(message);
    let message = match message.strip_prefix("failed on ") {
        // Native pytest: `failed on setup with "ConnectionError: …"`.
        Some(rest) => rest.split_once(" with \"").map_or(rest, |(_, inner)| inner),
        None => message,
    };
    let line = first_line(message).trim_start_matches("Uncaught ");
    let end = line.find([':', ' ', '(', '"']).unwrap_or(line.len());
    let name = &line[..end];
    let rest = line[end..].trim_start();
    let last = name.rsplit(['.', '$', '/']).next().unwrap_or(name);
    let looks_like_a_type = name.len() <= 200
        && last.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'/' | b'+' | b'`')
        });
    let told = [
        "Error",
        "Exception",
        "Failure",
        "Failed",
        "Warning",
        "Exit",
        "Interrupt",
    ]
    .iter()
    .any(|suffix| last.ends_with(suffix));
    (looks_like_a_type
        && (told && (rest.is_empty() || rest.starts_with(':'))
            || (rest.starts_with(": ") && name.contains('.'))))
    .then(|| name.to_owned())
}

/// The first line that is not blank, shortened to what a list can show.
pub(super) fn first_line(text: &str) -> &str {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("");
    match line.char_indices().nth(1000) {
        Some((end, _)) => &line[..end],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(exception_kind(message).as_deref(), expected, "{message}");
        };
        check("ValueError: boom", Some("ValueError"));
        check("ValueError", Some("ValueError"));
        check(
            "test_outcomes.CustomDomainError: x",
            Some("test_outcomes.CustomDomainError"),
        );
        check(
            "Known Issue: AssertionError: 1 != 2",
            Some("AssertionError"),
        );
        check(
            "failed on setup with \"ConnectionError: down\"",
            Some("ConnectionError"),
        );
        check(
            "System.InvalidOperationException : boom",
            Some("System.InvalidOperationException"),
        );
        check("Error: expect(received)", Some("Error"));
        check("Test timeout of 100ms exceeded.", None);
        check("Expected: 5", None);
        check("", None);
    }
}
