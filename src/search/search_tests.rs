//! Search over a real store and index: what was written is found, by those who may see it, and nothing else.

use super::{Search, SearchError, SearchParts};
use crate::accounts::Principal;
use crate::artifacts::Artifacts;
use crate::builds::{AgentSlots, Builds, StartRequest};
use crate::events::{self, Consumers, EventLog};
use crate::jobs::Jobs;
use crate::kit::Clock;
use crate::logs::{Logs, LogsError, append};
use crate::projects::Projects;
use crate::reports::{Reports, Upload};
use crate::storage::OpenOptions;
use bytes::Bytes;
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;
use testhide_protocol::api::{
    CreateJob, CreateProject, Event, JobDefinition, ProjectPermission, SearchAnswer, SearchHit,
    Step, Stream, Trigger,
};
use testhide_protocol::wire::{Chunk, Segment, compress_chunk};
use testhide_protocol::{AgentId, BuildId, JobId, ProjectId, Timestamp, UserId};

/// A store with everything that can be searched.
struct World {
    dir: tempfile::TempDir,
    parts: SearchParts,
    jobs: Jobs,
    consumers: Consumers,
    search: Search,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let projects = Projects::new(storage.clone(), clock.clone());
        let jobs = Jobs::new(storage.clone(), clock.clone(), projects.clone());
        let logs = Logs::new(storage.clone(), volumes.clone());
        let artifacts = Artifacts::new(storage.clone(), volumes.clone());
        let reports = Reports::new(storage.clone(), volumes, clock.clone());
        let builds = Builds::new(
            storage.clone(),
            clock.clone(),
            projects.clone(),
            jobs.clone(),
            logs.clone(),
            artifacts,
            reports.clone(),
        );
        let consumers = Consumers::new(
            storage.clone(),
            EventLog::new(storage.clone()),
            clock.clone(),
        );
        let parts = SearchParts {
            storage,
            clock,
            projects,
            logs,
            builds,
            reports,
        };
        let search =
            Search::open_with(&dir.path().join("text"), parts.clone(), Duration::ZERO).unwrap();
        Self {
            dir,
            parts,
            jobs,
            consumers,
            search,
        }
    }

    fn index_dir(&self) -> PathBuf {
        self.dir.path().join("text")
    }

    /// Closes the search, and opens it again over what `change` leaves of its index.
    fn reopen(self, change: impl FnOnce(PathBuf)) -> Self {
        let dir = self.index_dir();
        let Self {
            dir: root,
            parts,
            jobs,
            consumers,
            search,
        } = self;
        drop(search);
        change(dir.clone());
        let search = Search::open_with(&dir, parts.clone(), Duration::ZERO).unwrap();
        Self {
            dir: root,
            parts,
            jobs,
            consumers,
            search,
        }
    }

    async fn project(&self, name: &str) -> (ProjectId, JobId) {
        let root = Principal::system();
        let new = CreateProject {
            name: name.to_owned(),
            description: String::new(),
        };
        let project = self.parts.projects.create(&root, new).await.unwrap().id;
        let step = Step::Bash {
            name: Some("Compile".to_owned()),
            run: "make".to_owned(),
            env: [].into(),
            timeout_seconds: None,
            continue_on_error: false,
        };
        let definition = JobDefinition {
            steps: vec![step],
            ..JobDefinition::default()
        };
        let new = CreateJob {
            name: "nightly".to_owned(),
            definition,
        };
        (
            project,
            self.jobs.create(&root, project, new).await.unwrap().id,
        )
    }

    async fn build(&self, job: JobId) -> BuildId {
        let request = StartRequest {
            job,
            trigger: Trigger::default(),
            triggered_by: "test".to_owned(),
            idempotency_key: None,
        };
        self.parts
            .builds
            .start(&Principal::system(), request)
            .await
            .unwrap()
            .id
    }

    /// Appends pieces of output as one chunk each, all in one event.
    async fn write(&self, build: BuildId, pieces: &[&[u8]]) {
        let mut offset = self.parts.logs.head(build, 1).unwrap().bytes;
        let mut chunks = Vec::new();
        for raw in pieces {
            chunks.push(chunk(offset, raw));
            offset += raw.len() as u64;
        }
        let placed = self.parts.logs.place(chunks).await.unwrap();
        let written = self.parts.storage.write(move |wtxn| {
            let added = append(wtxn, build, 1, &placed)?.expect("new bytes");
            let event = Event::LogAppended {
                build,
                attempt: 1,
                from: added.from,
                to: added.to,
                lines: added.lines,
            };
            events::append(wtxn, Timestamp(5), None, &event)?;
            Ok::<_, LogsError>(())
        });
        written.await.unwrap();
    }

    async fn index(&self) {
        self.consumers.drain(&*self.search.indexer()).await.unwrap();
    }

    /// An agent takes the next build.
    async fn claim(&self) {
        let slots = AgentSlots {
            agent: AgentId::generate(),
            name: "linux-1".to_owned(),
            labels: Vec::new(),
            capacity: 1,
        };
        assert!(self.parts.builds.claim(&slots).await.unwrap().is_some());
    }

    async fn find(&self, query: &str) -> SearchAnswer {
        self.find_as(&Principal::system(), query).await
    }

    async fn find_as(&self, principal: &Principal, query: &str) -> SearchAnswer {
        let (answer, next) = self
            .search
            .find(principal, query, 1000, None)
            .await
            .unwrap();
        assert_eq!(next, None, "{query}");
        answer
    }

    /// Numbers of the matching lines, in order.
    async fn numbers(&self, query: &str) -> Vec<u64> {
        let mut numbers = line_numbers(&self.find(query).await.hits);
        numbers.sort_unstable();
        numbers
    }
}

/// The second half comes from the error stream; later bytes are younger.
fn chunk(offset: u64, raw: &[u8]) -> Chunk {
    let half = (raw.len() / 2) as u32;
    let segments = [
        (Stream::Stdout, half),
        (Stream::Stderr, raw.len() as u32 - half),
    ];
    Chunk {
        offset,
        raw_len: raw.len() as u32,
        step: 0,
        time: Timestamp(1_000 + (offset / 3) as i64),
        elapsed_ms: 5,
        segments: segments
            .into_iter()
            .filter(|(_, len)| *len > 0)
            .map(|(stream, len)| Segment { stream, len })
            .collect(),
        data: compress_chunk(raw),
    }
}

fn line_numbers(hits: &[SearchHit]) -> Vec<u64> {
    hits.iter()
        .flat_map(|hit| &hit.lines)
        .map(|line| line.number)
        .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Chunks cut lines and characters anywhere, events cut chunks anywhere, and the index is written at any moment between.
    #[test]
    fn a_line_is_found_however_it_arrives(
        lines in proptest::collection::vec("(über|timeout|place_order|ok|é| |\\.){0,6}\r?", 1..12),
        cuts in proptest::collection::vec((1usize..24, any::<bool>(), any::<bool>()), 1..40),
        ends: bool,
    ) {
        let mut text = lines.join("\n");
        if ends {
            text.push('\n');
        }
        prop_assume!(!text.is_empty());
        let world_of = async {
            let world = World::new();
            let (_, job) = world.project("shop").await;
            let build = world.build(job).await;
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for (length, end_event, index) in cuts.iter().cycle() {
                let (piece, later) = rest.split_at((*length).min(rest.len()));
                pieces.push(piece);
                rest = later;
                if *end_event || rest.is_empty() {
                    world.write(build, &std::mem::take(&mut pieces)).await;
                    if *index {
                        world.index().await;
                    }
                }
                if rest.is_empty() {
                    break;
                }
            }
            world.index().await;
            for query in ["über", "timeout", "order", "*meou*", "ü*", "timeout -über", r"/(time|place).*(über|order)/"] {
                let expected: Vec<(u64, String)> = expected(&text, query);
                let mut found: Vec<(u64, String)> = Vec::new();
                for hit in world.find(query).await.hits {
                    found.extend(hit.lines.into_iter().map(|line| (line.number, line.text)));
                }
                found.sort();
                prop_assert_eq!(found, expected, "{} in {:?}", query, text);
            }
            Ok(())
        };
        runtime().block_on(world_of)?;
    }
}

/// The lines that a plain look at the whole text finds.
fn expected(text: &str, query: &str) -> Vec<(u64, String)> {
    let matcher = super::query::Matcher::new(&super::query::Query::parse(query).unwrap());
    let properties = super::query::BlockProperties {
        project: "",
        job: "",
        branch: "",
        status: "",
        agent: "",
        test: "",
        step: "",
        kind: crate::index::Kind::Log,
        build: 1,
        time: 0,
    };
    let block = matcher.block(&properties).unwrap();
    let lines = (1..)
        .zip(text.split_terminator('\n'))
        .map(|(number, line)| (number, line.strip_suffix('\r').unwrap_or(line)));
    lines
        .filter(|(_, line)| block.find(line).is_some())
        .map(|(number, line)| (number, line.to_owned()))
        .collect()
}

#[tokio::test]
async fn conditions_hold_for_one_line() {
    let world = World::new();
    let (project, job) = world.project("shop").await;
    let build = world.build(job).await;
    world.claim().await;
    world
        .write(
            build,
            &[
                b"connection refused\nread tim",
                b"eout\nplaceOrder took 12345 ms\n",
                b"connection reset\n",
            ],
        )
        .await;
    world.index().await;
    let check = async |query: &str, expected: &[u64]| {
        assert_eq!(world.numbers(query).await, expected, "{query}");
    };
    check("connection", &[1, 4]).await;
    check("\"connection refused\"", &[1]).await;
    check("connection -refused", &[4]).await;
    check("connection timeout", &[]).await;
    check("timeout", &[2]).await;
    check("time*", &[2]).await;
    check("*meou*", &[2]).await;
    check(r"/took \d{4,} ms/", &[3]).await;
    check("order OR reset", &[3, 4]).await;
    check(
        "step:compile agent:linux-1 job:nightly project:shop build:1 branch:main connection",
        &[1, 4],
    )
    .await;
    check("connection -step:compile", &[]).await;
    check("job:weekly connection", &[]).await;

    let answer = world.find("order").await;
    let hit = &answer.hits[0];
    assert_eq!(
        (
            hit.kind.as_str(),
            hit.project_id,
            hit.build_id,
            hit.build_number
        ),
        ("log", project, Some(build), Some(1))
    );
    assert_eq!(
        (hit.job.as_str(), hit.branch.as_str(), hit.attempt),
        ("nightly", "main", Some(1))
    );
    let line = &hit.lines[0];
    assert_eq!(
        (line.number, line.stream, line.text.as_str()),
        (3, Some(Stream::Stdout), "placeOrder took 12345 ms")
    );
    assert_eq!(line.highlights, [(5, 10)]);
    assert_eq!((answer.query.as_str(), answer.index_lag), ("order", 0));
}

#[tokio::test]
async fn a_foreign_project_is_not_there() {
    let world = World::new();
    let (mine, my_job) = world.project("mine").await;
    let (_, foreign_job) = world.project("foreign").await;
    for job in [my_job, foreign_job] {
        let build = world.build(job).await;
        world.write(build, &[b"secret word\n"]).await;
    }
    world.index().await;
    let nobody = Principal::new(UserId::generate(), "ann", false);
    let ann = nobody.clone().granting(mine, [ProjectPermission::Read]);
    let projects = async |principal: &Principal, query: &str| {
        let hits = world.find_as(principal, query).await.hits;
        hits.iter().map(|hit| hit.project_id).collect::<Vec<_>>()
    };
    assert_eq!(world.find("secret").await.hits.len(), 2);
    assert_eq!(projects(&ann, "secret").await, [mine]);
    assert_eq!(projects(&ann, "secret OR project:foreign").await, [mine]);
    assert!(projects(&ann, "secret project:foreign").await.is_empty());
    assert!(projects(&nobody, "secret").await.is_empty());
    // A page as long as what may be seen has nothing behind it but a look at the end.
    let (page, next) = world.search.find(&ann, "secret", 1, None).await.unwrap();
    assert_eq!(page.hits.len(), 1);
    let (page, end) = world.search.find(&ann, "secret", 1, next).await.unwrap();
    assert!(page.hits.is_empty() && end.is_none());
}

#[tokio::test]
async fn pages_have_no_gaps_and_no_doubles() {
    let world = World::new();
    let (_, job) = world.project("shop").await;
    for _ in 0..2 {
        let build = world.build(job).await;
        for number in 0..40 {
            world
                .write(
                    build,
                    &[
                        format!("word {number}\nother\nword\nwo").as_bytes(),
                        b"rd\n",
                    ],
                )
                .await;
        }
    }
    world.index().await;
    let all = |hits: &[SearchHit]| -> Vec<(Option<BuildId>, u64)> {
        hits.iter()
            .flat_map(|hit| hit.lines.iter().map(|line| (hit.build_id, line.number)))
            .collect()
    };
    let whole = all(&world.find("word").await.hits);
    assert_eq!(whole.len(), 2 * 40 * 3);
    for limit in [1, 2, 7, 100] {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = world
                .search
                .find(&Principal::system(), "word", limit, after)
                .await
                .unwrap();
            let lines = all(&page.hits);
            assert!(lines.len() <= limit);
            pages.extend(lines);
            if next.is_none() {
                break;
            }
            after = next;
        }
        assert_eq!(pages, whole, "limit {limit}");
    }
    assert!(
        world
            .find("word")
            .await
            .hits
            .is_sorted_by(|newer, older| newer.time >= older.time)
    );
}

#[tokio::test]
async fn a_rare_match_is_reached_over_several_pages() {
    let world = World::new();
    let (_, job) = world.project("shop").await;
    let build = world.build(job).await;
    // Every block is a candidate; only the oldest holds both words in one line.
    let pieces: Vec<&[u8]> = std::iter::once(&b"read timeout\n"[..])
        .chain((0..900).map(|_| &b"read\ntimeout\n"[..]))
        .collect();
    world.write(build, &pieces).await;
    world.index().await;
    let (mut pages, mut found, mut after) = (0, Vec::new(), None);
    loop {
        let (page, next) = world
            .search
            .find(&Principal::system(), "read timeout", 50, after)
            .await
            .unwrap();
        found.extend(line_numbers(&page.hits));
        pages += 1;
        if next.is_none() {
            break;
        }
        after = next;
    }
    assert_eq!((found, pages), (vec![1], 3));
}

#[tokio::test]
async fn an_index_that_is_gone_or_damaged_fills_itself_again() {
    let mut world = World::new();
    let (_, job) = world.project("shop").await;
    let build = world.build(job).await;
    for _ in 0..30 {
        world.write(build, &[b"one wo", b"rd\ntwo\n"]).await;
        world.index().await;
    }
    let before = world.find("word OR two").await;
    assert_eq!(line_numbers(&before.hits).len(), 60);
    let changes: [fn(PathBuf); 3] = [
        |_| {},
        |dir| std::fs::remove_dir_all(dir).unwrap(),
        |dir| std::fs::write(dir.join("meta.json"), "{").unwrap(),
    ];
    for change in changes {
        world = world.reopen(change);
        world.index().await;
        assert_eq!(world.find("word OR two").await, before);
    }
}

#[tokio::test]
async fn an_index_that_could_not_be_written_catches_up() {
    let world = World::new();
    let (_, job) = world.project("shop").await;
    let build = world.build(job).await;
    world.write(build, &[b"first wo"]).await;
    let blocker = world.search.index.writer().unwrap();
    world.index().await;
    let answer = world.find("first").await;
    assert!(answer.hits.is_empty() && answer.index_lag > 0);
    assert!(world.consumers.parked().unwrap().is_empty());
    drop(blocker);
    world.write(build, &[b"rd\nsecond\n"]).await;
    world.index().await;
    assert_eq!(world.numbers("first word OR second").await, [1, 2]);
}

#[tokio::test]
async fn a_line_that_is_cut_is_searched_in_all_its_parts() {
    let world = World::new();
    let (_, job) = world.project("shop").await;
    let build = world.build(job).await;
    let filler = [b'-'; 30_000];
    for piece in [
        &b"begin "[..],
        &filler,
        b" middle ",
        &filler,
        &filler,
        b" tail\nnext\n",
    ] {
        world.write(build, &[piece]).await;
        world.index().await;
    }
    let check = async |query: &str, expected: &[u64]| {
        assert_eq!(world.numbers(query).await, expected, "{query}");
    };
    check("begin middle", &[1]).await;
    check("tail", &[2]).await;
    check("begin -tail", &[1]).await;
    check("next", &[3]).await;
    let hit = &world.find("middle").await.hits[0];
    assert_eq!(hit.lines[0].text.len(), 1000);
    let (from, to) = hit.lines[0].highlights[0];
    assert_eq!(&hit.lines[0].text[from as usize..to as usize], "middle");
}

#[tokio::test]
async fn status_is_the_one_of_now() {
    let world = World::new();
    let (_, job) = world.project("shop").await;
    let build = world.build(job).await;
    world.write(build, &[b"some words\n"]).await;
    world.index().await;
    assert_eq!(world.numbers("words status:queued").await, [1]);
    assert!(world.numbers("words status:cancelled").await.is_empty());
    world
        .parts
        .builds
        .cancel(&Principal::system(), &build.to_string(), None)
        .await
        .unwrap();
    assert_eq!(world.numbers("words status:cancelled").await, [1]);
    assert!(world.numbers("words -status:cancelled").await.is_empty());
}

#[tokio::test]
async fn failures_of_reports_are_found() {
    let world = World::new();
    let (project, _) = world.project("shop").await;
    let file = r#"<testsuite name="s">
        <testcase classname="shop.Checkout" name="pays"/>
        <testcase classname="shop.Checkout" name="ships"><failure type="AssertionError" message="expected 3 parcels">at Parcel.java:17
at Ship.java:4</failure></testcase>
        <testcase classname="shop.Cart" name="adds"><error type="IOError" message="disk gone"/></testcase>
    </testsuite>"#;
    let body =
        futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(file.as_bytes()))]);
    let upload = Upload {
        name: Some("r.xml".into()),
        branch: Some("release/2".into()),
        ..Upload::default()
    };
    world
        .parts
        .reports
        .upload(&Principal::system(), project, upload, body)
        .await
        .unwrap();
    world.index().await;
    let tests = async |query: &str| {
        let hits = world.find(query).await.hits;
        let mut tests: Vec<String> = hits.iter().map(|hit| hit.test.clone().unwrap()).collect();
        tests.sort();
        tests
            .iter()
            .map(|test| test.rsplit(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let check =
        async |query: &str, expected: &str| assert_eq!(tests(query).await, expected, "{query}");
    check("parcels ship", "ships").await;
    check("disk", "adds").await;
    check("pays", "").await;
    check("kind:failure", "adds ships").await;
    check("kind:failure status:error", "adds").await;
    check("branch:release* test:checkout", "ships").await;
    check("branch:main test:checkout", "").await;
    let hit = &world.find("ship").await.hits[0];
    assert_eq!(
        (
            hit.kind.as_str(),
            hit.project_id,
            hit.branch.as_str(),
            hit.build_id
        ),
        ("failure", project, "release/2", None)
    );
    assert_eq!(
        hit.lines
            .last()
            .map(|line| (line.number, line.text.as_str())),
        Some((4, "at Ship.java:4"))
    );
    let stranger = Principal::new(UserId::generate(), "ann", false);
    assert!(world.find_as(&stranger, "disk").await.hits.is_empty());
}

#[tokio::test]
async fn a_bad_query_says_where() {
    let world = World::new();
    let error = world
        .search
        .find(&Principal::system(), "good (bad", 10, None)
        .await
        .unwrap_err();
    let SearchError::Query { error, shown } = error else {
        panic!("{error}")
    };
    assert_eq!(error.offset, 5);
    assert!(shown.starts_with("good (bad\n     ^\n"), "{shown}");
}
