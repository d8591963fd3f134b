//! Drift between two stored profiles.

use std::collections::BTreeMap;

use pgrx::prelude::*;
use serde::Deserialize;
use sop_analytics::drift::{Drift, DriftParameters, Measurement, compare_profiles, judge};

use super::bounds;
use crate::error::{PgResult, from_analytics};
use crate::interrupts::Interrupts;
use crate::jsonb::JsonB;
use crate::options;
use crate::statistics::types::DistributionProfile;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProfileOptions {
    bins: usize,
    significance: f64,
    max_categories: usize,
    thresholds: BTreeMap<String, [f64; 4]>,
}

impl Default for ProfileOptions {
    fn default() -> Self {
        let parameters = DriftParameters::default();
        Self {
            bins: parameters.bins,
            significance: parameters.significance,
            max_categories: parameters.max_categories,
            thresholds: BTreeMap::new(),
        }
    }
}

impl ProfileOptions {
    fn check(&self) -> PgResult<Drift> {
        let parameters = DriftParameters {
            bins: self.bins,
            significance: self.significance,
            max_categories: self.max_categories,
            bounds: bounds(&self.thresholds)?,
        };
        parameters.check().map_err(from_analytics)
    }
}

/// One row per metric; none where a profile is NULL.
#[pg_extern(immutable, parallel_safe)]
fn drift_metrics(
    reference: Option<DistributionProfile>,
    current: Option<DistributionProfile>,
    options: default!(Option<JsonB>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(metric, String),
            name!(value, Option<f64>),
            name!(p_value, Option<f64>),
            name!(threshold, Option<f64>),
            name!(severity, String),
        ),
    >,
    pg_sys::panic::ErrorReport,
> {
    let options: ProfileOptions = options::parse(options)?;
    let settings = options.check()?;
    let mut found = match (&reference, &current) {
        (Some(reference), Some(current)) => {
            compare_profiles(&reference.0, &current.0, &settings, &mut Interrupts)
                .map_err(from_analytics)?
        }
        _ => Vec::new(),
    };
    judge(&mut [&mut found], &settings, false);
    let row = |m: Measurement| {
        let severity = m.severity.as_str().to_owned();
        let metric = m.metric.as_str().to_owned();
        (metric, m.value, m.p_value, m.threshold, severity)
    };
    Ok(TableIterator::new(found.into_iter().map(row)))
}

extension_sql!(
    r"
ALTER FUNCTION sop_ml.drift_metrics(sop_ml.distribution_profile, sop_ml.distribution_profile, jsonb) ROWS 6;
COMMENT ON FUNCTION sop_ml.drift_metrics(sop_ml.distribution_profile, sop_ml.distribution_profile, jsonb) IS
'How far the current profile is from the reference, metric by metric, with p-value, threshold and severity; no rows where a profile is NULL. Options: bins, significance, max_categories, thresholds. Example: SELECT * FROM sop_ml.drift_metrics(pinned, (SELECT sop_ml.profile_agg(duration) FROM steps));';
",
    name = "comment_drift_metrics",
    requires = [drift_metrics]
);
