//! Failures that are one: pure.

use super::model::Digest;
use crate::ml::Signature;
use std::collections::HashMap;
use testhide_protocol::api::Outcome;

/// Tests that fail alike.
#[derive(Debug, Clone)]
pub struct FailureGroup {
    /// What they have in common; nothing when they say nothing at all.
    pub signature: Option<Signature>,
    /// Their numbers, in the order of the file.
    pub tests: Vec<u32>,
}

impl Digest {
    /// The failures, those that are alike together; groups in the order of their first test.
    #[must_use]
    pub fn failure_groups(&self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        let mut known: HashMap<Signature, usize> = HashMap::new();
        for (number, test) in (0..).zip(&self.tests) {
            if !matches!(test.outcome, Outcome::Failed | Outcome::Error) {
                continue;
            }
            let at = test
                .signature
                .and_then(|signature| known.get(&signature).copied());
            match at {
                Some(at) => groups[at].tests.push(number),
                None => {
                    if let Some(signature) = test.signature {
                        known.insert(signature, groups.len());
                    }
                    groups.push(FailureGroup {
                        signature: test.signature,
                        tests: vec![number],
                    });
                }
            }
        }
        groups
    }
}
