//! The working loop of a session: gathers frames, applies them, answers, hands out builds.

use super::connect::{Connected, Turned};
use super::incoming::Incoming;
use super::journal::{Applied, Halt, Journals};
use super::patience::patiently;
use super::refusal::{Breach, RefusalKind};
use super::session::{End, FRAMES};
use super::store::Agents;
use crate::builds::{AgentSlots, BuildsError, HeldLease};
use std::collections::HashSet;
use std::time::Duration;
use testhide_protocol::api::AgentMode;
use testhide_protocol::wire::{Assignment, Lease, ServerMessage};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How often leases are looked at although nothing woke the session: an older session of the same agent may have claimed one last build.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long a session goes on after the disk had no room for a file. Then the agent comes back and sends the file again.
const NO_ROOM_PATIENCE: Duration = Duration::from_secs(30);

/// What working knows in one session.
pub(super) struct Working {
    agents: Agents,
    connected: Connected,
    slots: AgentSlots,
    journals: Journals,
    to_agent: mpsc::Sender<ServerMessage>,
    /// Cancels that were told in this session.
    told: HashSet<Lease>,
    /// What the agent believes to hold.
    holding: Vec<Lease>,
    /// It did not take something, so it gets nothing more before it connects anew.
    declined: bool,
    /// When the session ends because files wait for room on the disk.
    ends_at: Option<Instant>,
}

impl Working {
    pub(super) fn new(
        agents: Agents,
        connected: Connected,
        to_agent: mpsc::Sender<ServerMessage>,
    ) -> Self {
        let slots = AgentSlots {
            agent: connected.agent,
            name: connected.name.clone(),
            labels: connected.labels.clone(),
            capacity: connected.capacity,
        };
        let journals = Journals::new(agents.clone(), connected.peer(), connected.capacity);
        let holding = connected
            .resumed
            .resume
            .iter()
            .map(|resume| resume.lease)
            .collect();
        Self {
            agents,
            connected,
            slots,
            journals,
            to_agent,
            told: HashSet::new(),
            holding,
            declined: false,
            ends_at: None,
        }
    }

    /// Works until the session ends.
    pub(super) async fn run(&mut self, mut frames: mpsc::Receiver<Incoming>) -> End {
        let mut changes = self.agents.builds.changes();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gathered = Vec::with_capacity(FRAMES);
        for assignment in std::mem::take(&mut self.connected.resumed.again) {
            if let Err(end) = self.assign(assignment).await {
                return end;
            }
        }
        loop {
            let ends_at = self.ends_at;
            // What comes seldom goes first, and frames that never end do not hold up a change: after each handful it has its turn.
            let outcome = tokio::select! {
                biased;
                () = until(ends_at) => {
                    let reason = "the disk has no room for files; what waits is asked for again";
                    return End::Turned(Turned::for_now("store", reason));
                }
                _ = look.tick() => self.hand_out().await.or_else(waits),
                count = frames.recv_many(&mut gathered, FRAMES) => {
                    if count == 0 {
                        return End::Gone("it closed the connection".to_owned());
                    }
                    match self.apply(std::mem::take(&mut gathered)).await {
                        Ok(()) if changes.has_rung() => self.hand_out().await.or_else(waits),
                        outcome => outcome,
                    }
                }
                () = changes.rung() => self.hand_out().await.or_else(waits),
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    async fn apply(&mut self, frames: Vec<Incoming>) -> Result<(), End> {
        for frame in &frames {
            if let Incoming::Declined { lease, reason } = frame {
                self.declined(*lease, reason).await?;
            }
        }
        for applied in self.journals.take(frames).await.map_err(halted)? {
            let message = match applied {
                Applied::Stored { lease, seq } => ServerMessage::Ack { lease, seq },
                Applied::Abandon { lease, reason } => ServerMessage::Abandon { lease, reason },
            };
            self.say(message).await?;
        }
        if self.journals.is_stuck() {
            self.ends_at
                .get_or_insert_with(|| Instant::now() + NO_ROOM_PATIENCE);
        }
        Ok(())
    }

    /// Gives the agent what it has room for, and tells it what to end.
    async fn hand_out(&mut self) -> Result<(), Stop> {
        let (builds, agent) = (self.agents.builds.clone(), self.connected.agent);
        for (lease, reason) in builds.cancels_for(agent)? {
            if self.told.insert(lease) {
                self.say(ServerMessage::Cancel { lease, reason }).await?;
            }
        }
        for lease in builds.taken_from(agent, &self.holding)? {
            let reason = "it was given up".to_owned();
            self.say(ServerMessage::Abandon { lease, reason }).await?;
        }
        let held = builds.leases_of(agent)?;
        self.journals
            .hold(held.iter().map(|held| held.lease).collect());
        let (known, unknown): (Vec<HeldLease>, Vec<HeldLease>) = held
            .into_iter()
            .partition(|held| self.holding.contains(&held.lease));
        self.holding = known.into_iter().map(|held| held.lease).collect();
        // An older session of this agent claimed these on its way out, and the agent never heard of them.
        for held in unknown {
            if let Some(assignment) = builds.again(held).await? {
                self.assign(assignment).await?;
            }
        }
        let record = self.agents.record(agent).map_err(BuildsError::from)?;
        let Some(record) = record.filter(|record| record.public_key == self.connected.key) else {
            let reason = "it was removed, or has a new key";
            return Err(Stop::Ends(End::Turned(Turned {
                retry: false,
                ..Turned::for_now("unknown_agent", reason)
            })));
        };
        let may_take = record.mode.mode == AgentMode::Ready;
        while may_take
            && !self.declined
            && let Some(assignment) = builds.claim(&self.slots).await?
        {
            self.assign(assignment).await?;
        }
        Ok(())
    }

    async fn assign(&mut self, assignment: Assignment) -> Result<(), End> {
        self.holding.push(assignment.lease);
        let assignment = Box::new(assignment);
        self.say(ServerMessage::Assign { assignment }).await
    }

    /// The agent does not take a build: others may, and this session is given no more.
    async fn declined(&mut self, lease: Lease, reason: &str) -> Result<(), End> {
        let (builds, agent) = (&self.agents.builds, self.connected.agent);
        let held = builds.leases_of(agent).map_err(failed)?;
        let Some(held) = held.into_iter().find(|held| held.lease == lease) else {
            if !builds.was_given(agent, lease).map_err(failed)? {
                let reason = "it declines what it was never given";
                let breach = Breach::new(RefusalKind::ForeignLease, reason);
                self.agents.refused(&self.connected.peer(), &breach).await;
            }
            return Ok(());
        };
        self.declined = true;
        self.holding.retain(|own| *own != lease);
        let plain = reason.chars().filter(|c| !c.is_control());
        let reason: String = plain.take(200).collect();
        let words = format!("its agent declined it: {reason}");
        self.agents.note_error(agent, &words);
        let declining = || builds.decline(held, words.clone());
        patiently(declining).await.map_err(failed)
    }

    async fn say(&self, message: ServerMessage) -> Result<(), End> {
        self.to_agent
            .send(message)
            .await
            .map_err(|_| End::Gone("its session ended".to_owned()))
    }
}

/// Waits for a moment that may never come.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Why handing out stopped.
enum Stop {
    /// The session ends.
    Ends(End),
    /// Nothing can be written now; what is to be handed out is looked at again later.
    ReadOnly,
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::Ends(end)
    }
}

impl From<BuildsError> for Stop {
    fn from(error: BuildsError) -> Self {
        if error.is_read_only() {
            Self::ReadOnly
        } else {
            Self::Ends(failed(error))
        }
    }
}

fn waits(stop: Stop) -> Result<(), End> {
    match stop {
        Stop::Ends(end) => Err(end),
        Stop::ReadOnly => Ok(()),
    }
}

fn failed(error: BuildsError) -> End {
    halted(error.into())
}

fn halted(halt: Halt) -> End {
    match halt {
        Halt::Breach(breach) => End::Turned(Turned::broken(breach)),
        Halt::Failed(reason) => End::Turned(Turned::for_now("store", reason)),
        Halt::Storage(error) => End::Turned(Turned::for_now("store", error.to_string())),
    }
}
