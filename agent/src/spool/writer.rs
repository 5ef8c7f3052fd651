//! The thread that owns an attempt's journal: compresses and appends in the order in which it is told, away from whoever reads
//! the pipes.
//!
//! When the attempt's room is used up, or the disk is full, it waits, and with it the pipes and the step: nothing is dropped. The
//! clock of the attempt's work stands still meanwhile, and the log says how long.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{AttemptEnd, RecordBody, Segment};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::directory::SpoolError;
use super::journal::{Encoded, Journal, RawChunk};
use super::room::Room;
use crate::clock::{self, WorkClock};
use crate::threads::answer_of;

/// Chunks that may wait for the disk before the pipes are left unread: 4 MiB, so that a sync stalls no step.
const QUEUE: usize = 16;

/// How often a writer that waits looks for room: other processes make it, and nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a journal's thread waits for, more and more hurried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Patience {
    /// Output waits for room.
    Full,
    /// The last output of an attempt that is stopped: it is bounded, and only a full disk is waited for.
    Short,
    /// Nothing is waited for.
    None,
}

/// Why output waited.
#[derive(Debug, Clone, Copy)]
enum Want {
    Room,
    Disk,
}

enum Command {
    Chunk(RawChunk),
    Record(RecordBody),
    LeaveSegment,
    Sync(oneshot::Sender<Result<(), SpoolError>>),
    End(
        AttemptEnd,
        Option<String>,
        oneshot::Sender<Result<(), SpoolError>>,
    ),
}

/// What the thread and its callers share.
#[derive(Debug)]
struct Gate {
    room: Room,
    clock: WorkClock,
    patience: watch::Sender<Patience>,
    /// A wait that the log has not told of.
    untold: Mutex<Option<(Want, Duration)>>,
}

/// Sends to the journal's thread.
///
/// After the disk has refused something for another reason than being full, output and records are dropped (the log must not have a
/// hole in its middle), and only [`Self::end`] is tried again.
#[derive(Debug, Clone)]
pub(crate) struct JournalWriter {
    commands: mpsc::Sender<Command>,
    gate: Arc<Gate>,
}

impl JournalWriter {
    /// Starts the thread; it ends when the last sender is dropped. `clock` stands still while output waits; `on_error` hears the first
    /// failure.
    pub(crate) fn start(
        journal: Journal,
        room: Room,
        clock: WorkClock,
        on_error: impl FnOnce(&SpoolError) + Send + 'static,
    ) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE);
        let gate = Arc::new(Gate {
            room,
            clock,
            patience: watch::Sender::new(Patience::Full),
            untold: Mutex::default(),
        });
        let thread = Thread {
            runtime: Handle::current(),
            journal,
            gate: Arc::clone(&gate),
            on_error: Some(on_error),
            elapsed_ms: 0,
        };
        tokio::task::spawn_blocking(move || thread.run(queue));
        Self { commands, gate }
    }

    /// Appends output. Waits when the disk is slower than the output, and when there is no room.
    pub(crate) async fn chunk(&self, raw: RawChunk) {
        self.send(Command::Chunk(raw)).await;
    }

    /// Appends a record.
    pub(crate) async fn record(&self, body: RecordBody) {
        self.send(Command::Record(body)).await;
    }

    /// Makes everything before this call durable.
    ///
    /// # Errors
    /// When the disk refuses it, or has refused something before.
    pub(crate) async fn sync(&self) -> Result<(), SpoolError> {
        let (answer, result) = oneshot::channel();
        self.send(Command::Sync(answer)).await;
        answer_of(result)
            .await
            .expect("the journal's thread answers before it ends")
    }

    /// Appends the attempt's end; it is durable when this returns.
    ///
    /// # Errors
    /// When the disk refuses it; it may be tried again.
    pub(crate) async fn end(
        &self,
        end: AttemptEnd,
        message: Option<String>,
    ) -> Result<(), SpoolError> {
        let (answer, result) = oneshot::channel();
        self.send(Command::End(end, message, answer)).await;
        answer_of(result)
            .await
            .expect("the journal's thread answers before it ends")
    }

    /// Says what is waited for from now on.
    pub(crate) fn set_patience(&self, patience: Patience) {
        self.gate.patience.send_replace(patience);
    }

    /// Waits until a file of so many bytes may be put into the spool; says whether it may. Blocks its thread.
    pub(crate) fn wait_for_file(&self, bytes: u64, enough: impl Fn() -> bool) -> bool {
        let gate = &self.gate;
        if gate.room.take_file(bytes) {
            return true;
        }
        gate.wait(Want::Room, &Handle::current(), || {
            // What is appended may be deleted once it is delivered, if the journal goes on elsewhere. Each time anew: a disk that was
            // full may have refused it. A queue that is full is asked at the next look.
            drop(self.commands.try_send(Command::LeaveSegment));
            enough() || gate.room.take_file(bytes)
        });
        if *gate.patience.borrow() > Patience::Full {
            gate.room.take_anyway(bytes);
        }
        !enough()
    }

    /// Waits a moment for a disk that was full when a file was copied. Blocks its thread.
    pub(crate) fn wait_for_disk(&self, enough: impl Fn() -> bool) {
        let mut looks = 0;
        self.gate.wait(Want::Disk, &Handle::current(), || {
            looks += 1;
            looks > 20 || enough()
        });
    }

    async fn send(&self, command: Command) {
        let sent = self.commands.send(command).await;
        assert!(
            sent.is_ok(),
            "the journal's thread lives as long as its senders"
        );
    }
}

impl Gate {
    /// Waits until `ready`, or until nobody has the patience. The work clock stands still.
    fn wait(&self, want: Want, runtime: &Handle, mut ready: impl FnMut() -> bool) {
        let pause = self.clock.pause();
        let mut patience = self.patience.subscribe();
        let enough = match want {
            Want::Room => Patience::Short,
            Want::Disk => Patience::None,
        };
        while *patience.borrow_and_update() < enough && !ready() {
            // The sender lives in `self`.
            drop(runtime.block_on(async { timeout(LOOK_EVERY, patience.changed()).await }));
        }
        let before = self.untold.lock().take().map(|(_, waited)| waited);
        *self.untold.lock() = Some((want, before.unwrap_or_default() + pause.stood()));
    }
}

/// The journal and what its thread knows.
struct Thread<F> {
    runtime: Handle,
    journal: Journal,
    gate: Arc<Gate>,
    /// Nothing once the disk has refused something.
    on_error: Option<F>,
    /// Of the last chunk.
    elapsed_ms: u64,
}

impl<F: FnOnce(&SpoolError)> Thread<F> {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        const LONG: Duration = Duration::from_secs(3600);
        loop {
            let wait = self.journal.sync_due_in().unwrap_or(LONG);
            let command = self
                .runtime
                .block_on(async { timeout(wait, queue.recv()).await });
            let result = match command {
                Ok(None) => break,
                Ok(Some(command)) => self.obey(command),
                Err(_) => Ok(()),
            };
            let result = result.and_then(|()| self.journal.sync_if_due());
            if let (Err(error), true) = (&result, self.on_error.is_some())
                && let Some(tell) = self.on_error.take()
            {
                tell(error);
            }
        }
        if let Err(error) = self.journal.sync() {
            tracing::warn!(%error, "a journal's last bytes are not durable");
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), SpoolError> {
        match command {
            Command::Chunk(_) | Command::Record(_) if self.on_error.is_none() => Ok(()),
            Command::Chunk(raw) => self.chunk(raw),
            Command::Record(body) => {
                let record = self.journal.encode_record(&body);
                self.gate.room.take_anyway(record.bytes());
                self.append(&record)
            }
            Command::LeaveSegment => {
                leave_segment(&mut self.journal);
                Ok(())
            }
            Command::Sync(answer) => {
                let result = if self.on_error.is_some() {
                    self.journal.sync()
                } else {
                    let earlier = std::io::Error::other("an earlier write failed");
                    Err(SpoolError::at("journal".as_ref())(earlier))
                };
                // Who asked may have been dropped; the journal is synced all the same.
                drop(answer.send(result));
                Ok(())
            }
            Command::End(end, message, answer) => {
                let result = self.tell_of_wait();
                let result = result.and_then(|()| self.end(end, message.as_ref()));
                drop(answer.send(result));
                Ok(())
            }
        }
    }

    fn chunk(&mut self, raw: RawChunk) -> Result<(), SpoolError> {
        // The raw length: what a compressor can not make larger by more than a few bytes.
        let bytes = raw.bytes.len() as u64;
        if *self.gate.patience.borrow() > Patience::Full {
            self.gate.room.take_anyway(bytes);
        } else if !self.gate.room.take(bytes) {
            self.wait(Want::Room, |gate| gate.room.has_emptied(bytes));
            self.gate.room.take_anyway(bytes);
        }
        self.elapsed_ms = raw.elapsed_ms;
        // Not in the middle of a line of the step's.
        if !self.journal.place().open_line {
            self.tell_of_wait()?;
        }
        let chunk = self.journal.encode_chunk(raw)?;
        self.append(&chunk)
    }

    /// Appends; waits while the disk is full.
    fn append(&mut self, record: &Encoded) -> Result<(), SpoolError> {
        loop {
            match self.journal.append(record) {
                Err(error) if error.is_full() && self.has_patience() => {
                    tracing::warn!(%error, "a build waits for the disk");
                    self.wait_a_moment();
                }
                result => return result,
            }
        }
    }

    fn end(&mut self, end: AttemptEnd, message: Option<&String>) -> Result<(), SpoolError> {
        loop {
            match self.journal.end(end, message.cloned()) {
                Err(error) if error.is_full() && self.has_patience() => {
                    tracing::warn!(%error, "the end of a build waits for the disk");
                    self.wait_a_moment();
                }
                result => return result,
            }
        }
    }

    fn has_patience(&self) -> bool {
        *self.gate.patience.borrow() < Patience::None
    }

    fn wait_a_moment(&mut self) {
        let mut looks = 0;
        self.wait(Want::Disk, |_| {
            looks += 1;
            looks > 20
        });
    }

    /// Waits; what is written meanwhile is synced as always, and left, so that it makes room once the server has it.
    fn wait(&mut self, want: Want, mut ready: impl FnMut(&Gate) -> bool) {
        let gate = Arc::clone(&self.gate);
        let journal = &mut self.journal;
        gate.wait(want, &self.runtime, || {
            leave_segment(journal);
            if let Err(error) = journal.sync_if_due() {
                tracing::warn!(%error, "a journal that waits is not durable");
            }
            ready(&gate)
        });
    }

    /// Tells in the log how long its output waited, once a wait.
    fn tell_of_wait(&mut self) -> Result<(), SpoolError> {
        let Some((want, waited)) = self.gate.untold.lock().take() else {
            return Ok(());
        };
        let why = match want {
            Want::Room => "the server had not taken what this build produced",
            Want::Disk => "the disk of the agent was full",
        };
        let line = format!("the build waited {:.1} s: {why}\n", waited.as_secs_f64());
        let mut bytes = Vec::with_capacity(line.len() + 1);
        if self.journal.place().open_line {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line.as_bytes());
        let len = u32::try_from(bytes.len()).expect("a line is short");
        self.gate.room.take_anyway(len.into());
        let chunk = self.journal.encode_chunk(RawChunk {
            bytes,
            segments: vec![Segment {
                stream: Stream::System,
                len,
            }],
            step: self.journal.place().step,
            time: clock::now(),
            elapsed_ms: self.elapsed_ms,
        })?;
        self.append(&chunk)
    }
}

/// On a full disk the segment goes on; it is left at a later look, when there is room for another.
fn leave_segment(journal: &mut Journal) {
    if let Err(error) = journal.leave_segment() {
        tracing::debug!(%error, "a segment cannot be left");
    }
}
