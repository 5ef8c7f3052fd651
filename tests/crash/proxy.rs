//! The line between an agent and its server: it counts what passes, stands still, or is cut.
//!
//! It outlives both ends, so a server may come back on another port. A line that stands still takes and gives nothing but breaks nothing
//! either, as a network that drops every packet: both ends must find out by themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes that pass at once: small, so that a moment between two of them may lie inside a frame.
const PORTION: usize = 4096;

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything passes.
    Open,
    /// Nothing moves, and nobody is told.
    Still,
    /// Connections break, and new ones break at once.
    Cut,
}

/// A line to the server, for one agent.
pub(crate) struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    passed: watch::Receiver<u64>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// An open line to wherever the server is.
    pub(crate) async fn start(server: watch::Receiver<Option<SocketAddr>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (line, state) = watch::channel(Line::Open);
        let (count, passed) = watch::channel(0);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, server, state, Arc::new(count)));
        Self {
            address,
            line,
            passed,
            _connections: connections,
        }
    }

    /// Where the agent finds its server.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how the line is.
    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Waits until `more` further bytes have passed, both ways counted.
    pub(crate) async fn passes(&self, more: u64) {
        let mut passed = self.passed.clone();
        let target = *passed.borrow_and_update() + more;
        let reached = passed.wait_for(|passed| *passed >= target).await;
        drop(reached.expect("the line lives as long as its case"));
    }
}

async fn accept(
    listener: TcpListener,
    server: watch::Receiver<Option<SocketAddr>>,
    line: watch::Receiver<Line>,
    count: Arc<watch::Sender<u64>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let agent = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((agent, _)) = agent else { continue };
        let server = server.clone();
        let (line, count) = (line.clone(), Arc::clone(&count));
        connections.spawn(async move { connect(agent, &server, line, count).await });
    }
}

async fn connect(
    agent: TcpStream,
    server: &watch::Receiver<Option<SocketAddr>>,
    mut line: watch::Receiver<Line>,
    count: Arc<watch::Sender<u64>>,
) {
    if !is_open(&mut line).await {
        return;
    }
    let address = *server.borrow();
    let Some(address) = address else { return };
    let Ok(server) = TcpStream::connect(address).await else {
        return;
    };
    for end in [&agent, &server] {
        drop(end.set_nodelay(true));
    }
    let (from_agent, to_agent) = agent.into_split();
    let (from_server, to_server) = server.into_split();
    // When one way ends, both do: a half-open connection is nothing that agents or servers make.
    tokio::select! {
        () = pass(from_agent, to_server, line.clone(), &count) => {}
        () = pass(from_server, to_agent, line.clone(), &count) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    count: &watch::Sender<u64>,
) {
    let mut portion = [0; PORTION];
    while is_open(&mut line).await {
        let read = tokio::select! {
            read = from.read(&mut portion) => read,
            _ = line.changed() => continue,
        };
        let Ok(length @ 1..) = read else { return };
        // What was on its way when the line stood still arrives when it moves again.
        if !is_open(&mut line).await || to.write_all(&portion[..length]).await.is_err() {
            return;
        }
        count.send_modify(|passed| *passed += length as u64);
    }
}

/// Waits while the line stands still; whether it is open then.
async fn is_open(line: &mut watch::Receiver<Line>) -> bool {
    let moves = line.wait_for(|line| *line != Line::Still).await;
    moves.is_ok_and(|line| *line == Line::Open)
}
