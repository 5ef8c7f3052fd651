//! Percentiles, and the table of figures beside their targets.

use std::fmt;

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
    /// It stands beside another figure and has no target of its own.
    None,
}

/// Figures of one subject.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(String, f64, &'static str, Goal)>,
}

impl Table {
    /// Adds a figure.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
        goal: Goal,
    ) {
        self.rows.push((what.into(), figure, unit, goal));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, figure, unit, goal) in &self.rows {
            write!(out, "{what:<62} {:>12} {unit:<10}", number(*figure))?;
            match goal {
                Goal::AtMost(target) => {
                    let verdict = if figure <= target { "met" } else { "MISSED" };
                    writeln!(
                        out,
                        "target <= {:>10}   {:.2} of it   {verdict}",
                        number(*target),
                        figure / target
                    )?;
                }
                Goal::AtLeast(target) => {
                    let verdict = if figure >= target { "met" } else { "MISSED" };
                    writeln!(
                        out,
                        "target >= {:>10}   {:.2} of it   {verdict}",
                        number(*target),
                        figure / target
                    )?;
                }
                Goal::None => writeln!(out)?,
            }
        }
        Ok(())
    }
}

/// Three digits that matter, thousands apart.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The value that `percent` of 100 values do not exceed (nearest rank); sorts the samples.
pub(crate) fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    assert!(!samples.is_empty(), "nothing was measured");
    samples.sort_by(f64::total_cmp);
    let rank = (samples.len() * percent).div_ceil(100).max(1);
    samples[rank - 1]
}
