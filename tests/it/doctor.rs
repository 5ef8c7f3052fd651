//! `testhide doctor` and what can be saved of a damaged directory, through the real command line.

use crate::support::{Case, TestServer, job_with_script, junit};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testhide_protocol::api::Report;

/// Runs the real program.
fn testhide(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_testhide"))
        .args(arguments)
        .env_remove("TESTHIDE_DATA_DIR")
        .output()
        .expect("the program starts")
}

fn doctor(dir: &Path) -> (Option<i32>, Value) {
    let output = testhide(&["doctor", "--json", "--data-dir", &dir.display().to_string()]);
    let found = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), found)
}

/// A directory with a build, its log, its report and its files, and the home that keeps it.
async fn directory() -> (tempfile::TempDir, PathBuf) {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let job = server.job("tests", job_with_script("seq 1 2000")).await;
    server.trigger(&job, json!({})).await;
    let report = junit(&[Case::Fail("bad", "an unusual message"), Case::Pass("good")]);
    let _: Report = server
        .root
        .upload("/builds/1/reports?name=r.xml", "application/xml", report)
        .await
        .ok();
    server.finished(1).await;
    server.settled().await;
    agent.stop().await;
    let home = server.stop().await;
    let dir = home.path().join("data");
    (home, dir)
}

fn every_byte(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for path in [dir.join("state.redb"), dir.join("volumes/0001.redb")] {
        let bytes = std::fs::read(&path).expect("a file of the store");
        files.push((path, bytes));
    }
    files
}

/// Flips a bit in the middle of `text`, wherever it stands in the file.
fn damage(path: &Path, text: &[u8]) {
    let mut bytes = std::fs::read(path).expect("a file of the store");
    let places: Vec<usize> = (0..bytes.len() - text.len())
        .filter(|at| bytes[*at..].starts_with(text))
        .collect();
    assert!(
        !places.is_empty(),
        "`{}` is not in the file",
        text.escape_ascii()
    );
    for at in places {
        bytes[at + text.len() / 2] ^= 4;
    }
    std::fs::write(path, bytes).expect("it is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_directory_is_whole_and_stays_as_it_is() {
    let (_home, dir) = Box::pin(directory()).await;
    let before = every_byte(&dir);
    let (code, answer) = doctor(&dir);
    assert_eq!(code, Some(0), "{answer}");
    let found = &answer["found"];
    assert_eq!(found["whole"], true);
    assert_eq!(found["format"], 1);
    assert_eq!(found["notes"], json!([]), "a table that nobody knows");
    assert!(found["references"].as_u64() > Some(2), "{found}");
    assert!(every_byte(&dir) == before, "the doctor changed something");
    let output = testhide(&["doctor", "--data-dir", &dir.display().to_string()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("is whole"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_state_is_named_and_the_rest_is_saved() {
    let (home, dir) = Box::pin(directory()).await;
    damage(&dir.join("state.redb"), b"build_finished");
    let before = every_byte(&dir);
    let (code, answer) = doctor(&dir);
    assert_eq!(code, Some(1), "{answer}");
    let tables: Vec<&str> = answer["found"]["damage"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|damage| damage["table"].as_str())
        .collect();
    assert_eq!(tables, ["events"], "{answer}");
    assert!(every_byte(&dir) == before, "the doctor changed something");

    let (file, restored) = (
        home.path().join("saved.backup"),
        home.path().join("restored"),
    );
    let (file, restored_text) = (file.display().to_string(), restored.display().to_string());
    let dir = dir.display().to_string();
    let refused = testhide(&["backup", &file, "--data-dir", &dir]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(
        why.contains("--salvage") && why.contains("state.redb"),
        "{why}"
    );
    assert!(!Path::new(&file).exists());
    let saved = testhide(&["backup", &file, "--data-dir", &dir, "--salvage"]);
    let text = String::from_utf8_lossy(&saved.stdout).into_owned();
    assert_eq!(saved.status.code(), Some(1), "{text}");
    assert!(
        text.contains("missing: state.redb, table `events`"),
        "{text}"
    );
    let restore = testhide(&["restore", &file, "--data-dir", &restored_text]);
    assert_eq!(restore.status.code(), Some(0), "{restore:?}");
    let (code, answer) = doctor(&restored);
    assert_eq!(code, Some(0), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_volume_is_named_with_the_rows_that_need_it() {
    let (home, dir) = Box::pin(directory()).await;
    damage(&dir.join("volumes/0001.redb"), b"an unusual message");
    let (code, answer) = doctor(&dir);
    assert_eq!(code, Some(1), "{answer}");
    let damage = answer["found"]["damage"]
        .as_array()
        .expect("a list")
        .clone();
    let needed_by: Vec<&str> = damage
        .iter()
        .filter(|damage| damage["file"] == "volumes/0001.redb")
        .filter_map(|damage| damage["table"].as_str())
        .collect();
    assert!(needed_by.contains(&"reports"), "{answer}");
    assert!(
        damage.iter().all(|damage| damage["file"] != "state.redb"),
        "{answer}"
    );
    let file = home.path().join("saved.backup").display().to_string();
    let restored = home.path().join("restored");
    let text = restored.display().to_string();
    testhide(&[
        "backup",
        &file,
        "--data-dir",
        &dir.display().to_string(),
        "--salvage",
    ]);
    let restore = testhide(&["restore", &file, "--data-dir", &text]);
    assert_eq!(restore.status.code(), Some(0), "{restore:?}");
    let (_, after) = doctor(&restored);
    let places = |answer: &Value| answer["found"]["damage"].as_array().map_or(0, Vec::len);
    // The page that holds the flipped bit is the only thing that a copy no longer has.
    assert!(places(&after) < places(&answer), "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_directory_and_what_is_in_use_is_said() {
    let server = TestServer::start().await;
    let (code, _) = doctor(&server.path("data"));
    assert_eq!(code, Some(5), "a running server holds it");
    let empty = server.path("empty");
    std::fs::create_dir(&empty).expect("a directory");
    assert_eq!(doctor(&empty).0, Some(3));
    assert_eq!(std::fs::read_dir(&empty).expect("it is there").count(), 0);
    std::fs::write(empty.join("state.redb"), vec![7; 20_000]).expect("a file");
    let (code, answer) = doctor(&empty);
    assert_eq!(code, Some(1), "{answer}");
}
