//! Series of readings as they are stored and shown: buckets of local time.

pub mod local_bucket;
