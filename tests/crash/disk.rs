//! The server's disk full to the last byte while builds run and reports come, then free again, without a restart.

use super::machine::{Machine, no_small_disk};
use super::printer::{Pipes, Press};
use super::settings::{PATIENCE, seat};
use super::user::{Body, Failure, User};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// The disk, and the floors on it: room enough for what the case stores.
const DISK_MB: u32 = 96;
const SOFT_FLOOR_MB: &str = "8";
const HARD_FLOOR_MB: &str = "4";

/// How soon writes are refused, and how soon they are taken again.
const READ_ONLY_WITHIN: Duration = Duration::from_secs(1);
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// How often the disk fills up.
const ROUNDS: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_heals_without_a_restart() {
    let _seat = seat().await;
    if let Some(why) = no_small_disk().await {
        skip(&why);
        return;
    }
    let floors = [
        ("TESTHIDE_SOFT_FLOOR_MB", SOFT_FLOOR_MB),
        ("TESTHIDE_HARD_FLOOR_MB", HARD_FLOOR_MB),
    ];
    let mut machine = Machine::start_on_small_disk(DISK_MB, &floors).await;
    let user = User::set_up(&mut machine).await;
    machine.add_agent(&user, 1).await;
    let mut press = Press::set_up(&machine, &user).await;
    let mut printer = press.print(&user, Pipes::One).await;
    let server = machine.server_id();
    let mut reports = 0;
    for round in 0..ROUNDS {
        printer.order(5_000).await;
        printer.answered().await;
        reports += 1;
        upload(&user, reports).await.expect("there is room");

        let ballast = fill(&machine);
        let began = Instant::now();
        let refused = async {
            while upload(&user, reports + 1).await.is_ok() {
                reports += 1;
            }
        };
        let refused = tokio::time::timeout(READ_ONLY_WITHIN, refused).await;
        assert!(refused.is_ok(), "writes are taken on a full disk");
        let read_only = began.elapsed();
        printer.order(5_000).await;
        printer.answered().await;
        // Reading goes on, and readiness says what is the matter.
        assert_eq!(user.build(printer.number).await["attempt"], 1);
        assert!(!user.is_ready().await, "a full disk is said to be ready");

        fs::remove_file(ballast).expect("the ballast goes");
        let began = Instant::now();
        let taken = async { while upload(&user, reports + 1).await.is_err() {} };
        let taken = tokio::time::timeout(BACK_WITHIN, taken).await;
        assert!(taken.is_ok(), "writes are refused although there is room");
        reports += 1;
        println!(
            "round {round}: read-only after {} ms, back after {} ms",
            read_only.as_millis(),
            began.elapsed().as_millis()
        );
        user.wait_for_line(printer.number, printer.ordered()).await;
    }
    assert_eq!(machine.server_id(), server, "the server was not restarted");
    printer.end().await;
    printer.check(&user, 1).await;
    user.check_nothing_lost().await;
    press.check_runs([(&printer, 1)]);
    check_reports(&user, reports).await;
}

/// Uploads report `number`, once however often it is tried.
async fn upload(user: &User, number: u64) -> Result<Value, Failure> {
    let name = format!("report-{number}");
    let path = format!("/projects/{}/reports?name={name}.xml", user.project());
    let xml = format!(
        "<testsuite name=\"disk\"><testcase classname=\"c\" name=\"t{number}\"/></testsuite>"
    );
    let headers = [("idempotency-key", name.as_str())];
    let body = Body::Xml(xml);
    let uploading = user.request("POST", &path, &headers, &body);
    match tokio::time::timeout(PATIENCE, uploading).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("an upload has no answer"),
    }
}

async fn check_reports(user: &User, count: u64) {
    let path = format!("/projects/{}/reports?limit=1000", user.project());
    let page = user.get(&path).await;
    let stored = page["items"].as_array().expect("a list").iter();
    let mut names: Vec<_> = stored.map(|report| report["name"].clone()).collect();
    names.sort_by_key(Value::to_string);
    let mut expected: Vec<_> = (1..=count)
        .map(|number| json!(format!("report-{number}.xml")))
        .collect();
    expected.sort_by_key(Value::to_string);
    assert_eq!(names, expected, "every acknowledged report is there once");
}

/// Fills the server's disk to the last byte; answers the file that does.
fn fill(machine: &Machine) -> PathBuf {
    let data = machine.path("data");
    let inside = data
        .strip_prefix("/")
        .expect("a temporary directory is absolute");
    let root = PathBuf::from(format!("/proc/{}/root", machine.server_id()));
    let path = root.join(inside).join("ballast");
    let mut ballast = fs::File::create(&path).expect("the server's disk can be seen");
    let block = vec![b'x'; 1 << 20];
    let mut size = block.len();
    while size > 0 {
        if ballast.write_all(&block[..size]).is_err() {
            size /= 2;
        }
    }
    path
}

/// Says on the real standard error, which no test harness holds back, that a case did not run.
fn skip(why: &str) {
    let mut out = std::io::stderr();
    let said = writeln!(
        out,
        "SKIPPED (1 case of tests/crash): no small disk for the server, so a full one was not tried: {why}"
    );
    said.expect("standard error can be written");
}
