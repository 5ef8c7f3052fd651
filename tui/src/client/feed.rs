//! Follows the feed by long polls, from the present on; after a break it goes on where it was.

use std::time::Duration;

use testhide_protocol::api::{EventRecord, Page};
use tokio::sync::mpsc::Sender;

use super::Client;
use crate::event::Feed;

/// Seconds that the server may hold a poll.
const WAIT_SECONDS: u64 = 25;
/// Records of one poll.
const LIMIT: u64 = 500;
/// The first and the longest pause before the next try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Says what happens until nobody listens any more.
pub(crate) async fn follow(client: Client, hear: Sender<Feed>) {
    let mut after = None;
    let mut pause = PAUSES.0;
    let mut is_live = false;
    loop {
        let step = match after {
            None => newest(&client).await.map(|seq| (seq, Vec::new())),
            // The first poll after a break does not wait, so that the link is known to stand at once.
            Some(seq) => poll(&client, seq, if is_live { WAIT_SECONDS } else { 0 })
                .await
                .map(|records| {
                    let last = records.last().map_or(seq, |record| record.seq.max(seq));
                    (last, records)
                }),
        };
        let word = match step {
            Ok((seq, records)) => {
                after = Some(seq);
                pause = PAUSES.0;
                if !is_live {
                    is_live = true;
                    if hear.send(Feed::Live).await.is_err() {
                        return;
                    }
                }
                if records.is_empty() {
                    continue;
                }
                Feed::Records(records)
            }
            Err(why) => {
                is_live = false;
                Feed::Offline(why)
            }
        };
        let is_offline = matches!(word, Feed::Offline(_));
        if hear.send(word).await.is_err() {
            return;
        }
        if is_offline {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

async fn poll(client: &Client, after: u64, wait_seconds: u64) -> Result<Vec<EventRecord>, String> {
    page(client, after, LIMIT, wait_seconds)
        .await
        .map(|page| page.items)
}

async fn page(
    client: &Client,
    after: u64,
    limit: u64,
    wait_seconds: u64,
) -> Result<Page<EventRecord>, String> {
    let query = [
        ("after", after),
        ("limit", limit),
        ("wait_seconds", wait_seconds),
    ];
    client
        .get_waiting("/events", &query, Duration::from_secs(wait_seconds))
        .await
}

/// The number of the newest event. The feed has no question for it, but its numbers have no gaps:
/// doubling finds a number that is too large, halving then finds the end, in some forty small requests at most.
async fn newest(client: &Client) -> Result<u64, String> {
    let mut search = EndSearch::new();
    while let Some(guess) = search.guess() {
        let found = page(client, guess, 1, 0)
            .await?
            .items
            .first()
            .map(|record| record.seq);
        search.answered(found);
    }
    Ok(search.end())
}

/// A search for the end of a row of numbers, by asking what follows a number.
struct EndSearch {
    /// An event with this number is there; 0 when none is known.
    known: u64,
    /// Nothing follows this number.
    beyond: Option<u64>,
    step: u64,
}

impl EndSearch {
    fn new() -> Self {
        Self {
            known: 0,
            beyond: None,
            step: 0,
        }
    }

    /// The number to ask about next; none when the end is found.
    fn guess(&self) -> Option<u64> {
        match self.beyond {
            None => Some(self.known.saturating_add(self.step)),
            Some(beyond) if beyond > self.known => Some(self.known + (beyond - self.known) / 2),
            Some(_) => None,
        }
    }

    fn answered(&mut self, follows: Option<u64>) {
        let guess = self.guess().unwrap_or(self.known);
        match follows {
            Some(seq) => self.known = seq.max(guess).max(self.known),
            None => self.beyond = Some(guess),
        }
        self.step = self.step.saturating_mul(4).max(1_000);
    }

    fn end(&self) -> u64 {
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::EndSearch;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_end_is_found_in_few_questions(
            end in prop_oneof![Just(0u64), 1u64..2_000, 1u64..100_000_000_000],
            every in 1u64..50,
        ) {
            // Events of projects that one may not see are left out of answers: only some numbers are visible.
            let mut search = EndSearch::new();
            let mut questions = 0;
            while let Some(guess) = search.guess() {
                let follows = (guess / every + 1) * every;
                search.answered((follows <= end).then_some(follows));
                questions += 1;
                prop_assert!(questions < 80);
            }
            prop_assert_eq!(search.end(), end / every * every);
        }
    }
}
