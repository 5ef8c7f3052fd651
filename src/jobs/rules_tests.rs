//! Definitions that can be, and those that cannot.

use super::rules::{BadJob, check_definition};
use proptest::prelude::*;
use serde_json::{Value, json};
use testhide_protocol::api::JobDefinition;

fn definition(value: Value) -> JobDefinition {
    serde_json::from_value(value).expect("the test's definition has the right shape")
}

/// A definition with one good step and `field` set.
fn with(field: &str, value: Value) -> JobDefinition {
    let mut json = json!({"steps": [{"type": "bash", "run": "make test"}]});
    json[field] = value;
    definition(json)
}

fn bash(more: &Value) -> Value {
    let mut step = json!({"type": "bash", "run": "make"});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!([step])
}

/// The place that is complained about; empty when nothing is.
fn place(definition: &JobDefinition) -> String {
    match check_definition(definition) {
        Ok(()) => String::new(),
        Err(BadJob::Field { place, .. }) => place,
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn a_whole_definition_passes() {
    let whole = definition(json!({
        "source_management": {"type": "git", "url": "git@example.com:company/repo.git", "branch": "main"},
        "steps": [
            {"type": "bash", "name": "unit tests", "run": "make test", "env": {"A_1": "x=y\nz"}, "timeout_seconds": 604_800},
            {"type": "test_provider", "provider": "pytest", "path": "**/reports/*.xml"},
        ],
        "post_steps": [{"type": "copy_artifacts", "source": "logs/**/*.{log,txt}", "target": "build_logs"}],
        "labels": ["linux", "gpu-2.0_x"],
        "environment": {"_CI": "1", "EMPTY": ""},
        "parameters": {"DEBUG": "false"},
        "timeout_seconds": 1,
        "infra_retries": 0,
    }));
    assert_eq!(check_definition(&whole), Ok(()));
}

#[test]
fn a_job_without_steps_is_refused() {
    let empty = definition(json!({"steps": []}));
    assert_eq!(check_definition(&empty), Err(BadJob::NoSteps));
    let only_post =
        definition(json!({"steps": [], "post_steps": [{"type": "bash", "run": "make"}]}));
    assert_eq!(check_definition(&only_post), Err(BadJob::NoSteps));
}

#[test]
fn complaints_name_their_place() {
    let check = |field: &str, value: Value, expected: &str| {
        assert_eq!(
            place(&with(field, value.clone())),
            expected,
            "{field}: {value}"
        );
    };
    check("labels", json!(["linux", ""]), "labels[1]");
    check("labels", json!(["a b"]), "labels[0]");
    check("labels", json!(["ä"]), "labels[0]");
    check("labels", json!(vec!["x"; 51]), "labels");
    check("environment", json!({"1A": "x"}), "environment");
    check("environment", json!({"A-B": "x"}), "environment");
    check("environment", json!({"": "x"}), "environment");
    check("environment", json!({"A": "x\u{0}"}), "environment.A");
    check(
        "environment",
        json!({"A": "x".repeat(32 * 1024 + 1)}),
        "environment.A",
    );
    check("parameters", json!({"A=B": "x"}), "parameters");
    check("timeout_seconds", json!(0), "timeout_seconds");
    check("timeout_seconds", json!(604_801), "timeout_seconds");
    check("infra_retries", json!(11), "infra_retries");
    check(
        "source_management",
        json!({"type": "git", "url": "--upload-pack=x"}),
        "source_management.url",
    );
    check(
        "source_management",
        json!({"type": "git", "url": ""}),
        "source_management.url",
    );
    check(
        "source_management",
        json!({"type": "git", "url": "a\nb"}),
        "source_management.url",
    );
    check(
        "source_management",
        json!({"type": "git", "url": "a", "branch": "-b"}),
        "source_management.branch",
    );
    check("steps", bash(&json!({"run": " \n"})), "steps[0].run");
    check(
        "steps",
        bash(&json!({"run": "x".repeat(256 * 1024 + 1)})),
        "steps[0].run",
    );
    check("steps", bash(&json!({"name": ""})), "steps[0].name");
    check(
        "steps",
        bash(&json!({"name": "a\u{1b}[1m"})),
        "steps[0].name",
    );
    check("steps", bash(&json!({"env": {"a.b": ""}})), "steps[0].env");
    check(
        "steps",
        bash(&json!({"timeout_seconds": 0})),
        "steps[0].timeout_seconds",
    );
    check("post_steps", bash(&json!({"run": ""})), "post_steps[0].run");
    check(
        "post_steps",
        json!(vec![json!({"type": "bash", "run": "x"}); 200]),
        "steps",
    );
}

#[test]
fn patterns_stay_in_the_workspace() {
    let check = |path: &str, good: bool| {
        let step = json!([{"type": "test_provider", "provider": "junit", "path": path}]);
        assert_eq!(place(&with("steps", step)).is_empty(), good, "{path:?}");
        let step = json!([{"type": "copy_artifacts", "source": path, "target": "x"}]);
        assert_eq!(place(&with("steps", step)).is_empty(), good, "{path:?}");
    };
    check("*.xml", true);
    check("a/../b", false);
    check("**/x..y/*.xml", true);
    check("..", false);
    check("a\\..\\b", false);
    check("/etc/*", false);
    check("\\\\host\\share", false);
    check("C:/x", false);
    check("", false);
    check("a[", false);
    check("{a,b", false);
    check("a\0b", false);
}

#[test]
fn a_target_is_a_folder_below_the_artifacts() {
    let check = |target: &str, good: bool| {
        let step = json!([{"type": "copy_artifacts", "source": "*", "target": target}]);
        assert_eq!(place(&with("steps", step)).is_empty(), good, "{target:?}");
    };
    check("", true);
    check("logs/app", true);
    check("../logs", false);
    check("/logs", false);
}

#[test]
fn a_definition_that_is_too_large_as_a_whole_is_refused() {
    let steps: Vec<_> = (0..5)
        .map(|_| json!({"type": "bash", "run": "x".repeat(250_000)}))
        .collect();
    assert!(matches!(
        check_definition(&with("steps", json!(steps))),
        Err(BadJob::TooLarge { .. })
    ));
}

proptest! {
    #[test]
    fn what_passes_has_no_way_out(path in "[a.*/\\\\:-]{0,12}") {
        let step = json!([{"type": "copy_artifacts", "source": path, "target": path}]);
        if check_definition(&with("steps", step)).is_ok() {
            let below = std::path::Path::new(&path);
            prop_assert!(below.is_relative());
            prop_assert!(below.components().all(|part| part != std::path::Component::ParentDir));
            prop_assert!(!path.split('\\').any(|part| part == ".."));
        }
    }

    #[test]
    fn variable_names_are_those_of_a_shell(name in "[A-Za-z0-9_ =.-]{0,6}") {
        let expected = name.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()));
        let passes = check_definition(&with("environment", json!({&name: "x"}))).is_ok();
        prop_assert_eq!(passes, expected && !name.is_empty());
    }
}
