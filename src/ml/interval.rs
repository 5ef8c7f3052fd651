//! How far an observed rate can be trusted.

/// The two-sided 90 % quantile of the normal distribution: 5 % are left out on each side.
const Z_90: f64 = 1.644_853_626_951_472_6;

/// Bounds of a rate, both within 0 and 1, `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The smallest rate that the observations still support.
    pub low: f64,
    /// The largest rate that the observations still support.
    pub high: f64,
}

/// The Wilson score interval with 90 % confidence for `successes` out of `trials`.
///
/// It stays inside 0..1 and says something honest for few trials and for rates near 0 and 1, where the textbook
/// "rate ± z·error" has width zero. No trials give 0..1: nothing is known. More successes than trials count as all.
///
/// Sources: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
/// American Statistical Association 22 (1927); recommended for small samples by Brown, Cai and DasGupta, "Interval
/// Estimation for a Binomial Proportion", Statistical Science 16 (2001). Trials are taken as independent: bursts of
/// failures make the true interval wider.
pub fn wilson_90(successes: u64, trials: u64) -> Interval {
    if trials == 0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let count = trials as f64;
    let rate = successes.min(trials) as f64 / count;
    let z_squared = Z_90 * Z_90;
    let centre = rate + z_squared / (2.0 * count);
    let spread = Z_90 * (rate * (1.0 - rate) / count + z_squared / (4.0 * count * count)).sqrt();
    let scale = 1.0 + z_squared / count;
    // The clamps only remove rounding: the exact bounds at rate 0 and 1 are 0 and 1.
    Interval {
        low: ((centre - spread) / scale).clamp(0.0, rate),
        high: ((centre + spread) / scale).clamp(rate, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        fn check(successes: u64, trials: u64, low: f64, high: f64) {
            let interval = wilson_90(successes, trials);
            assert!(
                (interval.low - low).abs() < 5e-5,
                "{successes}/{trials}: {interval:?}"
            );
            assert!(
                (interval.high - high).abs() < 5e-5,
                "{successes}/{trials}: {interval:?}"
            );
        }
        check(0, 0, 0.0, 1.0);
        check(0, 10, 0.0, 0.2129);
        check(10, 10, 0.7871, 1.0);
        check(5, 10, 0.2693, 0.7307);
        check(1, 100, 0.0022, 0.0436);
    }

    proptest! {
        #[test]
        fn holds_the_rate_and_narrows_with_more_trials(trials in 1_u64..100_000, share in 0.0_f64..=1.0) {
            let successes = (share * trials as f64) as u64;
            let interval = wilson_90(successes, trials);
            let rate = successes as f64 / trials as f64;
            prop_assert!(0.0 <= interval.low && interval.low <= rate);
            prop_assert!(rate <= interval.high && interval.high <= 1.0);
            let more = wilson_90(successes * 4, trials * 4);
            prop_assert!(more.high - more.low < interval.high - interval.low);
        }

        #[test]
        fn is_symmetric(successes in 0_u64..1_000, failures in 0_u64..1_000) {
            let trials = successes + failures;
            let (one, other) = (wilson_90(successes, trials), wilson_90(failures, trials));
            prop_assert!((one.low - (1.0 - other.high)).abs() < 1e-9);
        }
    }
}
