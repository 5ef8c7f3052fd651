//! Ids that lead to each other: a result's id names its report and its place there, a test's id names project and identity.
//!
//! The last four bytes of a result's id are its number in the report, counted from 1; those of the report's id are zero. So no
//! table from results to reports is needed, and results sort as they stand in their report.

use testhide_protocol::{ProjectId, ReportId, ResultId, TestId};

/// A new report id; later ones sort after earlier ones. Only such ids can have results.
#[must_use]
pub fn new_report_id() -> ReportId {
    let mut bytes = ReportId::generate().bytes();
    // What a process needs to tell ids of one millisecond apart stands before these bytes.
    bytes[12..].fill(0);
    ReportId::from_bytes(bytes)
}

/// The id of a report's result at `row`, which counts from 0.
#[must_use]
pub fn result_id(report: ReportId, row: u32) -> ResultId {
    let mut bytes = report.bytes();
    bytes[12..].copy_from_slice(&row.saturating_add(1).to_be_bytes());
    ResultId::from_bytes(bytes)
}

/// The report and row of a result; `None` for an id that names none.
#[must_use]
pub fn place_of_result(result: ResultId) -> Option<(ReportId, u32)> {
    let mut bytes = result.bytes();
    let (_, last) = bytes.split_last_chunk_mut::<4>()?;
    let row = u32::from_be_bytes(*last).checked_sub(1)?;
    last.fill(0);
    Some((ReportId::from_bytes(bytes), row))
}

/// The id of a test: a hash of its project, its identity and what else tells it apart (a browser, a device).
#[must_use]
pub fn test_id(project: ProjectId, identity: &[u8; 16], variants: &[&str]) -> TestId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&project.bytes()).update(identity);
    for variant in variants {
        hasher
            .update(&(variant.len() as u64).to_le_bytes())
            .update(variant.as_bytes());
    }
    let mut bytes: [u8; 16] = *hasher
        .finalize()
        .as_bytes()
        .first_chunk()
        .expect("BLAKE3 has 32 bytes");
    // Version 8 (custom) and the variant of RFC 9562, so that the id is a UUID to every reader.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    TestId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::{new_report_id, place_of_result, result_id, test_id};
    use proptest::prelude::*;
    use testhide_protocol::{ProjectId, ResultId};

    proptest! {
        #[test]
        fn a_result_leads_to_its_report(row in 0..u32::MAX, other in 0..u32::MAX) {
            let (first, second) = (new_report_id(), new_report_id());
            prop_assert_eq!(place_of_result(result_id(first, row)), Some((first, row)));
            prop_assert!(first < second);
            prop_assert!(result_id(first, row) < result_id(second, other), "results sort by report first");
            prop_assert_eq!(row.cmp(&other), result_id(first, row).cmp(&result_id(first, other)));
        }

        #[test]
        fn tests_of_two_projects_or_variants_differ(key in any::<[u8; 16]>(), one in "[a-z]{0,4}", two in "[a-z]{0,4}") {
            let project = ProjectId::generate();
            prop_assert_eq!(test_id(project, &key, &[&one]), test_id(project, &key, &[&one]));
            prop_assert_ne!(test_id(project, &key, &[]), test_id(ProjectId::generate(), &key, &[]));
            prop_assert_ne!(test_id(project, &key, &[&one]), test_id(project, &key, &[]));
            prop_assert_eq!(test_id(project, &key, &[&one]) == test_id(project, &key, &[&two]), one == two);
            let shown = test_id(project, &key, &[]).to_string();
            prop_assert_eq!(&shown[14..15], "8");
        }
    }

    #[test]
    fn a_report_is_no_result() {
        assert_eq!(
            place_of_result(ResultId::from_bytes(new_report_id().bytes())),
            None
        );
    }
}
