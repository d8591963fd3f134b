//! Several groups compared: means, spreads.

use std::collections::HashMap;

use pgrx::datum::Array;
use pgrx::prelude::*;
use sop_analytics::hypothesis_tests::{self, AnovaMethod, Center, HypothesisError};

use crate::arrays::{optional_values, values};
use crate::error::{PgResult, from_analytics};
use crate::interrupts::Interrupts;
use crate::statistics::types::StatsSummary;

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn anova_test(
        group_summaries: Option<Array<'_, StatsSummary>>,
        method: default!(Option<&str>, "'classic'"),
        level: default!(Option<f64>, 0.95),
    ) -> [df_within, omega_squared] {
        let (Some(summaries), Some(method), Some(level)) = (group_summaries, method, level) else {
            return Ok(None);
        };
        let method = AnovaMethod::named(method).map_err(from_analytics)?;
        // stats_agg of a group without values is NULL: an empty group.
        let groups: Vec<_> = optional_values(summaries, "group_summaries")?
            .into_iter()
            .flatten()
            .map(|summary| summary.0)
            .collect();
        let found = hypothesis_tests::anova_test(&groups, method, level, &mut Interrupts)
            .map_err(from_analytics)?;
        Ok(found.map(|found| {
            (found.outcome, [Some(found.df_within), Some(found.omega_squared)])
        }))
    }
}

test_function! {
    #[pg_extern(immutable, parallel_safe)]
    fn levene_test(
        sample: Option<Array<'_, f64>>,
        group_labels: Option<Array<'_, String>>,
        center: default!(Option<&str>, "'median'"),
        trimmed_share: default!(Option<f64>, 0.05),
        level: default!(Option<f64>, 0.95),
    ) -> [df_within, omega_squared] {
        let (Some(sample), Some(labels)) = (sample, group_labels) else {
            return Ok(None);
        };
        let (Some(center), Some(trimmed_share), Some(level)) = (center, trimmed_share, level) else {
            return Ok(None);
        };
        let center = Center::named(center, trimmed_share).map_err(from_analytics)?;
        let groups = groups(values(sample, "sample")?, values(labels, "group_labels")?)?;
        let found = hypothesis_tests::levene_test(&groups, center, level, &mut Interrupts)
            .map_err(from_analytics)?;
        Ok(found.map(|found| {
            (found.outcome, [Some(found.df_within), Some(found.omega_squared)])
        }))
    }
}

/// The values of each label, labels in the order of their first value.
fn groups(values: Vec<f64>, labels: Vec<String>) -> PgResult<Vec<Vec<f64>>> {
    if values.len() != labels.len() {
        return Err(from_analytics(HypothesisError::Labels {
            values: values.len(),
            labels: labels.len(),
        }));
    }
    let mut groups: Vec<Vec<f64>> = Vec::new();
    let mut places = HashMap::new();
    for (value, label) in values.into_iter().zip(labels) {
        pgrx::check_for_interrupts!();
        let place = *places.entry(label).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.push(value);
        }
    }
    Ok(groups)
}

extension_sql!(
    r#"
ALTER FUNCTION anova_test(stats_summary[], text, float8) ROWS 1;
ALTER FUNCTION levene_test(float8[], text[], text, float8, float8) ROWS 1 COST 1000;
COMMENT ON FUNCTION anova_test(stats_summary[], text, float8) IS 'One-way analysis of variance over the summaries of the groups; method is classic or welch (unequal variances); effect_size is eta squared; one row, of NULLs when fewer than two groups can be compared. Example: SELECT p_value FROM (SELECT array_agg(summary) AS groups FROM daily) AS q, anova_test(groups)';
COMMENT ON FUNCTION levene_test(float8[], text[], text, float8, float8) IS 'Levene''s test that the groups spread equally; values and their group labels pairwise, center is median, mean or trimmed (without the trimmed_share at each end); one row, of NULLs when fewer than two groups can be compared. Example: SELECT p_value FROM levene_test(array_agg(seconds), array_agg(station))';
"#,
    name = "variance",
    requires = [anova_test, levene_test]
);
