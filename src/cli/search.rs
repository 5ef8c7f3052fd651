//! Use case: search all logs and failures.

use super::args::Search;
use super::client::Client;
use super::error::CliError;
use super::output::{Colour, Theme, age, clean};
use super::session::Session;
use testhide_protocol::api::{SearchAnswer, SearchHit, SearchLine};

/// Most lines that one request may ask for.
const LARGEST_PAGE: usize = 1000;

/// Prints places that match, newest first.
pub(super) async fn run(session: &Session, args: &Search) -> Result<(), CliError> {
    let query = args.query.join(" ");
    let answer = find(&session.client()?, &query, args.limit).await?;
    if session.out.json {
        return session.out.json(&answer);
    }
    if answer.hits.is_empty() {
        session
            .out
            .say(&format!("nothing matches `{}`", answer.query));
    }
    let theme = session.out.theme();
    session.out.write(
        &answer
            .hits
            .iter()
            .map(|hit| draw(hit, &theme))
            .collect::<Vec<_>>()
            .join("\n"),
    )?;
    if answer.next.is_some() {
        session.out.say(&format!(
            "there is more; --limit {} shows it",
            args.limit.saturating_mul(5)
        ));
    }
    if answer.index_lag > 0 {
        session.out.say(&format!(
            "{} new events are not searchable yet",
            answer.index_lag
        ));
    }
    Ok(())
}

/// One answer of up to `limit` lines. A page may end early, even empty, when matches are rare: only a missing `next` is the end.
async fn find(client: &Client, query: &str, limit: usize) -> Result<SearchAnswer, CliError> {
    let mut hits: Vec<SearchHit> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let found: usize = hits.iter().map(|hit| hit.lines.len()).sum();
        let wanted = limit.saturating_sub(found).clamp(1, LARGEST_PAGE);
        let mut parameters = vec![("q", query.to_owned()), ("limit", wanted.to_string())];
        parameters.extend(cursor.clone().map(|cursor| ("cursor", cursor)));
        let mut page: SearchAnswer = client.get(&["search"], &parameters).await?;
        hits.append(&mut page.hits);
        let lines: usize = hits.iter().map(|hit| hit.lines.len()).sum();
        if page.next.is_none() || page.next == cursor || lines >= limit {
            return Ok(SearchAnswer { hits, ..page });
        }
        cursor = page.next;
    }
}

fn draw(hit: &SearchHit, theme: &Theme) -> String {
    let dot = theme.dot();
    let mut facts = Vec::new();
    facts.extend(hit.build_number.map(|number| match hit.attempt {
        Some(attempt) if attempt > 1 => format!("build {number}, attempt {attempt}"),
        _ => format!("build {number}"),
    }));
    facts.extend(hit.test.clone());
    facts.extend(
        [hit.job.clone(), hit.branch.clone()]
            .into_iter()
            .filter(|text| !text.is_empty()),
    );
    facts.push(age(theme.now, hit.time));
    let title = theme.paint(
        Colour::Bold,
        &clean(&format!("{}  {}", hit.kind, facts.join(dot))),
    );
    let mut out = format!("{title}\n");
    for line in &hit.lines {
        let number = theme.paint(Colour::Dim, &format!("{:>6}", line.number));
        out.push_str(&format!("{number}  {}\n", highlighted(line, theme)));
    }
    if let Some(result) = hit.result_id {
        out.push_str(&theme.paint(
            Colour::Dim,
            &format!("        testhide failure show {result}"),
        ));
        out.push('\n');
    }
    out
}

/// The line with its matches in colour. Ranges that do not fit the text are not believed.
fn highlighted(line: &SearchLine, theme: &Theme) -> String {
    let mut out = String::new();
    let mut at = 0;
    for (start, end) in &line.highlights {
        let (start, end) = (*start as usize, *end as usize);
        let (Some(before), Some(hit)) = (line.text.get(at..start), line.text.get(start..end))
        else {
            continue;
        };
        out.push_str(&piece(before));
        out.push_str(&theme.paint(Colour::Red, &piece(hit)));
        at = end;
    }
    out.push_str(&piece(line.text.get(at..).unwrap_or_default()));
    out
}

/// Cleans a part of a line; unlike at a line's end, nothing is trimmed.
fn piece(text: &str) -> String {
    clean(&text.replace(['\r', '\n'], " "))
}

#[cfg(test)]
mod tests {
    use super::highlighted;
    use crate::cli::output::Theme;
    use testhide_protocol::Timestamp;
    use testhide_protocol::api::SearchLine;

    #[test]
    fn matches_are_coloured_and_wrong_ranges_are_not_believed() {
        let theme = Theme {
            colour: true,
            unicode: true,
            width: None,
            now: Timestamp(0),
        };
        let check = |text: &str, highlights: &[(u32, u32)], expected: &str| {
            let line = SearchLine {
                number: 1,
                stream: None,
                text: text.to_owned(),
                highlights: highlights.to_vec(),
            };
            assert_eq!(highlighted(&line, &theme), expected);
        };
        check(
            "an error here",
            &[(3, 8)],
            "an \u{1b}[31merror\u{1b}[0m here",
        );
        check("aüb", &[(1, 2), (2, 99), (9, 3)], "aüb");
        check("\u{1b}[2Jx", &[], "x");
        check(
            "aa",
            &[(0, 1), (0, 2), (1, 2)],
            "\u{1b}[31ma\u{1b}[0m\u{1b}[31ma\u{1b}[0m",
        );
    }
}
