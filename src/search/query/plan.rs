//! Which blocks to look into for a query.

use super::ast::{Expr, Query};
use super::literal::Literal;
use super::pattern::Pattern;
use crate::index::{Candidates, facet_value};

/// A condition that every block with a match fulfils. `projects` are the projects that the asking account may see, with
/// their names; a name that none of them has matches nothing.
pub fn plan(query: &Query, projects: &[([u8; 16], &str)]) -> Candidates {
    condition(query.expr(), projects)
}

fn condition(expr: &Expr, projects: &[([u8; 16], &str)]) -> Candidates {
    let all = |parts: &[Expr]| parts.iter().map(|part| condition(part, projects)).collect();
    match expr {
        Expr::Text(text) => Literal::whole(text).candidates(),
        Expr::Prefix(text) => Literal::prefix(text).candidates(),
        Expr::Substring(text) => Literal::anywhere(text).candidates(),
        Expr::Regex(pattern) => {
            Pattern::new(pattern)
                .expect("checked when the query was read")
                .candidates
        }
        Expr::Facet(facet, name) => {
            Candidates::Facet(*facet, name.compare(*facet), facet_value(&name.text))
        }
        Expr::Project(name) => {
            let meant = projects
                .iter()
                .filter(|(_, project)| name.accepts_project(project));
            Candidates::Projects(meant.map(|&(id, _)| id).collect())
        }
        Expr::Build(number) => Candidates::Build(*number),
        Expr::Kind(kind) => Candidates::Kind(*kind),
        Expr::Before(moment) => Candidates::Before(*moment),
        Expr::After(moment) => Candidates::After(*moment),
        Expr::And(parts) => Candidates::and(all(parts)),
        Expr::Or(parts) => Candidates::or(all(parts)),
        // A block with the word has other lines without it.
        Expr::Not(_) => Candidates::All,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::{BlockDoc, BlockKey, Filter, Kind, Projects, TermSet, TextIndex};
    use crate::search::query::{BlockProperties, Matcher};

    const PROJECT: [u8; 16] = [7; 16];

    #[test]
    fn queries_become_conditions_on_terms() {
        let check = |query: &str, expected: &str| {
            let query = Query::parse(query).expect("a query");
            assert_eq!(
                shown(&plan(&query, &[(PROJECT, "shop")])),
                expected,
                "{query}"
            );
        };
        check("Timeout", "timeout");
        check("placeOrder", "(placeorder | (place & order))");
        check("place_order_now", "(place_order & order_now)");
        check("src/app/Main.java", "(src & app & main & java)");
        check("\"connection  refused\"", "(connection & refused)");
        check("3f2b-12ms", "(3f2b & 12ms)");
        check("time*", "time*");
        check("read_time*", "(read & time*)");
        check("*meou*", "*meou*");
        check("*ad.time*", "time*");
        check("*ad.*", "*ad");
        check("a -b", "a");
        check("-b", "all");
        check("a OR -b", "all");
        check("=>", "all");
        check(
            r"/took \d+ ms|(read|write) (timeout|reset)/",
            "(*took | ((*read* | *write*) & (*timeout* | *reset*)))",
        );
        check(r"/(?:conn)+ection/", "(*conn* & *ection*)");
        check("project:shop kind:log", "(1 projects & Kind(Log))");
        check("project:other", "0 projects");
    }

    fn shown(candidates: &Candidates) -> String {
        let list = |parts: &[Candidates], join: &str| {
            format!(
                "({})",
                parts.iter().map(shown).collect::<Vec<_>>().join(join)
            )
        };
        match candidates {
            Candidates::All => "all".to_owned(),
            Candidates::Term(term) => term.clone(),
            Candidates::Prefix(start) => format!("{start}*"),
            Candidates::Suffix(end) => format!("*{end}"),
            Candidates::Contains(part) => format!("*{part}*"),
            Candidates::Projects(projects) => format!("{} projects", projects.len()),
            Candidates::And(parts) => list(parts, " & "),
            Candidates::Or(parts) => list(parts, " | "),
            other => format!("{other:?}"),
        }
    }

    /// What the index promises, on one block.
    fn accepts(candidates: &Candidates, terms: &[&str]) -> bool {
        let any = |condition: &dyn Fn(&str) -> bool| terms.iter().any(|term| condition(term));
        let cut = terms.contains(&"\u{1}long");
        match candidates {
            Candidates::Term(asked) => any(&|term| term == asked),
            Candidates::Prefix(asked) => any(&|term| term.starts_with(asked.as_str())),
            Candidates::Suffix(asked) => cut || any(&|term| term.ends_with(asked.as_str())),
            Candidates::Contains(asked) => cut || any(&|term| term.contains(asked.as_str())),
            Candidates::And(parts) => parts.iter().all(|part| accepts(part, terms)),
            Candidates::Or(parts) => parts.iter().any(|part| accepts(part, terms)),
            _ => true,
        }
    }

    fn line() -> impl Strategy<Value = String> {
        let long = "qR5".repeat(25);
        let exact = "x".repeat(64);
        let mut pieces: Vec<String> = [
            "place",
            "Order",
            "ORDER",
            "_",
            "_",
            "-",
            "/",
            ".",
            " ",
            " ",
            "\t",
            "HTTP",
            "Server",
            "a",
            "B",
            "2",
            "17",
            "ſ",
            "K",
            "Σ",
            "ς",
            "é",
            "É",
            "İ",
            "Ⅷ",
            "日本",
            "\x1b[31m",
            "\x1b[",
            "\x1b]0;t\x07",
            "deadbeef1",
            "0a1b2c3d",
            "error:",
            "(",
            "*",
            "\"",
            "\u{301}",
            "ß",
        ]
        .map(str::to_owned)
        .to_vec();
        pieces.extend([long, exact]);
        prop::collection::vec(prop::sample::select(pieces), 0..10)
            .prop_map(|pieces| pieces.concat())
    }

    /// One condition on text, made from a piece of a line in a way that often matches.
    fn leaf(line: &str, from: usize, length: usize, form: usize, upper: bool) -> String {
        let piece: String = line
            .chars()
            .filter(|c| *c != '\x1b')
            .skip(from)
            .take(length)
            .collect();
        let piece = if upper { piece.to_uppercase() } else { piece };
        let quoted = piece.replace('\\', "\\\\").replace('"', "\\\"");
        match form {
            0 => format!("\"{quoted}\""),
            1 => format!("{piece}*"),
            2 => format!("*{piece}*"),
            3 => format!("/{}/", regex::escape(&piece).replace('/', "\\/")),
            4 => format!(
                "/{}.?/",
                piece
                    .chars()
                    .map(|c| format!(
                        "({}|\\x{{{:x}}})",
                        regex::escape(&c.to_string()),
                        u32::from(c)
                    ))
                    .collect::<String>()
            ),
            5 => format!(
                "/(?:{}|nowhere) ?/",
                regex::escape(&piece).replace('/', "\\/")
            ),
            _ => piece,
        }
    }

    #[derive(Debug, Clone)]
    struct Case {
        lines: Vec<String>,
        queries: Vec<Query>,
    }

    fn case() -> impl Strategy<Value = Case> {
        let leaf_choice = (0usize..6, 0usize..12, 1usize..12, 0usize..7, any::<bool>());
        let choices =
            prop::collection::vec((prop::collection::vec(leaf_choice, 1..4), 0usize..5), 1..12);
        (prop::collection::vec(line(), 1..6), choices).prop_map(|(lines, choices)| {
            let queries = choices.iter().filter_map(|(leaves, shape)| {
                let leaves: Vec<String> = leaves
                    .iter()
                    .map(|&(which, from, length, form, upper)| {
                        leaf(&lines[which % lines.len()], from, length, form, upper)
                    })
                    .collect();
                let query = match shape {
                    0 => leaves.join(" "),
                    1 => leaves.join(" OR "),
                    2 => leaves.join(" -"),
                    3 => format!("NOT ({})", leaves.join(" ")),
                    _ => leaves[0].clone(),
                };
                Query::parse(&query).ok()
            });
            let queries = queries.collect();
            Case { lines, queries }
        })
    }

    fn properties() -> BlockProperties<'static> {
        BlockProperties {
            project: "shop",
            job: "",
            branch: "",
            status: "",
            agent: "",
            test: "",
            step: "",
            kind: Kind::Log,
            build: 1,
            time: 1,
        }
    }

    fn some_line_matches(query: &Query, lines: &[String]) -> bool {
        let matcher = Matcher::new(query);
        let Some(block) = matcher.block(&properties()) else {
            return false;
        };
        lines.iter().any(|line| {
            let found = block.find(line);
            for range in found.iter().flatten() {
                assert!(!line[range.clone()].is_empty());
            }
            found.is_some()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn a_block_with_a_match_is_a_candidate(case in case()) {
            let mut set = TermSet::new();
            let terms: Vec<&str> = set.fill(&case.lines.join("\n")).lines().collect();
            for query in &case.queries {
                if some_line_matches(query, &case.lines) {
                    let candidates = plan(query, &[]);
                    prop_assert!(accepts(&candidates, &terms), "{} as {:?} on {:?}", query, candidates, terms);
                }
            }
        }

        /// Keeps the property above from being empty: each line is found by its own text.
        #[test]
        fn a_line_matches_its_own_text(line in line(), from in 0usize..10, length in 3usize..20) {
            let plain: String = line.chars().filter(|c| *c != '\x1b').collect();
            let piece: String = plain.chars().skip(from).take(length).filter(|c| !c.is_whitespace()).collect();
            let is_one = plain.contains(&piece) && !piece.contains(['*', '"', '(', ':', '/']) && piece.chars().count() >= 3;
            if is_one {
                let query = Query::parse(&format!("*{piece}*")).expect("a substring");
                prop_assert!(some_line_matches(&query, &[plain]));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn the_index_answers_with_every_block_that_matches(cases in prop::collection::vec(case(), 2..8)) {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let index = TextIndex::open(dir.path()).expect("a new index");
            let mut writer = index.writer().expect("the only writer");
            for (number, case) in cases.iter().enumerate() {
                let text = case.lines.join("\n");
                let key = BlockKey::Log { build_id: [1; 16], attempt: 1, offset: number as u64 };
                let doc = BlockDoc {
                    key, project: PROJECT, build: 1, build_id: [1; 16], attempt: 1, job: "", branch: "", status: "", agent: "",
                    test: "", step: "", time: 1, text: &text,
                };
                writer.add(&doc).expect("added");
            }
            writer.commit(1).expect("committed");
            for query in cases.iter().flat_map(|case| &case.queries) {
                let hits = index
                    .search(&plan(query, &[]), &Filter::new(Projects::All), 100, None)
                    .expect("an answer");
                for (number, case) in cases.iter().enumerate() {
                    let key = BlockKey::Log { build_id: [1; 16], attempt: 1, offset: number as u64 };
                    if some_line_matches(query, &case.lines) {
                        prop_assert!(hits.iter().any(|hit| hit.key == key), "{}", query);
                    }
                }
            }
        }
    }
}
