//! Permutation and bootstrap.

use pgrx::datum::Array;
use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{
    self, Alternative, BootstrapMethod, BootstrapPlan, PermutationPlan, Statistic,
};

use crate::arrays::values;
use crate::error::from_analytics;
use crate::interrupts::Interrupts;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn permutation_test(
        first_sample: Option<Array<'_, f64>>,
        second_sample: Option<Array<'_, f64>>,
        compared: default!(Option<&str>, "'mean'"),
        permutations: default!(Option<i64>, 9999),
        trimmed_share: default!(Option<f64>, 0.1),
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
        seed: default!(Option<i64>, 0),
    ) -> [difference] {
        let (Some(first), Some(second), Some(compared), Some(permutations)) =
            (first_sample, second_sample, compared, permutations)
        else {
            return Ok(None);
        };
        let (Some(trimmed_share), Some(level), Some(alternative), Some(seed)) =
            (trimmed_share, level, alternative, seed)
        else {
            return Ok(None);
        };
        let plan = PermutationPlan {
            statistic: Statistic::named(compared, trimmed_share).map_err(from_analytics)?,
            alternative: Alternative::named(alternative).map_err(from_analytics)?,
            permutations,
            level,
            seed,
        };
        let (first, second) = (values(first, "first_sample")?, values(second, "second_sample")?);
        let found = hypothesis_tests::permutation_test(&first, &second, plan, &mut Interrupts)
            .map_err(from_analytics)?;
        Ok(found.map(|found| (found.outcome, [Some(found.difference)])))
    }
}

#[pg_extern(immutable, parallel_safe)]
#[allow(
    clippy::too_many_arguments,
    reason = "SQL callers name them, and most have a default"
)]
fn bootstrap_interval(
    sample: Option<Array<'_, f64>>,
    estimated: default!(Option<&str>, "'mean'"),
    second_sample: default!(Option<Array<'_, f64>>, "NULL"),
    level: default!(Option<f64>, 0.95),
    method: default!(Option<&str>, "'bca'"),
    resamples: default!(Option<i64>, 9999),
    trimmed_share: default!(Option<f64>, 0.1),
    seed: default!(Option<i64>, 0),
) -> Result<
    TableIterator<
        'static,
        (
            name!(estimate, Option<f64>),
            name!(lower, Option<f64>),
            name!(upper, Option<f64>),
            name!(standard_error, Option<f64>),
            name!(bias, Option<f64>),
            name!(method, Option<&'static str>),
            name!(n, Option<i64>),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let found = match (
        sample,
        estimated,
        level,
        method,
        resamples,
        trimmed_share,
        seed,
    ) {
        (
            Some(sample),
            Some(estimated),
            Some(level),
            Some(method),
            Some(resamples),
            Some(trimmed_share),
            Some(seed),
        ) => {
            let plan = BootstrapPlan {
                statistic: Statistic::named(estimated, trimmed_share).map_err(from_analytics)?,
                method: BootstrapMethod::named(method).map_err(from_analytics)?,
                resamples,
                level,
                seed,
            };
            let sample = values(sample, "sample")?;
            let second = second_sample
                .map(|second| values(second, "second_sample"))
                .transpose()?;
            hypothesis_tests::bootstrap_interval(&sample, second.as_deref(), plan, &mut Interrupts)
                .map_err(from_analytics)?
        }
        _ => None,
    };
    Ok(TableIterator::once((
        found.map(|found| found.estimate),
        found.map(|found| found.interval.lower),
        found.map(|found| found.interval.upper),
        found.map(|found| found.standard_error),
        found.map(|found| found.bias),
        found.map(|found| found.method),
        found.map(|found| i64::try_from(found.n).unwrap_or(i64::MAX)),
    )))
}

extension_sql!(
    r#"
ALTER FUNCTION permutation_test(float8[], float8[], text, bigint, float8, float8, text, bigint) ROWS 1 COST 100000;
ALTER FUNCTION bootstrap_interval(float8[], text, float8[], float8, text, bigint, float8, bigint) ROWS 1 COST 100000;
COMMENT ON FUNCTION permutation_test(float8[], float8[], text, bigint, float8, float8, text, bigint) IS 'Permutation test of the difference (first minus second) of what is compared: mean, median, trimmed_mean (without the trimmed_share at each end) or stddev; exact when all permutations are at most the number given, otherwise drawn from the seed; effect_size is Cliff''s delta; one row, of NULLs when a sample is empty. Example: SELECT p_value FROM permutation_test(''{1,2,3}'', ''{4,5,6,9}'', ''median'', seed => 7)';
COMMENT ON FUNCTION bootstrap_interval(float8[], text, float8[], float8, text, bigint, float8, bigint) IS 'Bootstrap interval (method bca or percentile) of what is estimated: mean, median, trimmed_mean (without the trimmed_share at each end) or stddev of a sample, or its difference to a second sample; drawn from the seed; one row, of NULLs when a sample is empty. Example: SELECT lower, upper FROM bootstrap_interval(''{1,2,3,9}'', ''median'', seed => 7)';
"#,
    name = "resampling",
    requires = [permutation_test, bootstrap_interval]
);
