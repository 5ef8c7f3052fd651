//! The sending half of a session: heartbeats, then records of every attempt in turn.

use std::time::Duration;

use futures_util::SinkExt;
use testhide_protocol::wire::{AgentMessage, Lease};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::connect::Sender;
use super::cursor::Cursor;
use crate::clock;
use crate::metrics::Meter;
use crate::run::Attempts;

/// How long one frame may take on its way into the system's buffers.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// What the hearing half tells the sending half.
pub(super) enum Command {
    /// Deliver this attempt, too.
    Attach(Cursor),
    /// Up to this record the server has it.
    Acknowledged(Lease, u64),
    /// Nothing more of this attempt.
    Detach(Lease),
    /// Say this.
    Send(AgentMessage),
}

/// Sends until the connection breaks; says why it did.
pub(super) async fn deliver(
    mut sender: Sender,
    attempts: &Attempts,
    meter: &Meter,
    mut cursors: Vec<Cursor>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    heartbeat: Duration,
) -> String {
    let mut beat = interval_at(Instant::now() + heartbeat, heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut sent = false;
        while let Ok(command) = commands.try_recv() {
            if let Some(message) = obey(command, &mut cursors)
                && let Err(why) = feed(&mut sender, message).await
            {
                return why;
            }
        }
        // One frame each, so that a long log does not hold up a short one.
        let mut broken = None;
        for cursor in &mut cursors {
            match cursor.next() {
                Ok(Some(message)) => {
                    sent = true;
                    if let Err(why) = feed(&mut sender, message).await {
                        return why;
                    }
                }
                Ok(None) => {}
                Err(error) => broken = Some((cursor.lease(), error.to_string())),
            }
        }
        if let Some((lease, why)) = broken {
            // The next introduction no longer names it, and the server gives the build to another agent.
            attempts.abandon(&lease, &why);
            return "an attempt cannot be read from the spool".to_owned();
        }
        let beat_now = if sent {
            std::future::poll_fn(|cx| std::task::Poll::Ready(beat.poll_tick(cx).is_ready())).await
        } else {
            match timeout(SEND_LIMIT, sender.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "the server takes nothing".to_owned(),
            }
            tokio::select! {
                biased;
                _ = beat.tick() => true,
                () = attempts.wake().notified() => false,
                command = commands.recv() => {
                    let Some(command) = command else { return "the session is over".to_owned() };
                    if let Some(message) = obey(command, &mut cursors)
                        && let Err(why) = feed(&mut sender, message).await
                    {
                        return why;
                    }
                    false
                }
            }
        };
        if beat_now {
            let message = AgentMessage::Heartbeat {
                time: clock::now(),
                metrics: meter.take(),
            };
            if let Err(why) = feed(&mut sender, text(&message)).await {
                return why;
            }
        }
    }
}

/// Does what the hearing half asks; gives what is to be said.
fn obey(command: Command, cursors: &mut Vec<Cursor>) -> Option<Message> {
    match command {
        Command::Attach(cursor) => cursors.push(cursor),
        Command::Acknowledged(lease, seq) => {
            if let Some(cursor) = cursors.iter_mut().find(|cursor| cursor.lease() == lease) {
                cursor.acknowledged(seq);
            }
        }
        Command::Detach(lease) => cursors.retain(|cursor| cursor.lease() != lease),
        Command::Send(message) => return Some(text(&message)),
    }
    None
}

fn text(message: &AgentMessage) -> Message {
    Message::text(serde_json::to_string(message).expect("a message is plain data"))
}

async fn feed(sender: &mut Sender, message: Message) -> Result<(), String> {
    match timeout(SEND_LIMIT, sender.feed(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the server takes nothing".to_owned()),
    }
}
