//! Anomaly scores with robust location and scale.
