//! For tests: a server that says what it is told to say, answer by answer, and breaks off where it is told to.

use super::client::{Client, Patience};
use std::sync::{Arc, Once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// One answer.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Answer {
    /// A status and a JSON body.
    Json(u16, String),
    /// As much of a good answer as these bytes, and then the end of the connection.
    Cut(String, usize),
    /// As [`Answer::Cut`], counted in bytes of the body, which is a part of a file when the request asked for one.
    Part(String, usize),
    /// The end of the connection without a byte.
    Drop,
}

/// A running server.
pub(in crate::cli) struct TestServer {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl TestServer {
    /// A server that answers each request by what `script` says about its first line and number.
    pub(in crate::cli) async fn start(
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_headers(move |head, number| script(first_line(head), number)).await
    }

    /// As [`TestServer::start`], for answers that depend on headers: `script` is given the whole head of the request, its headers in small letters.
    pub(in crate::cli) async fn start_with_headers(
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        #[expect(clippy::disallowed_methods, reason = "the test ends this task itself")]
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                serve(stream, &script, &heard).await;
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    /// A client of it.
    pub(in crate::cli) fn client(&self) -> Client {
        Client::new(
            &self.address,
            Some("th_pat_test".to_owned()),
            Patience::Talk,
        )
        .expect("the address is good")
    }

    /// The first lines of all requests so far.
    pub(in crate::cli) async fn asked(&self) -> Vec<String> {
        self.asked.lock().await.clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The cryptography that an HTTP client asks for, as `main` installs it.
pub(in crate::cli) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// Method and path of a request.
fn first_line(head: &str) -> &str {
    let line = head.lines().next().unwrap_or_default();
    line.trim_end_matches(" HTTP/1.1")
}

/// One request, one answer, one connection.
async fn serve(
    mut stream: TcpStream,
    script: &(impl Fn(&str, usize) -> Answer + Send + Sync),
    asked: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(length) if length > 0 => request.extend_from_slice(&part[..length]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let line = first_line(&text).to_owned();
    let head: String = text
        .split_inclusive('\n')
        .enumerate()
        .map(|(place, line)| match place {
            0 => line.to_owned(),
            _ => line.to_ascii_lowercase(),
        })
        .collect();
    let number = {
        let mut asked = asked.lock().await;
        asked.push(line.clone());
        asked.len()
    };
    let whole = |status: u16, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let bytes = match script(&head, number) {
        Answer::Json(status, body) => whole(status, &body).into_bytes(),
        Answer::Cut(body, bytes) => whole(200, &body).into_bytes()[..bytes].to_vec(),
        Answer::Part(body, bytes) => {
            let status = if head.contains("\nrange: ") { 206 } else { 200 };
            let mut answer = whole(status, &body).into_bytes();
            answer.truncate((answer.len() - body.len()).saturating_add(bytes));
            answer
        }
        Answer::Drop => Vec::new(),
    };
    // The client may be gone.
    drop(stream.write_all(&bytes).await);
    drop(stream.shutdown().await);
}
