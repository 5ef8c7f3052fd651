//! Use case: is the audit log whole?

use super::chain::{Broken, Chain};
use super::store::{Audit, ENTRIES};
use crate::storage::StorageError;
use testhide_protocol::api::AuditVerification;

impl Audit {
    /// Checks every entry of the log against the one before. `known` is an entry that somebody wrote down earlier, by number and hash:
    /// the log is intact only if it is still there. Reads the whole log.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn verify(&self, known: Option<(u64, &str)>) -> Result<AuditVerification, StorageError> {
        let (chain, mut broken, is_there) = self.storage.read(|rtxn| {
            let mut chain = Chain::default();
            let mut is_there = known.is_none();
            for row in ENTRIES.read(rtxn)?.all()? {
                let (seq, stored) = match row {
                    Ok(row) => row,
                    Err(StorageError::Corrupt { .. }) => {
                        let seq = chain.last_seq + 1;
                        let what = "cannot be read";
                        return Ok((chain, Some(Broken { seq, what }), is_there));
                    }
                    Err(error) => return Err(error),
                };
                let gap = seq != chain.last_seq + 1;
                let added = if gap {
                    let (seq, what) = (chain.last_seq + 1, "is missing");
                    Err(Broken { seq, what })
                } else {
                    chain.add(&stored.body, stored.hash)
                };
                if let Err(broken) = added {
                    return Ok((chain, Some(broken), is_there));
                }
                is_there |= known.is_some_and(|(known, hash)| known == seq && hash == chain.head());
            }
            Ok((chain, None, is_there))
        })?;
        if let (None, false, Some((seq, _))) = (&broken, is_there, known) {
            let what = "is not there with this hash";
            broken = Some(Broken { seq, what });
        }
        Ok(AuditVerification {
            intact: broken.is_none(),
            entries: chain.entries,
            last_seq: chain.last_seq,
            head: chain.head(),
            reason: broken.as_ref().map(ToString::to_string),
            broken_at: broken.map(|broken| broken.seq),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::store::StoredEntry;
    use crate::audit::{Entry, append, object, user};
    use crate::kit::Clock;
    use crate::storage::OpenOptions;
    use testhide_protocol::Timestamp;

    #[tokio::test]
    async fn what_was_changed_or_taken_out_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let audit = Audit::new(storage.clone(), Clock::manual(Timestamp(0)));
        let empty = audit.verify(None).unwrap();
        assert!(empty.intact && empty.last_seq == 0);
        let fill = storage.write(|wtxn| {
            for number in 0..5 {
                let entry = Entry::done(
                    user(number, "ann"),
                    "agent.drained",
                    object("agent", None, None),
                );
                append(wtxn, Timestamp(number), &entry)?;
            }
            Ok::<_, StorageError>(())
        });
        fill.await.unwrap();
        let whole = audit.verify(None).unwrap();
        assert!(whole.intact, "{whole:?}");
        assert_eq!((whole.entries, whole.last_seq), (5, 5));
        let known = Some((5, whole.head.as_str()));
        assert!(audit.verify(known).unwrap().intact);
        assert_eq!(
            audit.verify(Some((4, &whole.head))).unwrap().broken_at,
            Some(4)
        );

        // The last one is cut off: only who knew it can tell.
        let last = storage.write(|wtxn| {
            let mut entries = ENTRIES.write(wtxn)?;
            let last = entries.get(&5)?;
            entries.remove(&5)?;
            Ok::<_, StorageError>(last)
        });
        let last = last.await.unwrap().unwrap();
        assert!(audit.verify(None).unwrap().intact);
        assert_eq!(audit.verify(known).unwrap().broken_at, Some(5));

        // One is changed, with a hash that fits the change: the next one does not fit it.
        let forged = storage.write(move |wtxn| {
            let mut entries = ENTRIES.write(wtxn)?;
            entries.put(&5, &last)?;
            let third = entries.get(&3)?.unwrap();
            let body = String::from_utf8(third.body)
                .unwrap()
                .replace("ann", "bob")
                .into_bytes();
            let hash = super::super::chain::hash_of(&body);
            entries.put(&3, &StoredEntry { body, hash })
        });
        forged.await.unwrap();
        assert_eq!(audit.verify(None).unwrap().broken_at, Some(4));

        // One is gone from the middle.
        storage
            .write(|wtxn| ENTRIES.write(wtxn)?.remove(&2))
            .await
            .unwrap();
        let gone = audit.verify(None).unwrap();
        assert_eq!(
            (gone.broken_at, gone.reason.as_deref()),
            (Some(2), Some("entry 2 is missing"))
        );
    }
}
