//! An agent's connections: the last fifty, stored when one begins and when it ends.

use super::error::AgentsError;
use super::model::{StoredConnection, StoredConnections};
use super::store::{Agents, CONNECTIONS};
use crate::storage::{StorageError, WriteTxn};
use std::net::IpAddr;
use testhide_protocol::api::AgentConnection;
use testhide_protocol::{AgentId, Timestamp};

/// Connections that are kept of one agent.
const KEPT: usize = 50;

/// Longest reason that is kept, in characters.
const REASON_MAX: usize = 200;

/// A connection begins; answers its number among the agent's. One that is still open in the store ends here.
///
/// # Errors
/// Failures of the store.
pub(super) fn begin(
    wtxn: &WriteTxn,
    agent: AgentId,
    now: Timestamp,
    address: Option<IpAddr>,
    version: &str,
    boot: u64,
) -> Result<u64, StorageError> {
    let mut table = CONNECTIONS.write(wtxn)?;
    let StoredConnections { mut all } = table.get(&agent)?.unwrap_or_default();
    for open in all.iter_mut().filter(|known| known.ended.is_none()) {
        let (until, why) = if open.boot == boot {
            (Some(now), "a newer connection took its place")
        } else {
            (None, SERVER_STOPPED)
        };
        (open.until, open.ended) = (until, Some(why.to_owned()));
    }
    let number = all.last().map_or(1, |last| last.number + 1);
    all.push(StoredConnection {
        number,
        boot,
        from: now,
        until: None,
        address: address.map(|address| address.to_string()),
        version: version.to_owned(),
        ended: None,
    });
    let first = all.len().saturating_sub(KEPT);
    let all = all.split_off(first);
    table.put(&agent, &StoredConnections { all })?;
    Ok(number)
}

/// What is said of a connection whose end nobody saw.
const SERVER_STOPPED: &str = "the server was stopped";

/// A connection ends; nothing when its end is stored already.
///
/// # Errors
/// Failures of the store.
pub(super) fn end(
    wtxn: &WriteTxn,
    agent: AgentId,
    number: u64,
    now: Timestamp,
    why: &str,
) -> Result<(), StorageError> {
    let mut table = CONNECTIONS.write(wtxn)?;
    let Some(mut known) = table.get(&agent)? else {
        return Ok(());
    };
    let open = known.all.iter_mut().find(|known| known.number == number);
    let Some(open) = open.filter(|open| open.ended.is_none()) else {
        return Ok(());
    };
    let plain = why.chars().filter(|c| !c.is_control());
    open.until = Some(now);
    open.ended = Some(plain.take(REASON_MAX).collect());
    table.put(&agent, &known)
}

impl Agents {
    /// An agent's connections, newest first. One that the store has as open although this server does not know it ended with the server
    /// before.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn connections_of(
        &self,
        agent: AgentId,
    ) -> Result<Vec<AgentConnection>, AgentsError> {
        let known = self
            .storage
            .read(|rtxn| CONNECTIONS.read(rtxn)?.get(&agent))?;
        let shown = |stored: StoredConnection| AgentConnection {
            from: stored.from,
            until: stored.until,
            address: stored.address,
            version: stored.version,
            ended: stored
                .ended
                .or_else(|| (stored.boot != self.boot).then(|| SERVER_STOPPED.to_owned())),
        };
        let all = known.unwrap_or_default().all.into_iter().rev();
        Ok(all.map(shown).collect())
    }

    /// Where an agent's present or last connection came from.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn address_of(&self, agent: AgentId) -> Result<Option<String>, StorageError> {
        let known = self
            .storage
            .read(|rtxn| CONNECTIONS.read(rtxn)?.get(&agent))?;
        let last = known.and_then(|mut known| known.all.pop());
        Ok(last.and_then(|last| last.address))
    }
}

/// Removes what is kept of an agent.
///
/// # Errors
/// Failures of the store.
pub(super) fn remove(wtxn: &WriteTxn, agent: AgentId) -> Result<(), StorageError> {
    CONNECTIONS.write(wtxn)?.remove(&agent)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::OpenOptions;

    #[tokio::test]
    async fn a_connection_that_nobody_closed_ended_with_its_server_or_by_a_newer_one() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let agent = AgentId::generate();
        let write = storage.write(move |wtxn| {
            for (time, boot) in [(1, 7), (2, 7), (3, 8)] {
                let number = begin(wtxn, agent, Timestamp(time), None, "1", boot)?;
                assert_eq!(i64::try_from(number).ok(), Some(time));
            }
            end(wtxn, agent, 3, Timestamp(4), "silent\u{1b}[2J")?;
            end(wtxn, agent, 3, Timestamp(5), "again")?;
            end(wtxn, agent, 9, Timestamp(5), "never was")?;
            for _ in 0..KEPT {
                begin(wtxn, agent, Timestamp(6), None, "1", 8)?;
            }
            end(wtxn, agent, 3, Timestamp(7), "long gone")?;
            CONNECTIONS.write(wtxn)?.get(&agent)
        });
        let all = write.await.unwrap().unwrap().all;
        assert_eq!((all.len(), all[0].number), (KEPT, 4));
        assert!(all[..KEPT - 1].iter().all(|known| known.ended.is_some()));

        let agent = AgentId::generate();
        let write = storage.write(move |wtxn| {
            for (time, boot) in [(1, 7), (2, 7), (3, 8)] {
                begin(wtxn, agent, Timestamp(time), None, "1", boot)?;
            }
            end(wtxn, agent, 3, Timestamp(4), "silent\u{1b}[2J")?;
            CONNECTIONS.write(wtxn)?.get(&agent)
        });
        let all = write.await.unwrap().unwrap().all;
        let told: Vec<_> = all
            .iter()
            .map(|known| (known.until, known.ended.as_deref()))
            .collect();
        let expected = [
            (
                Some(Timestamp(2)),
                Some("a newer connection took its place"),
            ),
            (None, Some(SERVER_STOPPED)),
            (Some(Timestamp(4)), Some("silent[2J")),
        ];
        assert_eq!(told, expected);
    }
}
