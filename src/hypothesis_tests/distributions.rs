//! Whole distributions compared: two samples, or a sample and a known or fitted distribution.

use pgrx::datum::Array;
use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::distributions::Family;
use sop_analytics::hypothesis_tests::{self, Alternative, ks_outcome};

use crate::arrays::values;
use crate::error::from_analytics;
use crate::interrupts::Interrupts;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn ks_test(
        first_sample: Option<Array<'_, f64>>,
        second_sample: Option<Array<'_, f64>>,
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [] {
        let (Some(first), Some(second), Some(level), Some(alternative)) =
            (first_sample, second_sample, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let (first, second) = (values(first, "first_sample")?, values(second, "second_sample")?);
        let found = hypothesis_tests::ks_two_sample(&first, &second, alternative, &mut Interrupts)
            .map_err(from_analytics)?;
        let sizes = [first.len(), second.len()];
        let outcome = found.map(|test| ks_outcome(&test, &sizes, level)).transpose();
        Ok(outcome.map_err(from_analytics)?.map(|outcome| (outcome, [])))
    }
}

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn ks_test_distribution(
        sample: Option<Array<'_, f64>>,
        distribution: default!(Option<&str>, "'normal'"),
        parameters: default!(Option<Array<'_, f64>>, "NULL"),
        level: default!(Option<f64>, 0.95),
        alternative: default!(Option<&str>, "'two_sided'"),
    ) -> [] {
        let (Some(sample), Some(distribution), Some(level), Some(alternative)) =
            (sample, distribution, level, alternative)
        else {
            return Ok(None);
        };
        let alternative = Alternative::named(alternative).map_err(from_analytics)?;
        let family = Family::named(distribution).map_err(from_analytics)?;
        let parameters = parameters.map(|given| values(given, "parameters")).transpose()?;
        let distribution = family.with(parameters.as_deref()).map_err(from_analytics)?;
        let sample = values(sample, "sample")?;
        let found =
            hypothesis_tests::ks_one_sample(&sample, &distribution, alternative, &mut Interrupts)
                .map_err(from_analytics)?;
        let sizes = [sample.len()];
        let outcome = found.map(|test| ks_outcome(&test, &sizes, level)).transpose();
        Ok(outcome.map_err(from_analytics)?.map(|outcome| (outcome, [])))
    }
}

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn anderson_darling_test(
        sample: Option<Array<'_, f64>>,
        distribution: default!(Option<&str>, "'normal'"),
        parameters: default!(Option<Array<'_, f64>>, "NULL"),
    ) -> [] {
        let (Some(sample), Some(distribution)) = (sample, distribution) else {
            return Ok(None);
        };
        let family = Family::named(distribution).map_err(from_analytics)?;
        let parameters = parameters.map(|given| values(given, "parameters")).transpose()?;
        let sample = values(sample, "sample")?;
        let found = hypothesis_tests::anderson_darling_test(
            &sample,
            family,
            parameters.as_deref(),
            &mut Interrupts,
        )
        .map_err(from_analytics)?;
        Ok(found.map(|outcome| (outcome, [])))
    }
}

extension_sql!(
    r#"
ALTER FUNCTION ks_test(float8[], float8[], float8, text) ROWS 1 COST 1000;
ALTER FUNCTION ks_test_distribution(float8[], text, float8[], float8, text) ROWS 1 COST 1000;
ALTER FUNCTION anderson_darling_test(float8[], text, float8[]) ROWS 1 COST 1000;
COMMENT ON FUNCTION ks_test(float8[], float8[], float8, text) IS 'Two-sample Kolmogorov-Smirnov test, exact up to 10,000 values each; effect_size is the distance itself; one row, of NULLs when a sample is empty. Example: SELECT statistic, p_value FROM ks_test(''{1,2,3}'', ''{2,3,4}'')';
COMMENT ON FUNCTION ks_test_distribution(float8[], text, float8[], float8, text) IS 'Kolmogorov-Smirnov test of a sample against a distribution that is known beforehand: normal, uniform, exponential, log_normal, weibull, gamma or logistic; the values of any distribution function are tested as uniform; one row, of NULLs for an empty sample. Example: SELECT p_value FROM ks_test_distribution(''{0.2,0.7,0.9}'', ''uniform'', ''{0,1}'')';
COMMENT ON FUNCTION anderson_darling_test(float8[], text, float8[]) IS 'Anderson-Darling test of a sample against a distribution with given parameters, or against the normal or exponential one that fits it best (parameters NULL); one row, of NULLs for an empty or constant sample. Example: SELECT p_value FROM anderson_darling_test(durations)';
"#,
    name = "distributions",
    requires = [ks_test, ks_test_distribution, anderson_darling_test]
);
