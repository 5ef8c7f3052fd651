//! A JUnit file of any size.

use std::fmt::Write;

/// Test cases in one class.
const IN_CLASS: usize = 50;

/// A file with `tests` cases, one in a hundred failed with a message and a stack trace.
pub(crate) fn junit(tests: usize) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for class in 0..tests.div_ceil(IN_CLASS) {
        let from = class * IN_CLASS;
        let to = (from + IN_CLASS).min(tests);
        let suite = format!("org.example.module{}.Class{class}Test", class % 40);
        add(
            &mut xml,
            format_args!("<testsuite name=\"{suite}\" tests=\"{}\">\n", to - from),
        );
        for test in from..to {
            let time = (test % 997) as f64 / 1000.0;
            add(
                &mut xml,
                format_args!(
                    "<testcase classname=\"{suite}\" name=\"case_{test}_does_what_it_says\" time=\"{time:.3}\""
                ),
            );
            if test % 100 == 17 {
                add(
                    &mut xml,
                    format_args!(
                        "><failure message=\"expected {test} but was {}\" type=\"java.lang.AssertionError\">java.lang.AssertionError: \
                         expected {test}\n\tat {suite}.case(Class.java:{})\n\tat org.junit.Runner.run(Runner.java:12)</failure></testcase>\n",
                        test + 1,
                        test % 300,
                    ),
                );
            } else {
                xml.push_str("/>\n");
            }
        }
        xml.push_str("</testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// One case of a file that is put together case by case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Who it is.
    pub(crate) number: usize,
    /// How long it took.
    pub(crate) millis: u64,
    /// Whether it failed.
    pub(crate) failed: bool,
}

/// A file with these cases in this order.
pub(crate) fn junit_of(cases: &[Case]) -> String {
    let mut xml = String::from("<testsuites><testsuite name=\"all\">\n");
    for Case {
        number,
        millis,
        failed,
    } in cases
    {
        let class = number / IN_CLASS;
        let failure = if *failed {
            "<failure message=\"expected 1 but was 2\" type=\"java.lang.AssertionError\">at Class.java:12</failure>"
        } else {
            ""
        };
        add(
            &mut xml,
            format_args!(
                "<testcase classname=\"org.example.module{}.Class{class}Test\" name=\"case_{number}_does_what_it_says\" time=\"{:.3}\">{failure}</testcase>\n",
                class % 40,
                *millis as f64 / 1000.0,
            ),
        );
    }
    xml.push_str("</testsuite></testsuites>\n");
    xml
}

fn add(xml: &mut String, text: std::fmt::Arguments<'_>) {
    xml.write_fmt(text).expect("a string takes everything");
}
