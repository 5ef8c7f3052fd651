//! Turns candidates and a filter into a query of the search library.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, Query, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::block::Kind;
use super::candidates::{Candidates, Compare, Filter, Projects};
use super::scan::TermScan;
use super::schema::Fields;
use super::terms::LONG_RUN_TERM;
use super::tokenizer::is_short;

/// The query for blocks that pass the filter and may hold what is asked.
pub(super) fn compile(fields: &Fields, candidates: &Candidates, filter: &Filter) -> Box<dyn Query> {
    let mut all = vec![condition(fields, candidates)];
    if let Projects::Only(projects) = &filter.projects {
        all.push(one_of_projects(fields, projects));
    }
    for limit in &filter.conditions {
        all.push(condition(fields, limit));
    }
    Box::new(BooleanQuery::intersection(all))
}

/// The number by which a kind is indexed.
pub(super) fn kind_number(kind: Kind) -> u64 {
    match kind {
        Kind::Log => 0,
        Kind::Failure => 1,
    }
}

fn condition(fields: &Fields, candidates: &Candidates) -> Box<dyn Query> {
    match candidates {
        Candidates::All => Box::new(AllQuery),
        Candidates::Term(term) => has(Term::from_field_text(fields.text, term)),
        Candidates::Prefix(start) => scan(TermScan::start(fields.text, start)),
        Candidates::Suffix(end) => or_cut(fields, end, TermScan::end),
        Candidates::Contains(part) => or_cut(fields, part, TermScan::anywhere),
        Candidates::Facet(facet, compare, value) => {
            let field = fields.facet(*facet);
            match compare {
                Compare::Exact => has(Term::from_field_text(field, value)),
                Compare::Prefix => scan(TermScan::start(field, value)),
                Compare::Contains => scan(TermScan::anywhere(field, value)),
            }
        }
        Candidates::Projects(projects) => one_of_projects(fields, projects),
        Candidates::Build(number) => has(Term::from_field_u64(fields.build, *number)),
        Candidates::Kind(kind) => has(Term::from_field_u64(fields.kind, kind_number(*kind))),
        Candidates::Before(end) => {
            let end = Term::from_field_i64(fields.time, *end);
            Box::new(RangeQuery::new(Bound::Unbounded, Bound::Excluded(end)))
        }
        Candidates::After(start) => {
            let start = Term::from_field_i64(fields.time, *start);
            Box::new(RangeQuery::new(Bound::Included(start), Bound::Unbounded))
        }
        Candidates::And(parts) if parts.is_empty() => Box::new(AllQuery),
        Candidates::And(parts) => Box::new(BooleanQuery::intersection(conditions(fields, parts))),
        Candidates::Or(parts) if parts.is_empty() => Box::new(EmptyQuery),
        Candidates::Or(parts) => Box::new(BooleanQuery::union(conditions(fields, parts))),
    }
}

fn conditions(fields: &Fields, parts: &[Candidates]) -> Vec<Box<dyn Query>> {
    parts.iter().map(|part| condition(fields, part)).collect()
}

fn one_of_projects(fields: &Fields, projects: &[[u8; 16]]) -> Box<dyn Query> {
    if projects.is_empty() {
        return Box::new(EmptyQuery);
    }
    let terms = projects
        .iter()
        .map(|project| Term::from_field_bytes(fields.project, project));
    Box::new(TermSetQuery::new(terms))
}

fn has(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn scan(scan: TermScan) -> Box<dyn Query> {
    Box::new(scan)
}

/// Terms that match, or a run whose end is not in the index. Only a cut run can hold what is longer than a term.
fn or_cut(fields: &Fields, part: &str, terms: fn(Field, &str) -> TermScan) -> Box<dyn Query> {
    let cut = has(Term::from_field_text(fields.text, LONG_RUN_TERM));
    if !is_short(part) {
        return cut;
    }
    Box::new(BooleanQuery::union(vec![
        scan(terms(fields.text, part)),
        cut,
    ]))
}
