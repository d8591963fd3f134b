//! The server's time zones: the same data that `AT TIME ZONE` goes by.

use pgrx::pg_sys;
use pgrx::prelude::*;
use sop_analytics::time_series::local_bucket::LocalClock;

/// The clocks of a time zone.
pub(super) struct ServerClock {
    /// The zone's name as the server's functions want it: a text datum of this call's memory.
    zone: Option<pg_sys::Datum>,
}

impl ServerClock {
    /// The clocks of a zone; what the server does not know is its error (22023) at the first question.
    pub(super) fn of(time_zone: &str) -> Self {
        Self {
            zone: time_zone.into_datum(),
        }
    }
}

impl LocalClock for ServerClock {
    fn to_local(&self, instant: i64) -> i64 {
        // A grid asks once or twice for each of its buckets, which may be a million.
        pgrx::check_for_interrupts!();
        // SAFETY: the function takes a text and a timestamptz and returns a timestamp; all three are passed by value but
        // the text, which lives as long as this call.
        unsafe {
            pgrx::direct_function_call(pg_sys::timestamptz_zone, &[self.zone, Some(instant.into())])
        }
        .unwrap_or(instant)
    }

    fn to_instant(&self, local: i64) -> i64 {
        // SAFETY: as above, with a timestamp in and a timestamptz out.
        unsafe {
            pgrx::direct_function_call(pg_sys::timestamp_zone, &[self.zone, Some(local.into())])
        }
        .unwrap_or(local)
    }
}
