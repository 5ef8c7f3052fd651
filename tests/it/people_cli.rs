//! Accounts through the command line: the real binary against a real server.

use crate::support::TestServer;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A person at a machine of its own.
struct Person<'a> {
    home: &'a Path,
    server: String,
    token: Option<String>,
}

impl Person<'_> {
    /// Runs a command with this text on stdin; gives exit code, stdout and stderr.
    async fn runs(&self, args: &[&str], stdin: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testhide"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home)
            .env("TESTHIDE_SERVER", &self.server)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(token) = &self.token {
            command.env("TESTHIDE_TOKEN", token);
        }
        let mut child = command.spawn().expect("the binary runs");
        let mut input = child.stdin.take().expect("a pipe");
        // A command that reads nothing may be gone already.
        drop(input.write_all(stdin.as_bytes()).await);
        drop(input);
        let output = child.wait_with_output().await.expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code().expect("an exit code");
        (code, text(output.stdout), text(output.stderr))
    }

    /// What a command that must succeed says.
    async fn says(&self, args: &[&str], stdin: &str) -> String {
        let (code, out, errors) = self.runs(args, stdin).await;
        assert_eq!(code, 0, "{args:?}: {errors}");
        out
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_keeps_its_account_by_the_command_line() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    drop(ann);
    let home = tempfile::tempdir().expect("a directory");
    let address = server.root.base().trim_end_matches("/api/v3").to_owned();
    let root = Person {
        home: home.path(),
        server: address.clone(),
        token: Some(server.root.token().to_owned()),
    };
    let ann = Person {
        home: home.path(),
        server: address,
        token: None,
    };

    let token = root.says(&["user", "reset-password", "ann"], "").await;
    let file = home.path().join("token");
    std::fs::write(&file, &token).expect("a file");
    let reset = [
        "password",
        "reset",
        "--password-stdin",
        "--reset-token-file",
        file.to_str().expect("UTF-8"),
    ];
    ann.says(&reset, "battery staple\n").await;
    let (code, _, errors) = ann.runs(&reset, "battery staple\n").await;
    assert_eq!(code, 4, "{errors}");
    assert!(errors.contains("the reset token was used"), "{errors}");

    let log_in = ["login", "--username", "ann", "--password-stdin"];
    ann.says(&log_in, "battery staple\n").await;
    assert!(ann.says(&["whoami"], "").await.starts_with("ann at "));
    let sessions: Value =
        serde_json::from_str(&ann.says(&["session", "list", "--json"], "").await).expect("JSON");
    assert_eq!(sessions, json!([]), "the login's own session has ended");

    let change = ["password", "change", "--password-stdin"];
    let (code, _, errors) = ann.runs(&change, "wrong password\nhorse battery\n").await;
    assert_eq!(code, 4, "{errors}");
    ann.says(&change, "battery staple\nhorse battery\n").await;
    let (code, _, _) = ann.runs(&log_in, "battery staple\n").await;
    assert_eq!(code, 4);
    ann.says(&log_in, "horse battery\n").await;

    let project = server.project.name.clone();
    let grant = ["user", "grant", "ann", &project, "--permission", "execute"];
    root.says(&grant, "").await;
    let make = [
        "token",
        "create",
        "ci",
        "--project",
        &project,
        "--permission",
        "execute",
    ];
    let limited = Person {
        home: home.path(),
        server: server.root.base().trim_end_matches("/api/v3").to_owned(),
        token: Some(ann.says(&make, "").await.trim().to_owned()),
    };
    assert!(
        limited
            .says(&["project", "list"], "")
            .await
            .contains(&project)
    );
    let (code, _, errors) = limited.runs(&["token", "list"], "").await;
    assert_eq!(code, 4, "{errors}");
    let listed = ann.says(&["token", "list"], "").await;
    assert!(listed.contains("read,execute in one project"), "{listed}");

    root.says(&["user", "disable", "ann"], "").await;
    for person in [&ann, &limited] {
        let (code, _, errors) = person.runs(&["whoami"], "").await;
        assert_eq!(code, 4, "{errors}");
    }
    assert!(
        root.says(&["user", "list"], "")
            .await
            .contains("user, disabled")
    );
    root.says(&["user", "enable", "ann"], "").await;
    assert!(ann.says(&["whoami"], "").await.starts_with("ann at "));
    root.says(&["user", "promote", "ann"], "").await;
    assert!(ann.says(&["whoami"], "").await.contains("(superuser)"));
    root.says(&["user", "demote", "ann"], "").await;
    assert!(!ann.says(&["whoami"], "").await.contains("(superuser)"));
}
