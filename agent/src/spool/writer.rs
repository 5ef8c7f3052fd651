//! The thread that owns an attempt's journal: compresses and appends in the order in which it is told, away from whoever reads
//! the pipes.

use std::time::Duration;

use testhide_protocol::wire::{AttemptEnd, RecordBody};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::directory::SpoolError;
use super::journal::{Journal, RawChunk};

/// Chunks that may wait for the disk before the pipes are left unread: 4 MiB, so that a sync stalls no step.
const QUEUE: usize = 16;

enum Command {
    Chunk(RawChunk),
    Record(RecordBody),
    Sync(oneshot::Sender<Result<(), SpoolError>>),
    End(
        AttemptEnd,
        Option<String>,
        oneshot::Sender<Result<(), SpoolError>>,
    ),
}

/// Sends to the journal's thread.
///
/// After the disk has refused something, output and records are dropped (the log must not have a hole in its middle), and only
/// [`Self::end`] is tried again.
#[derive(Debug, Clone)]
pub(crate) struct JournalWriter {
    commands: mpsc::Sender<Command>,
}

impl JournalWriter {
    /// Starts the thread; it ends when the last sender is dropped. `on_error` hears the first failure.
    pub(crate) fn start(
        journal: Journal,
        on_error: impl FnOnce(&SpoolError) + Send + 'static,
    ) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || write(&runtime, journal, queue, on_error));
        Self { commands }
    }

    /// Appends output. Waits only when the disk is slower than the output.
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
        result
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
        result
            .await
            .expect("the journal's thread answers before it ends")
    }

    async fn send(&self, command: Command) {
        let sent = self.commands.send(command).await;
        assert!(
            sent.is_ok(),
            "the journal's thread lives as long as its senders"
        );
    }
}

fn write(
    runtime: &Handle,
    mut journal: Journal,
    mut queue: mpsc::Receiver<Command>,
    on_error: impl FnOnce(&SpoolError),
) {
    const LONG: Duration = Duration::from_secs(3600);
    let mut on_error = Some(on_error);
    let broken =
        || SpoolError::at("journal".as_ref())(std::io::Error::other("an earlier write failed"));
    loop {
        let wait = journal.sync_due_in().unwrap_or(LONG);
        let command = runtime.block_on(async { tokio::time::timeout(wait, queue.recv()).await });
        let result = match command {
            Ok(None) => break,
            Ok(Some(Command::Chunk(_) | Command::Record(_))) if on_error.is_none() => Ok(()),
            Ok(Some(Command::Chunk(raw))) => journal.append_chunk(raw),
            Ok(Some(Command::Record(body))) => journal.append_record(&body),
            Ok(Some(Command::Sync(answer))) => {
                let result = if on_error.is_some() {
                    journal.sync()
                } else {
                    Err(broken())
                };
                // Who asked may have been dropped; the journal is synced all the same.
                drop(answer.send(result));
                Ok(())
            }
            Ok(Some(Command::End(end, message, answer))) => {
                drop(answer.send(journal.end(end, message)));
                Ok(())
            }
            Err(_) => Ok(()),
        };
        let result = result.and_then(|()| journal.sync_if_due());
        if let (Err(error), true) = (&result, on_error.is_some())
            && let Some(tell) = on_error.take()
        {
            tell(error);
        }
    }
    if let Err(error) = journal.sync() {
        tracing::warn!(%error, "a journal's last bytes are not durable");
    }
}
