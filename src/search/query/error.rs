//! Why a query could not be read, and where.

/// Why a query could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", .offset + 1)]
pub struct QueryError {
    /// Where, in characters from the query's start.
    pub offset: usize,
    /// What is wrong, and what to write instead where that is known.
    pub message: String,
}

impl QueryError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> QueryError {
        QueryError {
            offset,
            message: message.into(),
        }
    }

    /// The query, a caret below the place, and the message, in three lines for a monospaced font.
    pub fn show(&self, query: &str) -> String {
        let line: String = query
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        format!(
            "{line}\n{:offset$}^\n{}",
            "",
            self.message,
            offset = self.offset
        )
    }
}
