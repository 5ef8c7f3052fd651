//! The network between agents and server: streams of bytes in order, as TCP gives them.
//!
//! Bytes are late, stand still while a way is cut, and are lost when a connection breaks. What a dead process leaves is told to the other
//! side, what a machine without power leaves is not, until the other side asks.

use super::dice::Dice;
use super::trace::Trace;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Sleep};

/// Bytes that one way of a connection holds: the buffers of both kernels.
const CAPACITY: usize = 256 * 1024;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// From an agent to the server.
    Up,
    /// From the server to an agent.
    Down,
}

/// The network; clones are the same one.
#[derive(Clone)]
pub(super) struct Net(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    dice: Dice,
    trace: Trace,
    /// Fires when a way opens or the server begins to listen.
    changed: Notify,
}

#[derive(Default)]
struct State {
    links: BTreeMap<usize, Link>,
    last_link: usize,
    /// Ways that are cut, by agent.
    cut: BTreeSet<(usize, Way)>,
    /// Where the server takes connections; nothing while there is none.
    door: Option<mpsc::UnboundedSender<Stream>>,
}

struct Link {
    agent: usize,
    up: Pipe,
    down: Pipe,
    /// Something between the two has forgotten it: the agent hears that, the server nothing any more.
    forgotten: bool,
}

#[derive(Default)]
struct Pipe {
    segments: VecDeque<Segment>,
    held: usize,
    /// The sending side closed it in order, behind its last segment.
    closed: bool,
    /// Nobody reads it any more.
    unread: bool,
    /// It broke: neither side hears anything more.
    broken: bool,
    /// The sending machine is without power: nothing comes any more, not even an end.
    silent: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Segment {
    arrives: Instant,
    bytes: VecDeque<u8>,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }

    fn break_off(&mut self) {
        self.broken = true;
        self.segments.clear();
        self.wake();
    }
}

impl Link {
    /// Whether the end that sends this way is told that there is no such connection.
    fn is_gone_for(&self, sends: Way) -> bool {
        self.forgotten && sends == Way::Up
    }

    fn pipe(&mut self, way: Way) -> &mut Pipe {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

impl Net {
    pub(super) fn new(dice: Dice, trace: Trace) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            dice,
            trace,
            changed: Notify::new(),
        }))
    }

    /// Begins to take connections for a server; one that listened before does not any more.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<Stream> {
        let (door, connections) = mpsc::unbounded_channel();
        self.0.state.lock().door = Some(door);
        self.0.changed.notify_waiters();
        connections
    }

    /// Takes no more connections.
    pub(super) fn stop_listening(&self) {
        self.0.state.lock().door = None;
    }

    /// The server's process died: its kernel ends every connection. What was on its way down may still arrive.
    pub(super) fn server_died(&self) {
        let mut state = self.0.state.lock();
        state.door = None;
        for link in state.links.values_mut() {
            link.down.closed = true;
            link.up.unread = true;
            link.up.segments.clear();
            link.up.held = 0;
            link.down.wake();
            link.up.wake();
        }
    }

    /// A machine lost its power: the others hear nothing of it. `None` is the server's.
    pub(super) fn power_lost(&self, agent: Option<usize>) {
        let mut state = self.0.state.lock();
        if agent.is_none() {
            state.door = None;
        }
        for link in state.links.values_mut() {
            if agent.is_some_and(|agent| agent != link.agent) {
                continue;
            }
            let (sending, hearing) = match agent {
                Some(_) => (&mut link.up, &mut link.down),
                None => (&mut link.down, &mut link.up),
            };
            sending.silent = true;
            sending.wake();
            hearing.segments.clear();
            hearing.held = 0;
            hearing.silent = true;
            hearing.wake();
        }
    }

    /// The machine is up again: it answers what still comes from before with a reset.
    pub(super) fn power_back(&self, agent: Option<usize>) {
        let mut state = self.0.state.lock();
        for link in state.links.values_mut() {
            let is_its = agent.is_none_or(|agent| agent == link.agent);
            if is_its && (link.up.silent || link.down.silent) {
                link.up.break_off();
                link.down.break_off();
            }
        }
    }

    /// Nothing goes this way until [`Self::mend`].
    pub(super) fn cut(&self, agent: usize, way: Way) {
        self.0.state.lock().cut.insert((agent, way));
    }

    /// What stood still goes on.
    pub(super) fn mend(&self, agent: usize) {
        let mut state = self.0.state.lock();
        state.cut.remove(&(agent, Way::Up));
        state.cut.remove(&(agent, Way::Down));
        for link in state.links.values_mut().filter(|link| link.agent == agent) {
            link.up.wake();
            link.down.wake();
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Breaks every connection of an agent; bytes on their way are lost.
    pub(super) fn disconnect(&self, agent: usize) {
        let mut state = self.0.state.lock();
        for link in state.links.values_mut().filter(|link| link.agent == agent) {
            link.up.break_off();
            link.down.break_off();
        }
    }

    /// Something on the way forgets every connection of an agent, as a router does that was started anew: the agent is told so, and the
    /// server believes that the connection is there.
    pub(super) fn forget(&self, agent: usize) {
        let mut state = self.0.state.lock();
        for link in state.links.values_mut().filter(|link| link.agent == agent) {
            link.forgotten = true;
            for pipe in [&mut link.up, &mut link.down] {
                pipe.silent = true;
                pipe.wake();
            }
        }
    }

    /// Connects an agent with the server. Waits while a way is cut, as a kernel does that hears nothing.
    pub(super) async fn connect(&self, agent: usize) -> io::Result<Stream> {
        loop {
            let changed = self.0.changed.notified();
            {
                let state = self.0.state.lock();
                let is_cut = [Way::Up, Way::Down]
                    .iter()
                    .any(|way| state.cut.contains(&(agent, *way)));
                if !is_cut {
                    break;
                }
            }
            changed.await;
        }
        pass(self.0.dice.millis(0..30)).await;
        let mut state = self.0.state.lock();
        let Some(door) = state.door.clone() else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        state.last_link += 1;
        let number = state.last_link;
        let link = Link {
            agent,
            up: Pipe::default(),
            down: Pipe::default(),
            forgotten: false,
        };
        state.links.insert(number, link);
        drop(state);
        self.0
            .trace
            .line(format!("agent {agent} connects, link {number}"));
        if door.send(self.end_of(number, Way::Down)).is_err() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(self.end_of(number, Way::Up))
    }

    fn end_of(&self, link: usize, sends: Way) -> Stream {
        Stream {
            net: self.clone(),
            link,
            sends,
            timer: None,
        }
    }
}

/// Lets simulated time pass.
pub(super) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// One end of a connection.
pub(super) struct Stream {
    net: Net,
    link: usize,
    sends: Way,
    /// Wakes the reader when the next bytes arrive.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    fn hears(&self) -> Way {
        match self.sends {
            Way::Up => Way::Down,
            Way::Down => Way::Up,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (number, way) = (self.link, self.hears());
        let shared = self.net.0.clone();
        let mut state = shared.state.lock();
        let is_cut = |state: &State, agent| state.cut.contains(&(agent, way));
        let sends = self.sends;
        let link = state.links.get(&number);
        let Some(agent) = link.and_then(|link| (!link.is_gone_for(sends)).then_some(link.agent))
        else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let cut = is_cut(&state, agent);
        let Some(pipe) = state.links.get_mut(&number).map(|link| link.pipe(way)) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if pipe.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        pipe.reader = Some(ctx.waker().clone());
        if cut || pipe.silent {
            return Poll::Pending;
        }
        let Some(segment) = pipe.segments.front_mut() else {
            return if pipe.closed {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        };
        if segment.arrives > Instant::now() {
            let arrives = segment.arrives;
            drop(state);
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(arrives)));
            timer.as_mut().reset(arrives);
            if timer.as_mut().poll(ctx).is_pending() {
                return Poll::Pending;
            }
            ctx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut count = segment.bytes.len().min(buffer.remaining());
        // A stream has no borders: a reader may get any part of what was written.
        if count > 1 && shared.dice.once_in(16) {
            count = shared.dice.index(1..count);
        }
        let bytes: Vec<u8> = segment.bytes.drain(..count).collect();
        buffer.put_slice(&bytes);
        if segment.bytes.is_empty() {
            pipe.segments.pop_front();
        }
        pipe.held -= count;
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        drop(state);
        shared.trace.bytes(number, way == Way::Up, count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let shared = self.net.0.clone();
        let mut state = shared.state.lock();
        let Some(link) = state.links.get_mut(&self.link) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let agent = link.agent;
        let is_gone = link.is_gone_for(self.sends);
        let pipe = link.pipe(self.sends);
        if is_gone || pipe.broken || pipe.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let (unread, silent) = (pipe.unread, pipe.silent);
        let cut = state.cut.contains(&(agent, self.sends));
        let Some(pipe) = state
            .links
            .get_mut(&self.link)
            .map(|link| link.pipe(self.sends))
        else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if unread && !silent && !cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(CAPACITY - pipe.held);
        if count == 0 {
            pipe.writer = Some(ctx.waker().clone());
            return Poll::Pending;
        }
        let earliest = pipe.segments.back().map(|segment| segment.arrives);
        let arrives = Instant::now() + shared.dice.millis(0..40);
        pipe.segments.push_back(Segment {
            arrives: earliest.map_or(arrives, |earliest| earliest.max(arrives)),
            bytes: bytes[..count].iter().copied().collect(),
        });
        pipe.held += count;
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.net.0.state.lock();
        if let Some(link) = state.links.get_mut(&self.link) {
            let pipe = link.pipe(self.sends);
            pipe.closed = true;
            pipe.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (sends, hears) = (self.sends, self.hears());
        let mut state = self.net.0.state.lock();
        let Some(link) = state.links.get_mut(&self.link) else {
            return;
        };
        link.pipe(sends).closed = true;
        link.pipe(hears).unread = true;
        link.pipe(sends).wake();
        link.pipe(hears).wake();
        let is_over = link.up.closed && link.up.unread && link.down.closed && link.down.unread;
        if is_over {
            state.links.remove(&self.link);
        }
    }
}
