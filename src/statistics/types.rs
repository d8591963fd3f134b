//! The SQL types of the states. `sql/extension/types.sql` declares them.

use pgrx::prelude::*;
use sop_analytics::statistics;

sop_type! {
    /// Count, sum and central moments: SQL type `stats_summary`.
    StatsSummary(statistics::StatsSummary), sql_name = "stats_summary",
    input = stats_summary_in, output = stats_summary_out,
    receive = stats_summary_recv, send = stats_summary_send,
    from_bytea = stats_summary_from_bytea, to_bytea = stats_summary_to_bytea,
    equal = stats_summary_eq, not_equal = stats_summary_ne
}

sop_type! {
    /// Quantiles with a relative error bound: SQL type `percentile_sketch`.
    PercentileSketch(statistics::PercentileSketch), sql_name = "percentile_sketch",
    input = percentile_sketch_in, output = percentile_sketch_out,
    receive = percentile_sketch_recv, send = percentile_sketch_send,
    from_bytea = percentile_sketch_from_bytea, to_bytea = percentile_sketch_to_bytea,
    equal = percentile_sketch_eq, not_equal = percentile_sketch_ne
}

sop_type! {
    /// The number of distinct values: SQL type `distinct_sketch`.
    DistinctSketch(statistics::DistinctSketch), sql_name = "distinct_sketch",
    input = distinct_sketch_in, output = distinct_sketch_out,
    receive = distinct_sketch_recv, send = distinct_sketch_send,
    from_bytea = distinct_sketch_from_bytea, to_bytea = distinct_sketch_to_bytea,
    equal = distinct_sketch_eq, not_equal = distinct_sketch_ne
}

sop_type! {
    /// The most frequent values: SQL type `top_n_sketch`.
    TopNSketch(statistics::TopNSketch), sql_name = "top_n_sketch",
    input = top_n_sketch_in, output = top_n_sketch_out,
    receive = top_n_sketch_recv, send = top_n_sketch_send,
    from_bytea = top_n_sketch_from_bytea, to_bytea = top_n_sketch_to_bytea,
    equal = top_n_sketch_eq, not_equal = top_n_sketch_ne
}

sop_type! {
    /// Quantiles and moments, or categories, with counts of what is missing: SQL type `distribution_profile`.
    DistributionProfile(statistics::DistributionProfile), sql_name = "distribution_profile",
    input = distribution_profile_in, output = distribution_profile_out,
    receive = distribution_profile_recv, send = distribution_profile_send,
    from_bytea = distribution_profile_from_bytea, to_bytea = distribution_profile_to_bytea,
    equal = distribution_profile_eq, not_equal = distribution_profile_ne
}

sop_type! {
    /// A straight line through points: SQL type `regression_summary`.
    RegressionSummary(statistics::RegressionSummary), sql_name = "regression_summary",
    input = regression_summary_in, output = regression_summary_out,
    receive = regression_summary_recv, send = regression_summary_send,
    from_bytea = regression_summary_from_bytea, to_bytea = regression_summary_to_bytea,
    equal = regression_summary_eq, not_equal = regression_summary_ne
}

sop_type! {
    /// States over time: SQL type `state_durations`.
    StateDurations(statistics::StateDurations), sql_name = "state_durations",
    input = state_durations_in, output = state_durations_out,
    receive = state_durations_recv, send = state_durations_send,
    from_bytea = state_durations_from_bytea, to_bytea = state_durations_to_bytea,
    equal = state_durations_eq, not_equal = state_durations_ne
}

extension_sql_file!(
    "../../sql/extension/types.sql",
    name = "types",
    creates = [
        Type(StatsSummary),
        Type(PercentileSketch),
        Type(DistinctSketch),
        Type(TopNSketch),
        Type(DistributionProfile),
        Type(RegressionSummary),
        Type(StateDurations),
    ]
);
