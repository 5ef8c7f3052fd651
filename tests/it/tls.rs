//! TLS: HTTPS and WSS with the operator's certificate, and a certificate that is renewed.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Certificate;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testhide::app::{App, serve};
use testhide::config::{Environment, Overrides, Settings};
use testhide::kit::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Writes a new certificate for this machine and its key; gives the certificate in PEM.
fn write_certificate(dir: &Path) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(dir.join("cert.pem"), cert.pem()).expect("a file");
    std::fs::write(dir.join("key.pem"), signing_key.serialize_pem()).expect("a file");
    cert.pem()
}

/// Whether a client that trusts only this certificate reaches the server.
async fn reaches(address: std::net::SocketAddr, trusted: &str) -> bool {
    let certificate = Certificate::from_pem(trusted.as_bytes()).expect("PEM");
    let client = reqwest::Client::builder()
        .tls_certs_only([certificate])
        .resolve("localhost", address)
        .build()
        .expect("a client");
    let url = format!("https://localhost:{}/livez", address.port());
    client
        .get(url)
        .send()
        .await
        .is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    testhide_agent::install_crypto();
    let dir = tempfile::tempdir().expect("a directory");
    let first = write_certificate(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let environment = [
        ("TESTHIDE_DATA_DIR", path("data")),
        ("USE_SSL", "true".to_owned()),
        ("CERT_FILE", path("cert.pem")),
        ("CERT_KEY", path("key.pem")),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let settings =
        Settings::load(&Overrides::default(), &Environment(environment.into())).expect("settings");
    let app = App::open(&settings, Clock::system()).expect("a server");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let shutdown = CancellationToken::new();
    let serving = serve(app.clone(), listener, shutdown.clone()).expect("it serves");
    let certificate = app.certificate.clone().expect("a certificate");

    // Somebody who never shakes hands keeps nobody waiting.
    let _silent = tokio::net::TcpStream::connect(serving.address)
        .await
        .expect("a connection");
    let plain = format!("http://{}/livez", serving.address);
    assert!(reqwest::get(plain).await.is_err(), "no HTTP without TLS");
    assert!(reaches(serving.address, &first).await);
    assert!(!certificate.reload().expect("the same files"));

    let second = write_certificate(dir.path());
    assert!(!reaches(serving.address, &second).await);
    assert!(certificate.reload().expect("new files"));
    assert!(reaches(serving.address, &second).await);
    assert!(!reaches(serving.address, &first).await);

    std::fs::write(dir.path().join("key.pem"), "no key").expect("a file");
    let error = certificate.reload().expect_err("no key").to_string();
    assert!(error.contains("key.pem"), "{error}");
    assert!(
        reaches(serving.address, &second).await,
        "the one in force stays"
    );
    shutdown.cancel();
    drop(app);
    serving.ended().await.expect("an end in order");
}

/// Ends the server when the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_binary_serves_https_to_its_own_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    write_certificate(dir.path());
    let certificate = dir.path().join("cert.pem");
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testhide"));
        command.env_clear().env("HOME", dir.path());
        command
    };
    let mut server = program()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("USE_SSL", "true")
        .env("CERT_FILE", &certificate)
        .env("CERT_KEY", dir.path().join("key.pem"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let stdout = server.stdout.take().expect("a pipe");
    let _ended = Ended(server);
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("its address");
    let port = line.trim().rsplit(':').next().expect("a port");
    assert!(line.contains("listens on https://127.0.0.1:"), "{line}");

    let ask = |trusted: Option<&Path>| {
        let mut command = program();
        command.args(["whoami", "--server", &format!("https://localhost:{port}")]);
        if let Some(trusted) = trusted {
            command.env("SSL_CERT_FILE", trusted);
        }
        let output = command.output().expect("the binary runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, errors) = ask(Some(&certificate));
    assert_eq!(
        code,
        Some(4),
        "it is reached and asks for a login: {errors}"
    );
    let (code, errors) = ask(None);
    assert_eq!(code, Some(6), "a certificate that nobody trusts: {errors}");
}

#[test]
fn wrong_files_are_told_at_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    write_certificate(dir.path());
    let check = |certificate: &str, key: &str, expected: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_testhide"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("HOME", dir.path())
            .env("USE_SSL", "true")
            .env("CERT_FILE", dir.path().join(certificate))
            .env("CERT_KEY", dir.path().join(key))
            .output()
            .expect("the binary runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    };
    check("missing.pem", "key.pem", "missing.pem");
    check("cert.pem", "missing.pem", "missing.pem");
    check("key.pem", "key.pem", "cannot be used");
}
