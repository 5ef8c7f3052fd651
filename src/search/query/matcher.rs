//! Finds the lines that a query means.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::ast::{Expr, Query};
use super::literal::Literal;
use super::pattern::Pattern;
use crate::index::{Facet, Kind, Stripped, facet_value};

/// A query made ready for many lines.
#[derive(Debug)]
pub struct Matcher {
    query: Query,
    root: Node<Text>,
}

/// What is known of a block beside its text; an empty name means that the block has none.
#[derive(Clone, Copy, Debug)]
pub struct BlockProperties<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The job's name.
    pub job: &'a str,
    /// The branch's name.
    pub branch: &'a str,
    /// State of the build or outcome of the test, as it was indexed.
    pub status: &'a str,
    /// The agent's name.
    pub agent: &'a str,
    /// The test's full name.
    pub test: &'a str,
    /// The step's name.
    pub step: &'a str,
    /// What the block is.
    pub kind: Kind,
    /// The build's number.
    pub build: u64,
    /// When it happened, in milliseconds since the epoch.
    pub time: i64,
}

/// A query with everything but the text decided.
#[derive(Debug)]
pub struct BlockMatcher<'m> {
    root: Node<&'m Text>,
}

/// A condition whose leaves are decided or look at text.
#[derive(Debug)]
enum Node<T> {
    Text(T),
    /// A property of the block, as a place in the query's tree.
    Property(Expr),
    Known(bool),
    And(Vec<Node<T>>),
    Or(Vec<Node<T>>),
    Not(Box<Node<T>>),
}

#[derive(Debug)]
enum Text {
    Literal(Literal, Regex),
    Pattern(Regex),
}

impl Matcher {
    /// Compiles a query's words and expressions.
    pub fn new(query: &Query) -> Matcher {
        Matcher {
            root: node(query.expr()),
            query: query.clone(),
        }
    }

    /// The query.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Decides the conditions on the block; `None` if no text at all could match.
    pub fn block(&self, block: &BlockProperties<'_>) -> Option<BlockMatcher<'_>> {
        match decide(&self.root, block) {
            Node::Known(false) => None,
            root => Some(BlockMatcher { root }),
        }
    }
}

impl BlockMatcher<'_> {
    /// Whether `text` (a line of a log, or a whole failure) matches, and if so, what to highlight in it: ranges of
    /// bytes in order that do not overlap; none if only properties of the block or excluded words were asked for.
    pub fn find(&self, text: &str) -> Option<Vec<Range<usize>>> {
        let stripped = Stripped::new(text);
        let plain = stripped.text();
        if !holds(&self.root, plain) {
            return None;
        }
        let mut found = Vec::new();
        highlight(&self.root, plain, &mut found);
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Some(
            merged
                .iter()
                .map(|range| stripped.original(range))
                .collect(),
        )
    }
}

fn node(expr: &Expr) -> Node<Text> {
    match expr {
        Expr::Text(text) => literal(Literal::whole(text)),
        Expr::Prefix(text) => literal(Literal::prefix(text)),
        Expr::Substring(text) => literal(Literal::anywhere(text)),
        Expr::Regex(pattern) => {
            let pattern = Pattern::new(pattern).expect("checked when the query was read");
            Node::Text(Text::Pattern(pattern.regex))
        }
        Expr::And(parts) => Node::And(parts.iter().map(node).collect()),
        Expr::Or(parts) => Node::Or(parts.iter().map(node).collect()),
        Expr::Not(inner) => Node::Not(Box::new(node(inner))),
        property => Node::Property(property.clone()),
    }
}

fn literal(literal: Literal) -> Node<Text> {
    let words: Vec<String> = literal.text.split(' ').map(regex::escape).collect();
    let regex = RegexBuilder::new(&words.join(r"\s+"))
        .case_insensitive(true)
        .build()
        .expect("a bounded query of escaped text compiles");
    Node::Text(Text::Literal(literal, regex))
}

/// The tree with every property decided, and what follows from that.
fn decide<'m>(node: &'m Node<Text>, block: &BlockProperties<'_>) -> Node<&'m Text> {
    match node {
        Node::Text(text) => Node::Text(text),
        Node::Known(known) => Node::Known(*known),
        Node::Property(property) => Node::Known(has(property, block)),
        Node::Not(inner) => match decide(inner, block) {
            Node::Known(known) => Node::Known(!known),
            inner => Node::Not(Box::new(inner)),
        },
        Node::And(parts) => join(parts, block, true, Node::And),
        Node::Or(parts) => join(parts, block, false, Node::Or),
    }
}

/// Leaves out what does not change the result (`neutral`), and ends with what decides it.
fn join<'m>(
    parts: &'m [Node<Text>],
    block: &BlockProperties<'_>,
    neutral: bool,
    join: fn(Vec<Node<&'m Text>>) -> Node<&'m Text>,
) -> Node<&'m Text> {
    let mut open = Vec::with_capacity(parts.len());
    for part in parts {
        match decide(part, block) {
            Node::Known(known) if known == neutral => {}
            Node::Known(known) => return Node::Known(known),
            part => open.push(part),
        }
    }
    if open.is_empty() {
        Node::Known(neutral)
    } else {
        join(open)
    }
}

fn has(property: &Expr, block: &BlockProperties<'_>) -> bool {
    match property {
        Expr::Facet(facet, name) => {
            let value = match facet {
                Facet::Job => block.job,
                Facet::Branch => block.branch,
                Facet::Status => block.status,
                Facet::Agent => block.agent,
                Facet::Test => block.test,
                Facet::Step => block.step,
            };
            name.compare(*facet)
                .accepts(&facet_value(&name.text), &facet_value(value))
        }
        Expr::Project(name) => name.accepts_project(block.project),
        Expr::Build(number) => block.build == *number,
        Expr::Kind(kind) => block.kind == *kind,
        Expr::Before(moment) => block.time < *moment,
        Expr::After(moment) => block.time >= *moment,
        _ => unreachable!("conditions on the text are no properties"),
    }
}

fn holds(node: &Node<&Text>, line: &str) -> bool {
    match node {
        Node::Text(text) => text.first(line).is_some(),
        Node::Known(known) => *known,
        Node::Property(_) => unreachable!("decided for the block"),
        Node::And(parts) => parts.iter().all(|part| holds(part, line)),
        Node::Or(parts) => parts.iter().any(|part| holds(part, line)),
        Node::Not(inner) => !holds(inner, line),
    }
}

fn highlight(node: &Node<&Text>, line: &str, found: &mut Vec<Range<usize>>) {
    match node {
        Node::Text(text) => text.all(line, found),
        Node::And(parts) | Node::Or(parts) => {
            parts.iter().for_each(|part| highlight(part, line, found));
        }
        Node::Not(_) | Node::Known(_) | Node::Property(_) => {}
    }
}

impl Text {
    fn first(&self, line: &str) -> Option<Range<usize>> {
        self.next(line, 0)
    }

    fn all(&self, line: &str, found: &mut Vec<Range<usize>>) {
        let mut at = 0;
        while let Some(range) = self.next(line, at) {
            at = range.end;
            if range.is_empty() {
                match line[at..].chars().next() {
                    Some(c) => at += c.len_utf8(),
                    None => return,
                }
            } else {
                found.push(range);
            }
        }
    }

    /// The next occurrence that starts at `from` or later.
    fn next(&self, line: &str, mut from: usize) -> Option<Range<usize>> {
        match self {
            Text::Pattern(regex) => regex.find_at(line, from).map(|found| found.range()),
            Text::Literal(literal, regex) => loop {
                let found = regex.find_at(line, from)?;
                if literal.accepts(line, found.start(), found.end()) {
                    return Some(found.range());
                }
                from = found.start() + line[found.start()..].chars().next()?.len_utf8();
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: BlockProperties<'_> = BlockProperties {
        project: "Shop",
        job: "nightly",
        branch: "release/2.1",
        status: "failed",
        agent: "linux-1",
        test: "shop.CheckoutTest.places_order",
        step: "Unit tests",
        kind: Kind::Log,
        build: 421,
        time: 1_795_000_000_000,
    };

    /// The line with what is highlighted in brackets; empty if it does not match.
    fn found(query: &str, line: &str) -> String {
        let query = Query::parse(query).unwrap_or_else(|error| panic!("{}", error.show(query)));
        let matcher = Matcher::new(&query);
        let Some(ranges) = matcher.block(&BLOCK).and_then(|block| block.find(line)) else {
            return String::new();
        };
        let mut shown = line.to_owned();
        for range in ranges.iter().rev() {
            shown.insert(range.end, ']');
            shown.insert(range.start, '[');
        }
        shown
    }

    #[test]
    fn words_match_runs_and_parts() {
        let check = |query: &str, line: &str, expected: &str| {
            assert_eq!(found(query, line), expected, "{query} in {line}");
        };
        check(
            "order",
            "placeOrder ORDER reorder order2",
            "place[Order] [ORDER] reorder [order]2",
        );
        check(
            "orderservice",
            "com.shop.OrderService",
            "com.shop.[OrderService]",
        );
        check("OrderService", "MyOrderServiceImpl", "My[OrderService]Impl");
        check("orderservice", "MyOrderServiceImpl", "");
        check(
            "place_order",
            "place_order replace_order placeOrder",
            "[place_order] replace_order placeOrder",
        );
        check(
            "src/app/Main.java",
            "at SRC/app/main.java:3",
            "at [SRC/app/main.java]:3",
        );
        check("/usr/bin", "run /usr/bin/env", "run [/usr/bin]/env");
        check(
            "\"connection refused\"",
            "Connection \t refused by",
            "[Connection \t refused] by",
        );
        check("\"connection refused\"", "connection was refused", "");
        check(
            "time*",
            "ReadTimeout timer sometimes",
            "Read[Time]out [time]r sometimes",
        );
        check("*meou*", "ReadTimeout", "ReadTi[meou]t");
        check("größe", "GRÖSSE Größe", "GRÖSSE [Größe]");
        check("ΟΔΟΣ", "οδος", "[οδος]");
        check(
            "error",
            "\x1b[31mERROR\x1b[0m x",
            "\x1b[31m[ERROR]\x1b[0m x",
        );
        check("3f2b8c1e", "id=3F2B8C1E-77", "id=[3F2B8C1E]-77");
        check(
            r"/took \d{4,} ms/",
            "it Took 12345 ms",
            "it [Took 12345 ms]",
        );
        check("=>", "a => b", "a [=>] b");
        check("aa aaa", "aaaa aa aaa", "aaaa [aa] [aaa]");
    }

    #[test]
    fn operators_combine_conditions_on_one_line() {
        let check = |query: &str, line: &str, expected: bool| {
            assert_eq!(
                !found(query, line).is_empty(),
                expected,
                "{query} in {line}"
            );
        };
        check("a b", "b then a", true);
        check("a b", "a", false);
        check("a OR b", "b", true);
        check("a -b", "a b", false);
        check("a NOT (b OR c)", "a d", true);
        check("a b OR c d", "a d", false);
    }

    #[test]
    fn properties_decide_for_the_block() {
        let check = |query: &str, expected: bool| {
            assert_eq!(!found(query, "some words").is_empty(), expected, "{query}");
        };
        check("job:Nightly", true);
        check("job:night", false);
        check("branch:release/*", true);
        check("test:checkouttest.places", true);
        check("step:unit status:failed agent:linux-1", true);
        check("project:shop build:421 kind:log", true);
        check("-kind:log", false);
        check("kind:failure OR words", true);
        check("kind:failure words", false);
        check("after:2026-11-01 before:2027-01-01", true);
        check("before:2026-11-01", false);
        check("-job:nightly OR nowhere", false);
    }

    #[test]
    fn a_block_without_hope_is_not_read() {
        let query = Query::parse("timeout kind:failure").expect("a query");
        assert!(Matcher::new(&query).block(&BLOCK).is_none());
    }

    #[test]
    fn excluded_words_are_not_highlighted() {
        assert_eq!(found("a (b OR NOT c)", "a b"), "[a] [b]");
        assert_eq!(found("NOT c", "a b"), "a b");
    }

    #[test]
    fn a_huge_run_is_one_word() {
        let run = "aB1".repeat(100_000);
        assert!(!found(&run[..1_998], &run[..1_998]).is_empty());
        assert!(found("b", &run).is_empty());
        assert!(found("a", &run).is_empty());
        assert!(!found("ab1a*", &run).is_empty());
        assert!(!found("*b1ab*", &run[..3_000]).is_empty());
    }
}
