//! What can be said on the command line, and what cannot.

use super::{BuildCommand, Cli, Command, ReportCommand, UserCommand};
use clap::{CommandFactory, Parser};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("testhide").chain(line.split_whitespace()))
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_can_be_said() {
    for line in [
        "serve",
        "serve --config a.toml --data-dir d --listen 127.0.0.1:0",
        "demo --exit",
        "login --server http://a --username anna --password-stdin",
        "logout",
        "whoami --json",
        "user create anna --superuser",
        "user create anna --setup --setup-token-file - --password-stdin",
        "user grant anna shop --permission read --permission execute",
        "user grant anna shop --nothing",
        "token create ci --expires-in-days 90",
        "token revoke 1",
        "project create shop",
        "project update shop --name store",
        "job create shop unit --file -",
        "job update shop/unit --disable",
        "job update shop/unit --file job.json --enable",
        "build trigger shop/unit --branch main --commit 1a --param A=1 --param B=x=y --wait -f",
        "build list --project shop --job shop/unit --branch main --status timed_out --limit 5",
        "build log 421 -f --from 7 --attempt 2 --timestamps",
        "build log 421 --raw",
        "build wait 421 --timeout 1h30m",
        "build wait 421 --gate",
        "build gates 421 --json",
        "gate create shop release --job unit --pass-rate 99.5 --zero-failures --disabled",
        "gate create shop release --no-new-failures --base-branch main --base-builds 5",
        "gate create shop release --no-inconsistencies --finding zero_tests",
        "gate create shop release --file -",
        "gate list shop",
        "gate show shop/release",
        "gate update shop/release --all-jobs --disable --max-duration 1h30m",
        "gate delete shop/release",
        "gate evaluate 421",
        "doctor --data-dir d --json",
        "backup f --data-dir d --salvage",
        "build cancel 421 --reason why",
        "build compare 1 2",
        "artifact get 0198c1a2-7f3e-7abc-8def-0123456789ab -o -",
        "report push a.xml b.xml --build 421",
        "report push a.xml --project shop --branch main --commit 1a",
        "report push reports --build 421 --gate",
        "report list --project shop",
        "report show a.xml reports **/*.xml -",
        "report show 0198c1a2-7f3e-7abc-8def-0123456789ab",
        "report validate a.xml --strict --json",
        "report convert a.xml --to ctrf -o b.json",
        "report merge a.xml b.xml --to junit -o c.xml",
        "report compare a.xml b.xml --fail-on new-failures",
        "test list shop --query cart",
        "test history 1 --branch main --job 2 --outcome failed",
        "test show 1",
        "test aliases shop --state accepted --limit 3",
        "test accept 1 --json",
        "test reject 1",
        "test undo 1",
        "failure label 1 Bug",
        "search one two --limit 3",
        "events --after 7 -f --json",
        "agent config --url ws://a --instance-id b",
        "agent enroll --token-file - --json",
        "agent run",
        "agent list -q",
        "agent token --no-input",
        "agent show one",
        "agent metrics one --minutes 240",
        "agent drain one --reason why",
        "agent disable one",
        "agent resume one",
        "agent remove one",
        "agent rotate-key one",
        "audit list --actor root --action agent --object one --outcome refused --from 2026-03-20T10:30:00Z --limit 3",
        "audit verify --seq 7 --hash ab --json",
        "audit verify --file a.jsonl",
        "audit export --action agent -o a.jsonl",
        "backup - --data-dir d",
        "backup f --no-verify --force",
        "verify f",
        "restore f --data-dir d --salvage",
        "tui --readonly --build 3",
        "config check --config a.toml",
        "version",
        "--json --no-color build show 421",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_cannot_be_said_is_a_usage_error() {
    for line in [
        "",
        "biuld list",
        "build",
        "build list --status green",
        "build log 421 --from 0",
        "build log 421 --raw -f",
        "build wait 421 --timeout soon",
        "build trigger shop/unit --param A",
        "report push --build 1",
        "report push a.xml",
        "report push a.xml --build 1 --project shop",
        "report push a.xml --build 1 --branch main",
        "gate create shop",
        "gate create shop release --base-branch main",
        "gate create shop release --finding zero_tests",
        "gate create shop release --no-inconsistencies --finding odd",
        "gate create shop release --pass-rate most",
        "gate create shop release --max-duration soon",
        "gate create shop release --zero-failures --file rules.json",
        "gate update shop/release --enable --disable",
        "gate update shop/release --job unit --all-jobs",
        "report push a.xml --project shop --gate",
        "report show",
        "report convert a.xml",
        "report convert a.xml --to html",
        "report compare a.xml",
        "user create",
        "user create anna --setup-token-file f",
        "user grant anna shop",
        "user grant anna shop --permission fly",
        "project update shop",
        "job update shop/unit",
        "job update shop/unit --enable --disable",
        "token create ci --expires-in-days 0",
        "artifact get 1",
        "audit",
        "audit list --outcome odd",
        "audit verify --seq 7",
        "audit verify --file a --seq 7 --hash ab",
        "restore f",
        "login --password x",
        "whoami --token x",
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}: {error}");
    }
}

#[test]
fn words_mean_what_they_say() {
    let Command::Build(BuildCommand::Trigger(trigger)) =
        parse("build trigger s/u --param A=x=y --param B=")
            .unwrap()
            .command
    else {
        panic!("it is a trigger");
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(trigger.parameters, [pair("A", "x=y"), pair("B", "")]);
    let cli = parse("report push a.xml --project shop --server http://a --json -q").unwrap();
    assert_eq!(
        (
            cli.global.server.as_deref(),
            cli.global.json,
            cli.global.quiet
        ),
        (Some("http://a"), true, true)
    );
    assert!(
        matches!(cli.command, Command::Report(ReportCommand::Push(push)) if push.files.len() == 1)
    );
    let cli = parse("user create anna --setup").unwrap();
    assert!(
        matches!(cli.command, Command::User(UserCommand::Create(create)) if create.setup && !create.superuser)
    );
}

/// No flag takes a secret, so none ends in a process list or in a shell's history.
#[test]
fn no_flag_takes_a_secret_and_every_command_has_an_example() {
    fn walk(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let name = argument.get_long().unwrap_or_default();
            let takes_value = argument.get_action().takes_values();
            let is_secret =
                name.contains("password") || name.contains("secret") || name.ends_with("token");
            // The agent's enrolment token is its own command line's affair; it is good once.
            if takes_value && is_secret && path != "testhide agent enroll" {
                missing.push(format!("{path} --{name} takes a secret"));
            }
        }
        let is_agents_own = ["config", "enroll", "run", "doctor", "attempt"]
            .iter()
            .any(|verb| path == format!("testhide agent {verb}"));
        let example = command
            .get_before_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        if !is_agents_own && !example.starts_with("Example:\n  testhide ") {
            missing.push(format!("{path} has no example"));
        }
        if !is_agents_own {
            let line = example.lines().nth(1).unwrap_or_default().trim();
            assert!(
                line.starts_with(path),
                "the example of `{path}` is `{line}`"
            );
        }
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            walk(sub, &format!("{path} {}", sub.get_name()), missing);
        }
    }
    let mut missing = Vec::new();
    walk(&Cli::command(), "testhide", &mut missing);
    assert!(missing.is_empty(), "{missing:#?}");
}
