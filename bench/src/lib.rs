//! Benchmarks only: `benches/` measures `sop-analytics` with criterion, `sql/` the extension against built-in functions.
