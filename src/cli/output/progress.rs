//! Progress of long work, drawn on stderr and only where that is a terminal.

use std::time::Duration;

/// How often an idle bar moves.
const TICK: Duration = Duration::from_millis(120);

/// A bar, or nothing at all where nobody would see it.
pub(in crate::cli) struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// A bar over `total` bytes, or over an unknown number.
    pub(super) fn new(label: &str, total: Option<u64>, visible: bool) -> Self {
        let bar = if visible {
            indicatif::ProgressBar::new_spinner()
        } else {
            indicatif::ProgressBar::hidden()
        };
        let bar = Self(bar);
        bar.0.set_message(label.to_owned());
        bar.set_total(total);
        if visible {
            bar.0.enable_steady_tick(TICK);
        }
        bar
    }

    /// Says how much there is, once that is known.
    pub(in crate::cli) fn set_total(&self, total: Option<u64>) {
        let template = match total {
            Some(total) => {
                self.0.set_length(total);
                "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
            }
            None => "{spinner} {msg} {bytes} {bytes_per_sec}",
        };
        let style =
            indicatif::ProgressStyle::with_template(template).expect("the templates are constants");
        self.0.set_style(style.progress_chars("=> "));
    }

    /// Says how much is done.
    pub(in crate::cli) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Says that more is done.
    pub(in crate::cli) fn add(&self, more: u64) {
        self.0.inc(more);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
