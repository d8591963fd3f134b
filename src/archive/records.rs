//! Rows of any table, as texts of JSON.

use sop_analytics::time_series::archive::{decode_records, encode_records};

use super::{Month, Restored, Volume, store};
use crate::error::{PgResult, from_analytics};
use crate::{settings, sql};

/// What a text takes beside its bytes while it is collected.
const TEXT_BYTES: usize = 64;
/// So many rows are written by one statement.
const ROWS_AT_ONCE: usize = 2_000;

/// Texts that wait to be packed.
#[derive(Default)]
struct Waiting {
    texts: Vec<String>,
    bytes: usize,
    bytes_before: i64,
}

pub(super) fn pack(month: &Month, take: &str) -> PgResult<Volume> {
    let most = super::most_bytes();
    let mut waiting = Waiting::default();
    let mut packed = Volume::default();
    sql::for_each_written(
        take,
        &[month.restaurant.into(), month.from.into(), month.to.into()],
        |row| {
            let text: String = row.required(1)?;
            waiting.bytes += TEXT_BYTES + text.len();
            waiting.bytes_before += row.required::<i64>(2)?;
            waiting.texts.push(text);
            if waiting.bytes >= most {
                packed += seal(month, std::mem::take(&mut waiting))?;
            }
            Ok(())
        },
    )?;
    packed += seal(month, waiting)?;
    Ok(packed)
}

fn seal(month: &Month, waiting: Waiting) -> PgResult<Volume> {
    if waiting.texts.is_empty() {
        return Ok(Volume::default());
    }
    let texts: Vec<&str> = waiting.texts.iter().map(String::as_str).collect();
    let bundle = encode_records(&texts).map_err(from_analytics)?;
    let volume = Volume {
        rows: texts.len() as i64,
        bytes_before: waiting.bytes_before,
        bytes_after: bundle.len() as i64,
    };
    store(month, "", volume, bundle)?;
    Ok(volume)
}

pub(super) fn bring_back(bundle: &[u8], put: &str) -> PgResult<Restored> {
    let texts = decode_records(bundle, settings::max_state_bytes()).map_err(from_analytics)?;
    let mut restored = Restored::default();
    for some in texts.chunks(ROWS_AT_ONCE) {
        pgrx::check_for_interrupts!();
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        let all = some.len() as i64;
        let written = sql::modify_one(put, &[some.into()], |row| row.required::<i64>(1))?;
        restored += Restored {
            rows: written,
            kept: all - written,
        };
    }
    Ok(restored)
}
