//! Rates with intervals, dimensions and scores of data quality.
