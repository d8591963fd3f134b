//! Roll-up periods, baselines and comparisons of performance aggregates.
