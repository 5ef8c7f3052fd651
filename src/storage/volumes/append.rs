//! The volumes' writer thread: gathers appends into commits and begins the next volume in time.

use super::file::VolumeFile;
use super::handle::{VolumeRef, check_of};
use super::read::Files;
use crate::storage::database::Answers;
use crate::storage::disk::DiskGuard;
use crate::storage::error::StorageError;
use crate::storage::thread::WriterThread;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Appends that may wait before callers are held back.
const QUEUE: usize = 256;

/// Bytes after which a gathered commit is closed: about 60 full values, where throughput is at its best.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Size at which the next volume begins.
const ROLL_BYTES: u64 = 1024 * 1024 * 1024;

/// Age at which the next volume begins, so that retention can remove whole files.
const ROLL_AGE: Duration = Duration::from_secs(24 * 60 * 60);

struct Append {
    parts: Vec<Bytes>,
    answer: oneshot::Sender<Result<Vec<VolumeRef>, StorageError>>,
}

enum Message {
    Append(Append),
    /// Make volumes usable again that are not.
    Mend(oneshot::Sender<Result<(), StorageError>>),
    Stop,
}

/// The way to the writer thread.
#[derive(Clone)]
pub(super) struct Appender {
    inbox: mpsc::Sender<Message>,
    answers: Answers,
    /// Last, so that the way to the thread is closed before it is waited for.
    thread: Arc<WriterThread>,
}

impl Appender {
    pub(super) fn start(
        files: Arc<Files>,
        guard: DiskGuard,
        answers: Answers,
    ) -> Result<Self, StorageError> {
        let (inbox, messages) = mpsc::channel(QUEUE);
        let mut writer = Writer {
            files,
            guard,
            current: None,
        };
        // An existing last volume is opened now, so that a damaged one is found at the start and not in the night.
        if let Some(last) = writer.files.numbers().last().copied() {
            let file = writer.files.get(last)?;
            let end = file.end()?;
            let trouble = file.database().trouble();
            writer
                .files
                .set_stuck(trouble.map(|it| file.database().unavailable(&it).to_string()));
            writer.current = Some(Current {
                number: last,
                file,
                end,
            });
        }
        let thread = std::thread::Builder::new()
            .name("volume-writer".into())
            .spawn(move || writer.run(messages))
            .map_err(|source| StorageError::io("start the writer of", "volumes", source))?;
        Ok(Self {
            inbox,
            answers,
            thread: Arc::new(WriterThread::new(thread)),
        })
    }

    pub(super) async fn append(&self, parts: Vec<Bytes>) -> Result<Vec<VolumeRef>, StorageError> {
        if parts.iter().any(|part| u32::try_from(part.len()).is_err()) {
            return Err(StorageError::corrupt(
                "volumes",
                "a part is larger than 4 GiB",
            ));
        }
        let (answer, answered) = oneshot::channel();
        let message = Message::Append(Append { parts, answer });
        self.inbox
            .send(message)
            .await
            .map_err(|_| StorageError::Closing)?;
        let waited = self.answers.wait(answered).await;
        waited.unwrap_or(Err(StorageError::Closing))
    }

    pub(super) async fn mend(&self) -> Result<(), StorageError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.inbox.send(Message::Mend(answer)).await;
        sent.map_err(|_| StorageError::Closing)?;
        let waited = self.answers.wait(answered).await;
        waited.unwrap_or(Err(StorageError::Closing))
    }

    pub(super) async fn close(self) {
        drop(self.inbox.send(Message::Stop).await);
        let thread = self.thread.clone();
        drop(self);
        drop(tokio::task::spawn_blocking(move || thread.join()).await);
    }
}

struct Current {
    number: u32,
    file: Arc<VolumeFile>,
    end: u64,
}

struct Writer {
    files: Arc<Files>,
    guard: DiskGuard,
    current: Option<Current>,
}

impl Writer {
    fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(first) = messages.blocking_recv() {
            let mut bytes = 0;
            let mut group = Vec::new();
            let mut next = Some(first);
            while let Some(Message::Append(append)) = next {
                bytes += append.parts.iter().map(Bytes::len).sum::<usize>();
                group.push(append);
                let has_room = bytes < GROUP_BYTES;
                next = has_room.then(|| messages.try_recv().ok()).flatten();
            }
            if !group.is_empty() {
                self.commit(group);
            }
            match next {
                Some(Message::Mend(answer)) => drop(answer.send(self.mend())),
                Some(Message::Stop) => return,
                Some(Message::Append(_)) | None => {}
            }
        }
    }

    fn commit(&mut self, group: Vec<Append>) {
        match self.append_group(&group) {
            Ok(places) => {
                for (append, places) in group.into_iter().zip(places) {
                    drop(append.answer.send(Ok(places)));
                }
            }
            Err(error) => {
                if !matches!(error, StorageError::ReadOnly { .. }) {
                    self.give_up(&error);
                }
                for append in group {
                    drop(append.answer.send(Err(again(&error))));
                }
            }
        }
    }

    /// The disk failed. What the file holds now is only known by opening it again.
    fn give_up(&mut self, error: &StorageError) {
        self.files.set_stuck(Some(error.to_string()));
        if let Some(current) = self.current.take() {
            current.file.database().give_up(&error.to_string());
        }
    }

    /// Opens every volume again that failed, and the one to write to.
    fn mend(&mut self) -> Result<(), StorageError> {
        let mended = self
            .files
            .troubled()
            .into_iter()
            .map(|file| file.database().mend());
        let mended = mended.fold(Ok(()), Result::and);
        // A new one may have been opened on a full disk.
        self.current()?.file.database().mend()?;
        self.files.set_stuck(None);
        mended
    }

    fn append_group(&mut self, group: &[Append]) -> Result<Vec<Vec<VolumeRef>>, StorageError> {
        self.guard
            .check_hard()
            .map_err(|(free_mb, floor_mb)| StorageError::ReadOnly { free_mb, floor_mb })?;
        let current = self.current()?;
        let mut at = current.end;
        let mut places = Vec::with_capacity(group.len());
        let mut bytes: Vec<&[u8]> = Vec::new();
        for append in group {
            let mut own = Vec::with_capacity(append.parts.len());
            for part in &append.parts {
                let len = u32::try_from(part.len()).expect("looked at when it came");
                own.push(VolumeRef {
                    volume: current.number,
                    position: at,
                    len,
                    check: check_of(part),
                });
                at += u64::from(len);
                bytes.push(part);
            }
            places.push(own);
        }
        current.file.append(current.end, &bytes)?;
        current.end = at;
        Ok(places)
    }

    /// The volume to write to; the next one when the last is full or old.
    fn current(&mut self) -> Result<&mut Current, StorageError> {
        if self.current.is_none()
            && let Some(last) = self.files.numbers().last().copied()
        {
            let file = self.files.get(last)?;
            let end = file.end()?;
            self.current = Some(Current {
                number: last,
                file,
                end,
            });
        }
        let fits = self.current.as_ref().is_some_and(|current| {
            current.end == 0
                || (current.end < ROLL_BYTES && self.files.age(current.number) < ROLL_AGE)
        });
        if !fits {
            let last = self.current.as_ref().map(|current| current.number);
            let (number, file) = self.files.create_after(last)?;
            self.current = Some(Current {
                number,
                file,
                end: 0,
            });
        }
        Ok(self.current.as_mut().expect("a volume was just opened"))
    }
}

/// The same failure for everybody who waited.
fn again(error: &StorageError) -> StorageError {
    match error {
        StorageError::ReadOnly { free_mb, floor_mb } => StorageError::ReadOnly {
            free_mb: *free_mb,
            floor_mb: *floor_mb,
        },
        StorageError::Unavailable { file, what } => StorageError::Unavailable {
            file: file.clone(),
            what: what.clone(),
        },
        other => StorageError::corrupt("volumes", other.to_string()),
    }
}
