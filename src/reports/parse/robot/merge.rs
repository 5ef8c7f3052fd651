//! Messages of tests: those that `rebot --merge` wrote tell of earlier attempts, and those in HTML say so.

use crate::reports::parse::model::{Outcome, RetryAttempt};
use crate::reports::parse::words::exception_kind;

const MERGED: &str = "Test has been re-executed and results merged.";
const OLD_STATUS: &str = "Old status:</span>";
const OLD_MESSAGE: &str = "Old message:</span>";
const NEW_MESSAGE: &str = "New message:</span>";

/// A test's message, and the attempts before it that the message tells of, in their order.
pub(super) fn read_message(text: &str, retries: usize) -> (String, Vec<RetryAttempt>) {
    let Some(html) = text.strip_prefix("*HTML*") else {
        return (text.to_owned(), Vec::new());
    };
    let html = html.trim_start();
    if !html.contains(MERGED) {
        return (html.to_owned(), Vec::new());
    }
    let mut parts = html.split(OLD_STATUS);
    let newest = parts.next().unwrap_or_default();
    let message = after(newest, NEW_MESSAGE);
    let mut earlier: Vec<RetryAttempt> = parts
        .map(|part| {
            let message = after(part, OLD_MESSAGE);
            let status = without_tags(part.split("<br>").next().unwrap_or_default());
            RetryAttempt {
                outcome: match status.trim() {
                    "PASS" => Outcome::Passed,
                    "SKIP" => Outcome::Skipped,
                    _ => Outcome::Failed,
                },
                kind: exception_kind(&message),
                message: (!message.is_empty()).then_some(message),
                ..RetryAttempt::default()
            }
        })
        .collect();
    // The message goes back in time.
    earlier.truncate(retries);
    earlier.reverse();
    for (number, attempt) in (1..).zip(&mut earlier) {
        attempt.attempt = number;
    }
    (message, earlier)
}

/// The text behind a label, to the next rule or the end.
fn after(part: &str, label: &str) -> String {
    let Some((_, rest)) = part.split_once(label) else {
        return String::new();
    };
    let end = rest.find("<hr>").unwrap_or(rest.len());
    let text = rest[..end].trim().trim_end_matches("<br>");
    without_tags(text).trim().to_owned()
}

/// HTML as text: without tags, with the entities that Robot writes resolved.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        if tag.starts_with("br") {
            text.push('\n');
        }
        rest = tag.split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let check = |text: &str, message: &str, earlier: &[(Outcome, Option<&str>)]| {
            let (found, attempts) = read_message(text, 3);
            let attempts: Vec<_> = attempts
                .iter()
                .map(|attempt| (attempt.outcome, attempt.message.as_deref()))
                .collect();
            assert_eq!(
                (found.as_str(), &attempts[..]),
                (message, earlier),
                "{text}"
            );
        };
        check("1 != 2", "1 != 2", &[]);
        check("*HTML* <b>no</b>", "<b>no</b>", &[]);
        let merged = "*HTML* <span class=\"merge\">Test has been re-executed and results merged.</span><hr>\
             <span class=\"new-status\">New status:</span> <span class=\"pass\">PASS</span><br><hr>\
             <span class=\"old-status\">Old status:</span> <span class=\"fail\">FAIL</span><br>\
             <span class=\"old-message\">Old message:</span> second &lt;1&gt;<br>";
        check(merged, "", &[(Outcome::Failed, Some("second <1>"))]);
        let twice = format!(
            "{merged}<hr><span class=\"old-status\">Old status:</span> <span class=\"fail\">FAIL</span><br>\
             <span class=\"old-message\">Old message:</span> first<br>"
        );
        check(
            &twice,
            "",
            &[
                (Outcome::Failed, Some("first")),
                (Outcome::Failed, Some("second <1>")),
            ],
        );
        check(
            "*HTML* re-executed and results merged. <",
            "re-executed and results merged. <",
            &[],
        );
    }
}
