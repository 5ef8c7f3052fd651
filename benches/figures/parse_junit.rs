//! The parser of JUnit alone, from bytes in memory to cases, beside a bare loop over the same bytes with quick-xml.
//!
//! The loop only walks and decodes: it builds no case, repairs nothing and has no limits, so it is what reading XML costs at
//! least with a good library.

use super::support::{Goal, Table, junit, percentile};
use quick_xml::XmlVersion;
use quick_xml::events::Event;
use std::hint::black_box;
use std::time::Instant;
use testhide::reports::parse::{Limits, ParsedCase, Sink, Stop, SuiteInfo, parse};

/// Test cases in each file.
const TESTS: usize = 100_000;

/// Rounds in which each way is measured once: what else the machine does treats all alike.
const ROUNDS: usize = 7;

pub(crate) fn measure(table: &mut Table) {
    compare(table, "passing cases", &junit(TESTS));
    compare(table, "cases with 2 KiB of failure", &failures(TESTS));
}

fn compare(table: &mut Table, what: &str, xml: &str) {
    let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(speed(xml, parse_all));
        bare.push(speed(xml, walk_all));
        ratios.push(ours[ours.len() - 1] / bare[bare.len() - 1]);
    }
    let [ours, bare, ratio] = [ours, bare, ratios].map(|mut samples| percentile(&mut samples, 50));
    table.add(
        format!("{what}: parsed"),
        ours,
        "MB/s",
        Goal::AtLeast(150.0),
    );
    table.add(
        format!("{what}: walked by quick-xml"),
        bare,
        "MB/s",
        Goal::None,
    );
    table.add(
        format!("{what}: parsed to walked"),
        ratio,
        "times",
        Goal::None,
    );
}

/// Megabytes a second that `read` takes; it says how many cases there are.
fn speed(xml: &str, read: impl Fn(&str) -> u64) -> f64 {
    let began = Instant::now();
    let cases = read(xml);
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(cases, TESTS as u64, "cases are missing");
    xml.len() as f64 / 1e6 / seconds
}

fn parse_all(xml: &str) -> u64 {
    struct Nobody;
    impl Sink for Nobody {
        fn suite(&mut self, suite: SuiteInfo) {
            black_box(suite);
        }

        fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
            black_box(case);
            Ok(())
        }
    }
    let summary = parse(xml.as_bytes(), &Limits::default(), &mut Nobody).expect("it is a report");
    summary.counts.total
}

fn walk_all(xml: &str) -> u64 {
    let mut reader = quick_xml::Reader::from_reader(xml.as_bytes());
    let mut buffer = Vec::new();
    let mut cases = 0;
    loop {
        match reader.read_event_into(&mut buffer).expect("it is XML") {
            Event::Start(tag) | Event::Empty(tag) => {
                cases += u64::from(tag.name().as_ref() == "testcase");
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("it is an attribute");
                    let value = attribute
                        .normalized_value(XmlVersion::Implicit1_0)
                        .expect("its references are known");
                    black_box(value);
                }
            }
            Event::Text(text) => {
                black_box(text.xml10_content());
            }
            Event::GeneralRef(reference) => {
                black_box(reference.into_inner());
            }
            Event::Eof => return cases,
            _ => {}
        }
        buffer.clear();
    }
}

/// A file in which every case failed with a trace of 2 KiB.
fn failures(tests: usize) -> String {
    let line = "\tat org.example.module.Class.method(Class.java:12) in &lt;generated&gt; code\n";
    let trace = &line.repeat(2048 / line.len() + 1);
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"s\">\n",
    );
    for test in 0..tests {
        xml.push_str(&format!(
            "<testcase classname=\"org.example.CartTest\" name=\"case_{test}\" time=\"0.012\">\
             <failure message=\"expected {test} but was &lt;1&gt;\" type=\"java.lang.AssertionError\">{trace}</failure></testcase>\n"
        ));
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}
