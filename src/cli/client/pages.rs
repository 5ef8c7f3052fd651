//! Lists over all their pages.

use super::http::{Client, Query};
use crate::cli::error::CliError;
use serde::de::DeserializeOwned;
use testhide_protocol::api::Page;

/// Most entries that one request may ask for.
const LARGEST_PAGE: usize = 1000;

impl Client {
    /// Up to `limit` entries of a list, however many pages that takes; also says whether there are more.
    pub(in crate::cli) async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Query<'_>,
        limit: usize,
    ) -> Result<(Vec<T>, bool), CliError> {
        let mut items: Vec<T> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            let wanted = limit.saturating_sub(items.len()).clamp(1, LARGEST_PAGE);
            query.push(("limit", wanted.to_string()));
            query.extend(cursor.clone().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.get(path, &query).await?;
            items.extend(page.items);
            // A filtered page may be empty and still not the last; a cursor that stands still is no way on.
            let more = page.next.is_some() && page.next != cursor;
            if !more || items.len() >= limit {
                let cut = items.len() > limit;
                items.truncate(limit);
                return Ok((items, more || cut));
            }
            cursor = page.next;
        }
    }

    /// All entries of a list that is short by nature and takes no `limit`.
    pub(in crate::cli) async fn short_list<T: DeserializeOwned>(
        &self,
        path: &[&str],
    ) -> Result<Vec<T>, CliError> {
        let page: Page<T> = self.get(path, &[]).await?;
        Ok(page.items)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::test_server::{Answer, TestServer};

    #[tokio::test]
    async fn a_list_goes_on_to_its_last_page() {
        let server = TestServer::start(|_, number| {
            let body = match number {
                1 => r#"{"items": [1, 2], "next": "a"}"#,
                2 => r#"{"items": [], "next": "b"}"#,
                _ => r#"{"items": [3]}"#,
            };
            Answer::Json(200, body.to_owned())
        })
        .await;
        let (items, more) = server
            .client()
            .list::<u32>(&["users"], &[], usize::MAX)
            .await
            .unwrap();
        assert_eq!((items, more), (vec![1, 2, 3], false));
        let asked = server.asked().await;
        let expected = ["limit=1000", "limit=1000&cursor=a", "limit=1000&cursor=b"];
        assert_eq!(
            asked,
            expected.map(|query| format!("GET /api/v3/users?{query}"))
        );
    }

    #[tokio::test]
    async fn a_list_ends_at_its_limit_and_says_that_there_is_more() {
        let server = TestServer::start(|_, _| {
            Answer::Json(200, r#"{"items": [1, 2], "next": "a"}"#.to_owned())
        })
        .await;
        assert_eq!(
            server
                .client()
                .list::<u32>(&["users"], &[], 1)
                .await
                .unwrap(),
            (vec![1], true)
        );
        assert_eq!(
            server
                .client()
                .list::<u32>(&["users"], &[], 2)
                .await
                .unwrap(),
            (vec![1, 2], true)
        );
        // The server's cursor stands still: that is not gone on with for ever.
        assert_eq!(
            server
                .client()
                .list::<u32>(&["users"], &[], 9)
                .await
                .unwrap()
                .0
                .len(),
            4
        );
    }
}
