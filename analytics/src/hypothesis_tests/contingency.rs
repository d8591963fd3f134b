//! Counts: Pearson's chi-square test of shares and of independence, and Fisher's exact test.

use super::error::HypothesisError;
use super::hypergeometric::Margins;
use super::noncentral::chi_square_noncentrality;
use super::outcome::{Alternative, Effect, Outcome};
use crate::progress::Progress;
use crate::statistics::interval::check_level;
use crate::statistics::special::chi_square_upper;
use crate::statistics::{Interval, StatisticsError};

/// The largest total of a table whose distribution is summed; beyond it the normal limit is used.
const EXACT_UP_TO: f64 = 1e9;

/// Pearson's test of counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquareTest {
    /// The test; the effect is Cohen's w for shares and Cramér's V for a table.
    pub outcome: Outcome,
    /// The smallest expected count; below about 5 the p-value is a rough guide.
    pub smallest_expected: f64,
}

fn check_counts(observed: &[i64]) -> Result<(), HypothesisError> {
    match observed.iter().find(|&&count| count < 0) {
        Some(&count) => Err(HypothesisError::NegativeCount(count)),
        None => Ok(()),
    }
}

fn total_count(observed: &[i64]) -> u64 {
    observed
        .iter()
        .fold(0_u64, |sum, count| sum.saturating_add(count.unsigned_abs()))
}

/// `√(λ / (n k))` at both ends of the interval of the noncentrality λ.
fn effect(statistic: f64, df: f64, scale: f64, level: f64) -> Effect {
    let bounds = chi_square_noncentrality(statistic, df, level);
    Effect {
        size: (statistic / scale).sqrt(),
        interval: Some(Interval {
            lower: (bounds.lower / scale).sqrt(),
            upper: (bounds.upper / scale).sqrt(),
        }),
    }
}

/// Pearson's chi-square test of observed counts against expected ones (equal shares when `expected` is `None`).
///
/// `expected` may be counts or weights of any scale: they are scaled to the observed total. The effect is Cohen's w,
/// `√(χ²/n)`. `None` when nothing was observed.
///
/// # Errors
/// [`HypothesisError`] for fewer than two categories, lists of different length, a negative count, an expected value
/// that is not a positive finite number, or a level that is not inside (0, 1).
pub fn chi_square_counts(
    observed: &[i64],
    expected: Option<&[f64]>,
    level: f64,
) -> Result<Option<ChiSquareTest>, HypothesisError> {
    let level = check_level(level)?;
    if observed.len() < 2 {
        return Err(HypothesisError::TooFewCategories(observed.len()));
    }
    check_counts(observed)?;
    let uniform;
    let weights = match expected {
        Some(weights) => weights,
        None => {
            uniform = vec![1.0; observed.len()];
            &uniform
        }
    };
    if weights.len() != observed.len() {
        return Err(HypothesisError::Categories {
            observed: observed.len(),
            expected: weights.len(),
        });
    }
    if let Some(&bad) = weights.iter().find(|&&w| !(w > 0.0 && w.is_finite())) {
        return Err(HypothesisError::Expected(bad));
    }
    let total: f64 = observed.iter().map(|&count| count as f64).sum();
    if total == 0.0 {
        return Ok(None);
    }
    let weight_total: f64 = weights.iter().sum();
    if !weight_total.is_finite() {
        return Err(StatisticsError::Overflow("the sum of expected").into());
    }
    let mut statistic = 0.0;
    let mut smallest_expected = f64::INFINITY;
    for (&count, &weight) in observed.iter().zip(weights) {
        let expected = weight / weight_total * total;
        let deviation = count as f64 - expected;
        statistic += deviation / expected * deviation;
        smallest_expected = smallest_expected.min(expected);
    }
    let df = observed.len() as f64 - 1.0;
    Ok(Some(ChiSquareTest {
        outcome: Outcome {
            statistic,
            df: Some(df),
            p_value: chi_square_upper(statistic, df),
            effect: Some(effect(statistic, df, total, level)),
            method: "shares",
            n: total_count(observed),
        },
        smallest_expected,
    }))
}

/// Pearson's chi-square test of the independence of rows and columns; `observed` row by row.
///
/// Without Yates' correction. Rows and columns without any count tell nothing and are left out. The effect is Cramér's V,
/// `√(χ² / (n (k - 1)))` with k the smaller number of rows and columns; its interval stays inside [0, 1]. `None` when
/// fewer than two rows or two columns have counts.
///
/// # Errors
/// [`HypothesisError::NegativeCount`]; a level that is not inside (0, 1).
pub fn chi_square_contingency(
    observed: &[i64],
    columns: usize,
    level: f64,
    progress: &mut dyn Progress,
) -> Result<Option<ChiSquareTest>, HypothesisError> {
    let level = check_level(level)?;
    check_counts(observed)?;
    let columns = columns.max(1);
    let mut column_totals = vec![0.0; columns];
    let mut row_totals = Vec::new();
    for row in observed.chunks(columns) {
        progress.poll()?;
        let mut sum = 0.0;
        for (&count, column) in row.iter().zip(&mut column_totals) {
            sum += count as f64;
            *column += count as f64;
        }
        row_totals.push(sum);
    }
    let used = |totals: &[f64]| totals.iter().filter(|&&total| total > 0.0).count();
    let (row_count, column_count) = (used(&row_totals), used(&column_totals));
    if row_count < 2 || column_count < 2 {
        return Ok(None);
    }
    let total: f64 = row_totals.iter().sum();
    let mut statistic = 0.0;
    let mut smallest_expected = f64::INFINITY;
    for (row, row_total) in observed.chunks(columns).zip(&row_totals) {
        progress.poll()?;
        for (&count, column_total) in row.iter().zip(&column_totals) {
            let expected = row_total / total * column_total;
            if expected > 0.0 {
                let deviation = count as f64 - expected;
                statistic += deviation / expected * deviation;
                smallest_expected = smallest_expected.min(expected);
            }
        }
    }
    let df = (row_count - 1) as f64 * (column_count - 1) as f64;
    let mut size = effect(
        statistic,
        df,
        total * (row_count.min(column_count) - 1) as f64,
        level,
    );
    size.interval = size.interval.map(|interval| Interval {
        lower: interval.lower.min(1.0),
        upper: interval.upper.min(1.0),
    });
    Ok(Some(ChiSquareTest {
        outcome: Outcome {
            statistic,
            df: Some(df),
            p_value: chi_square_upper(statistic, df),
            effect: Some(size),
            method: "independence",
            n: total_count(observed),
        },
        smallest_expected,
    }))
}

/// Fisher's exact test of a table of two by two, `[[a, b], [c, d]]`.
///
/// The statistic is the odds ratio of the sample, `a d / (b c)`. Two-sided, all tables that are not more probable than
/// this one count. The effect is the conditional maximum-likelihood odds ratio with its exact interval. Totals beyond
/// 10⁹ take the normal limit (`method` = `asymptotic`; the effect is then that of the sample with Woolf's interval).
/// `None` when a row or a column is empty.
///
/// # Errors
/// [`HypothesisError::NegativeCount`]; a level that is not inside (0, 1); [`HypothesisError::Interrupted`].
pub fn fisher_test(
    table: [i64; 4],
    level: f64,
    alternative: Alternative,
    progress: &mut dyn Progress,
) -> Result<Option<Outcome>, HypothesisError> {
    let level = check_level(level)?;
    check_counts(&table)?;
    let [a, b, c, d] = table.map(|count| count as f64);
    let (first_row, second_row, first_column, second_column) = (a + b, c + d, a + c, b + d);
    if [first_row, second_row, first_column, second_column].contains(&0.0) {
        return Ok(None);
    }
    let statistic = if b > 0.0 && c > 0.0 {
        a / b * (d / c)
    } else {
        f64::INFINITY
    };
    let outcome = |p_value, effect, method| Outcome {
        statistic,
        df: None,
        p_value,
        effect: Some(effect),
        method,
        n: total_count(&table),
    };
    let total = first_row + second_row;
    if total > EXACT_UP_TO {
        let spread =
            (first_row / total * second_row * (first_column / total) * (second_column / total))
                .sqrt();
        let z = (a - first_row / total * first_column) / spread;
        let margin = crate::statistics::interval::normal_critical(level)?
            * (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt();
        let effect = Effect {
            size: statistic,
            interval: margin.is_finite().then(|| Interval {
                lower: statistic * (-margin).exp(),
                upper: statistic * margin.exp(),
            }),
        };
        return Ok(Some(outcome(
            alternative.of_normal(z),
            effect,
            "asymptotic",
        )));
    }
    let margins = Margins::new(first_row, second_row, first_column);
    let shares = margins.shares(a, 1.0, progress)?;
    let p_value = match alternative {
        Alternative::TwoSided => shares.no_more_probable,
        Alternative::Less => shares.at_most,
        Alternative::Greater => shares.at_least,
    };
    let tail = (1.0 - level) / 2.0;
    let (lowest, highest) = margins.is_extreme(a);
    let lower = if lowest {
        0.0
    } else {
        margins.solve(a, tail, |shares| shares.at_least, progress)?
    };
    let upper = if highest {
        f64::INFINITY
    } else {
        margins.solve(a, -tail, |shares| -shares.at_most, progress)?
    };
    let size = match (lowest, highest) {
        (true, _) => 0.0,
        (_, true) => f64::INFINITY,
        _ => margins.solve(a, a, |shares| shares.mean, progress)?,
    };
    let effect = Effect {
        size,
        interval: Some(Interval { lower, upper }),
    };
    Ok(Some(outcome(p_value, effect, "exact")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Uninterruptible;

    fn counts(observed: &[i64], expected: Option<&[f64]>) -> Option<ChiSquareTest> {
        chi_square_counts(observed, expected, 0.95).unwrap()
    }

    #[test]
    fn wrong_counts_are_refused() {
        use HypothesisError as E;
        let test = |observed: &[i64], expected: Option<&[f64]>| {
            chi_square_counts(observed, expected, 0.95)
        };
        assert!(matches!(test(&[1], None), Err(E::TooFewCategories(1))));
        assert!(matches!(test(&[1, -1], None), Err(E::NegativeCount(-1))));
        assert!(matches!(
            test(&[1, 2], Some(&[1.0])),
            Err(E::Categories { .. })
        ));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let weights = [1.0, bad];
            assert!(matches!(test(&[1, 2], Some(&weights)), Err(E::Expected(_))));
        }
        assert_eq!(counts(&[0, 0], None), None);
        assert!(chi_square_counts(&[1, 2], None, 0.0).is_err());
    }

    #[test]
    fn weights_are_scaled_to_the_total() {
        let found = counts(&[30, 10], Some(&[20.0, 20.0]));
        assert_eq!(found, counts(&[30, 10], None));
        assert_eq!(found, counts(&[30, 10], Some(&[0.5, 0.5])));
    }

    #[test]
    fn empty_rows_and_columns_change_nothing() {
        let table = |observed: &[i64], columns| {
            chi_square_contingency(observed, columns, 0.95, &mut Uninterruptible).unwrap()
        };
        assert_eq!(
            table(&[5, 0, 9, 0, 0, 0, 7, 0, 2], 3),
            table(&[5, 9, 7, 2], 2)
        );
        assert_eq!(table(&[5, 9, 0, 0], 2), None);
        assert_eq!(table(&[0, 0, 0, 0], 2), None);
        assert_eq!(table(&[5, 9], 2), None);
        let perfect = table(&[10, 0, 0, 10], 2).unwrap().outcome.effect.unwrap();
        assert_eq!((perfect.size, perfect.interval.unwrap().upper), (1.0, 1.0));
    }

    #[test]
    fn fisher_at_the_edges_of_a_table() {
        let fisher = |table, alternative| {
            fisher_test(table, 0.95, alternative, &mut Uninterruptible).unwrap()
        };
        assert_eq!(fisher([0, 0, 3, 4], Alternative::TwoSided), None);
        assert_eq!(fisher([0, 3, 0, 4], Alternative::TwoSided), None);
        let full = fisher([3, 0, 0, 3], Alternative::Greater).unwrap();
        assert!((full.p_value - 0.05).abs() < 1e-15);
        let effect = full.effect.unwrap();
        assert_eq!(
            (full.statistic, effect.size),
            (f64::INFINITY, f64::INFINITY)
        );
        assert!(effect.interval.unwrap().lower > 0.0);
        let empty = fisher([0, 3, 3, 0], Alternative::TwoSided).unwrap();
        assert!((empty.p_value - 0.1).abs() < 1e-15);
        assert_eq!(empty.effect.unwrap().interval.unwrap().lower, 0.0);
        let even = fisher([2, 2, 2, 2], Alternative::TwoSided).unwrap();
        assert_eq!(even.p_value, 1.0);
        assert!((even.effect.unwrap().size - 1.0).abs() < 1e-12);
        // Beyond the bound the limit takes over, and nothing is slow before it.
        let large = 300_000_000;
        let limit = fisher([large; 4], Alternative::TwoSided).unwrap();
        assert_eq!((limit.method, limit.p_value), ("asymptotic", 1.0));
    }
}
