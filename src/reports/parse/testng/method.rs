//! One run of a method: a test, or a configuration method that only counts when it fails.

use super::read::At;
use crate::reports::parse::fill::{complete, row};
use crate::reports::parse::input::{Tag, timestamp};
use crate::reports::parse::model::{Outcome, ParsedCase};

/// Bytes of parameters that are put into a name.
const LONGEST_PARAMETERS: usize = 1000;

/// A method that is being read.
pub(super) struct Method {
    pub(super) case: ParsedCase,
    /// The method's own name, without parameters.
    pub(super) method: String,
    /// It was run again; TestNG calls such an attempt skipped.
    pub(super) retried: bool,
    pub(super) is_configuration: bool,
    status: String,
    parameters: Option<String>,
    /// What tells the instance of the class apart from others.
    instance: Option<String>,
}

impl Method {
    pub(super) fn new(at: &mut At<'_, '_>, tag: &Tag<'_>, class: &str) -> Self {
        let mut attributes = at.attributes(tag);
        let mut case = row(at.line);
        class.clone_into(&mut case.classname);
        let signature = attributes.take("signature");
        let instance = attributes.take("test-instance-name").or_else(|| {
            let (_, rest) = signature.as_deref()?.rsplit_once("instance params:[")?;
            Some(rest.trim_end_matches(']').to_owned()).filter(|params| !params.is_empty())
        });
        case.docstring = attributes.take("description");
        case.duration_ms = attributes.number("duration-ms");
        case.started_at = attributes
            .take("started-at")
            .and_then(|text| timestamp(&text));
        if let Some(groups) = attributes.take("groups") {
            for group in groups.split(',') {
                let group = group.trim().to_owned();
                at.keep(&mut case.properties, ("group".to_owned(), group));
            }
        }
        let name = attributes.take("name").unwrap_or_default();
        let is_configuration = attributes.flag("is-config") == Some(true);
        let retried = attributes.flag("retried") == Some(true);
        let status = attributes.take("status").unwrap_or_default();
        // The signature goes on with the address of the instance, which says nothing.
        let signature = signature.map(|text| {
            let end = text.find("[pri:").unwrap_or(text.len());
            ("signature".to_owned(), text[..end].to_owned())
        });
        for pair in signature.into_iter().chain(attributes.rest()) {
            at.keep(&mut case.extra, pair);
        }
        Self {
            case,
            method: name,
            retried,
            is_configuration,
            status,
            parameters: None,
            instance,
        }
    }

    /// Whether the row looks like one that was run again, in reports that do not say so.
    pub(super) fn is_perhaps_retried(&self) -> bool {
        self.status == "SKIP"
            && self
                .case
                .kind
                .as_deref()
                .is_some_and(|kind| kind != "org.testng.SkipException")
    }

    /// Adds a parameter to the name, as far as there is room.
    pub(super) fn add_parameter(&mut self, value: &str) {
        let value = without_address(value);
        match &mut self.parameters {
            None => self.parameters = Some(shortened(value).to_owned()),
            Some(known) if known.len() < LONGEST_PARAMETERS => {
                known.push_str(", ");
                known.push_str(shortened(value));
            }
            Some(_) => {}
        }
    }

    /// The finished row; `None` for configuration methods that did not fail.
    pub(super) fn finish(mut self, at: &mut At<'_, '_>) -> Option<ParsedCase> {
        let outcome = match self.status.as_str() {
            "SKIP" if self.retried => Outcome::Failed,
            "PASS" => Outcome::Passed,
            "SKIP" => Outcome::Skipped,
            "FAIL" => Outcome::Failed,
            // Failed, but as often as its `successPercentage` allows.
            "SUCCESS_PERCENTAGE_FAILURE" => Outcome::KnownIssue,
            _ => {
                at.warn("unknown_outcome", "counted it as broken", || {
                    format!("a method with status `{}`", self.status)
                });
                Outcome::Error
            }
        };
        if self.is_configuration && !matches!(outcome, Outcome::Failed | Outcome::Error) {
            return None;
        }
        self.case.outcome = outcome;
        self.case.name = self.method;
        if self.is_configuration {
            // Not its parameters: they name the test that it ran for.
            self.case.outcome = Outcome::Error;
            let mark = ("is-config".to_owned(), "true".to_owned());
            at.keep(&mut self.case.extra, mark);
            if let Some(parameters) = self.parameters.take() {
                at.keep(&mut self.case.extra, ("parameters".to_owned(), parameters));
            }
        }
        if let Some(parameters) = self.parameters {
            self.case.name.push_str(&format!("({parameters})"));
        }
        if let Some(instance) = self.instance {
            self.case
                .name
                .push_str(&format!("[{}]", shortened(&instance)));
        }
        if matches!(outcome, Outcome::KnownIssue) {
            at.keep(&mut self.case.extra, ("status".to_owned(), self.status));
        }
        complete(at, &mut self.case);
        Some(self.case)
    }
}

fn shortened(value: &str) -> &str {
    &value[..value.floor_char_boundary(LONGEST_PARAMETERS)]
}

/// A value without the address that Java shows for objects: `shop.Cart@45afc369` is another one in every run.
fn without_address(value: &str) -> &str {
    match value.rsplit_once('@') {
        Some((class, address))
            if (1..=8).contains(&address.len())
                && address.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !class.is_empty()
                && class.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'$' | b'_' | b'[' | b';')
                }) =>
        {
            class
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |value: &str, expected: &str| assert_eq!(without_address(value), expected);
        check("shop.Cart$Item@45afc369", "shop.Cart$Item");
        check("[I@1b2", "[I");
        check("ada@example.org", "ada@example.org");
        check("a b@12", "a b@12");
        check("@12", "@12");
    }
}
