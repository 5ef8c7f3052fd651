//! How logs are shown: through the API, the search and the command line.

use crate::support::{TestServer, job_with_script, lines_of};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use testhide_protocol::api::{BuildState, LogPage, Stream};

/// Everything that is shown differently from how it is written.
const SCRIPT: &str = r#"
printf 'begin\n'
printf 'fetch 10%%\rfetch 55%%\rfetch done\n'
printf 'windows\r\n'
printf '\033[32mgreen\033[0m \033]0;owned\007\033[2Jquiet\n'
printf 'caf\351\n'
head -c 70000 /dev/zero | tr '\0' x; printf '\n'
printf 'end'
exit 3
"#;

fn testhide(server: &TestServer, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_testhide"))
        .args(args)
        .env("TESTHIDE_SERVER", server.root.base())
        .env("TESTHIDE_TOKEN", server.root.token())
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_shown_as_a_person_would_see_it_and_kept_as_it_was_written() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let job = server.job("show", job_with_script(SCRIPT)).await;
    server.trigger(&job, json!({})).await;
    assert_eq!(server.finished(1).await.status, BuildState::Failed);

    let page: LogPage = server.root.get("/builds/1/log").await.ok();
    let own: Vec<_> = page
        .lines
        .iter()
        .filter(|line| line.stream != Stream::System)
        .collect();
    let short = |text: &str| text.chars().take(60).collect::<String>();
    let texts: Vec<String> = own.iter().map(|line| short(&line.text)).collect();
    let long = "x".repeat(60);
    let green = "\u{1b}[32mgreen\u{1b}[0m \u{1b}]0;owned\u{7}\u{1b}[2Jquiet";
    let expected = [
        "begin",
        "fetch done",
        "windows",
        green,
        "caf\u{fffd}",
        &long,
        &long,
        "end",
    ];
    assert_eq!(texts, expected);
    let continued: Vec<bool> = own.iter().map(|line| line.continued).collect();
    let cut = [false, false, false, false, false, true, false, false];
    assert_eq!(continued, cut);
    assert_eq!(own[5].text.len() + own[6].text.len(), 70_000);

    // The bytes are all there.
    let raw = server.root.get("/builds/1/log/raw").await.body;
    let holds = |part: &[u8]| raw.windows(part.len()).any(|window| window == part);
    assert!(holds(b"fetch 10%\rfetch 55%\rfetch done\n") && holds(b"caf\xe9\n"));
    assert!(holds(b"windows\r\n"));

    // The search finds what is shown, and not what was written over.
    server.settled().await;
    let found = |query: &'static str| {
        let root = &server.root;
        async move {
            let answer: Value = root.get(&format!("/search?q={query}")).await.json();
            answer["hits"].as_array().expect("hits").len()
        }
    };
    assert_eq!(found("done").await, 1);
    assert_eq!(found("55").await, 0);

    // On the command line nothing but text is left where no terminal shows colours, and what is cut or said by the agent has its mark.
    let printed = testhide(&server, &["build", "log", "1"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.contains(&"fetch done") && lines.contains(&"green quiet"));
    assert!(lines.contains(&"caf\u{fffd}") && lines.contains(&"windows"));
    let said = "# step `bash` ended with exit code 3";
    assert!(lines.contains(&said), "the agent's words stand apart");
    assert!(lines.contains(&format!("{} …", "x".repeat(65_536)).as_str()));
    let raw_again = Command::new(env!("CARGO_BIN_EXE_testhide"))
        .args(["build", "log", "1", "--raw"])
        .env("TESTHIDE_SERVER", server.root.base())
        .env("TESTHIDE_TOKEN", server.root.token())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert_eq!(raw_again.stdout, raw, "raw is byte by byte");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_that_is_written_is_followed_before_it_ends() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let gate = server.path("gate");
    // It writes on when the test has seen what it wrote.
    let wait = |name: &str| {
        let file = gate.with_extension(name);
        format!("until [ -e '{}' ]; do sleep 0.02; done", file.display())
    };
    let script = format!(
        "printf '10%%'\n{}\nprintf '\\r20%%'\n{}\nprintf '\\rdone\\n'",
        wait("one"),
        wait("two")
    );
    let job = server.job("progress", job_with_script(&script)).await;
    server.trigger(&job, json!({})).await;
    let (mut from, mut known) = (1, 0);
    let mut seen: Vec<String> = Vec::new();
    while seen.last().is_none_or(|last| last != "done") {
        let path = format!("/builds/1/log?from={from}&wait_seconds=30&known_bytes={known}");
        let page: LogPage = server.root.get(&path).await.ok();
        for line in lines_of(&page).into_iter().filter(|text| *text == "done") {
            seen.push(line.to_owned());
        }
        from = page.lines.last().map_or(from, |line| line.number + 1);
        known = page.total_bytes;
        if let Some(running) = page.running {
            assert_eq!(running.number, from, "it stands behind the lines");
            let file = match running.text.as_str() {
                "10%" => gate.with_extension("one"),
                "20%" => gate.with_extension("two"),
                other => panic!("{other}"),
            };
            std::fs::write(file, "").expect("a file");
            if seen.last() != Some(&running.text) {
                seen.push(running.text);
            }
        }
    }
    assert_eq!(seen, ["10%", "20%", "done"]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_from_any_byte() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let job = server.job("count", job_with_script("seq 1 100000")).await;
    server.trigger(&job, json!({})).await;
    server.finished(1).await;
    let path = "/builds/1/log/raw";
    let whole = server.root.get(path).await;
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    let length = whole.body.len();
    let ask = |range: String| {
        let root = &server.root;
        async move {
            let headers = [("range", range.as_str())];
            root.send(reqwest::Method::GET, path, &headers, None).await
        }
    };
    for from in [0, 1, 77_777, 262_144, length - 1] {
        let part = ask(format!("bytes={from}-")).await;
        assert_eq!(part.status, 206);
        let place = format!("bytes {from}-{}/{length}", length - 1);
        assert_eq!(part.headers["content-range"], place.as_str());
        assert!(part.body == whole.body[from..], "from {from}");
    }
    let middle = ask("bytes=1000-300000".to_owned()).await;
    assert!(middle.body == whole.body[1000..=300_000]);
    let tail = ask("bytes=-10".to_owned()).await;
    assert!(tail.body == whole.body[length - 10..]);
    let behind = ask(format!("bytes={length}-")).await;
    assert_eq!(
        behind.headers["content-range"],
        format!("bytes */{length}").as_str()
    );
    behind.refused(416, "no_such_range");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_counted_and_one_too_many_is_told_to_come_back() {
    let limits = [
        ("TESTHIDE_MAX_VIEWERS", "3"),
        ("TESTHIDE_MAX_VIEWERS_OF_ACCOUNT", "2"),
    ];
    let server = TestServer::start_with(&limits).await;
    let job = server.job("waits", job_with_script("true")).await;
    server.trigger(&job, json!({})).await;
    let ada = server.user("ada").await;
    let eve = server.user("eve").await;
    let last = server.app.log.last().expect("a store");
    let events = format!("/events?after={last}&wait_seconds=30");
    let log = "/builds/1/log?wait_seconds=30";
    let viewers = server.app.logs.viewers().clone();
    let full = async |waiting: usize| {
        while viewers.waiting() < waiting {
            tokio::task::yield_now().await;
        }
    };
    let (first, second, third, ()) = tokio::join!(
        server.root.get(&events),
        server.root.get(log),
        async {
            full(2).await;
            ada.get(&events).await
        },
        async {
            full(3).await;
            let refused = eve.get(&events).await;
            assert_eq!(refused.headers["retry-after"], "5");
            refused.refused(503, "too_many_viewers");
            // Whoever does not wait is served.
            eve.get("/events?after=0").await.json();
            let cancelled = server.root.post("/builds/1/cancel", &json!({})).await;
            cancelled.json();
            // All are answered by that, and their places are free.
        },
    );
    for answer in [first, second, third] {
        answer.json();
    }
    while viewers.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let last = server.app.log.last().expect("a store");
    let events = format!("/events?after={last}&wait_seconds=30");
    let (one, two, ()) = tokio::join!(server.root.get(&events), server.root.get(&events), async {
        full(2).await;
        let refused = server.root.get(&events).await;
        assert_eq!(refused.headers["retry-after"], "5");
        refused.refused(429, "too_many_viewers_of_account");
        server
            .root
            .post("/projects", &json!({"name": "other"}))
            .await
            .json();
    });
    one.json();
    two.json();
}
