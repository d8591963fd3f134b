//! The column of measured values, to the last bit.

use super::ArchiveError;
use super::integers::{Input, unzigzag, write_integers, write_varint, zigzag};

/// Powers of ten that a double holds exactly, of the decimals that sensors report.
const SCALES: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

/// A layout byte of bit patterns; 0 to 6 are the number of decimals.
const BITS: u8 = 0xff;

/// One value in so many may lie off the decimals; each costs some ten bytes.
const VALUES_PER_EXCEPTION: usize = 16;

/// Whole numbers up to here are distinct as doubles.
const LARGEST_SCALED: f64 = 9_007_199_254_740_992.0;

/// Of each row the last row before it of the same track, by its position among the rows given.
///
/// Rows of several sensors come in turns; the neighbour that tells most about a reading is that of the same sensor.
pub(super) fn predecessors(tracks: impl Iterator<Item = (u32, u32)>) -> Vec<Option<usize>> {
    let mut last = std::collections::HashMap::new();
    tracks
        .enumerate()
        .map(|(at, track)| last.insert(track, at))
        .collect()
}

/// The exact inverse of the division that reading does, or `None` where there is none.
fn scaled(value: f64, scale: f64) -> Option<i64> {
    let whole = (value * scale).round();
    if whole.is_nan() || whole.abs() > LARGEST_SCALED {
        return None;
    }
    let whole = whole as i64;
    (unscaled(whole, scale).to_bits() == value.to_bits()).then_some(whole)
}

fn unscaled(whole: i64, scale: f64) -> f64 {
    whole as f64 / scale
}

/// Writes the values; `tracks` names the track of each row.
pub(super) fn write_values(
    out: &mut Vec<u8>,
    values: &[Option<f64>],
    tracks: impl Iterator<Item = (u32, u32)>,
) {
    write_presence(out, values);
    let (present, tracks): (Vec<f64>, Vec<(u32, u32)>) = values
        .iter()
        .zip(tracks)
        .filter_map(|(value, track)| Some(((*value)?, track)))
        .unzip();
    let Some((decimals, scale)) = decimals(&present) else {
        out.push(BITS);
        let before = predecessors(tracks.into_iter());
        let bits = |at: Option<usize>| at.and_then(|at| present.get(at)).map_or(0, |v| v.to_bits());
        let codes: Vec<u64> = present
            .iter()
            .zip(before)
            .map(|(value, before)| value.to_bits() ^ bits(before))
            .collect();
        write_integers(out, &codes);
        return;
    };
    out.push(decimals);
    write_decimals(out, &present, tracks, scale);
}

/// Lengths of runs of rows with and without a value in turns, starting with rows that have one.
fn write_presence(out: &mut Vec<u8>, values: &[Option<f64>]) {
    if values.first().is_some_and(Option::is_none) {
        write_varint(out, 0);
    }
    for run in values.chunk_by(|one, next| one.is_some() == next.is_some()) {
        write_varint(out, run.len() as u64);
    }
}

/// The number of decimals, and its scale, that leaves the fewest values out; `None` when those are too many.
fn decimals(values: &[f64]) -> Option<(u8, f64)> {
    let mut fewest = values.len() / VALUES_PER_EXCEPTION + 1;
    let mut best = None;
    for (decimals, &scale) in (0..).zip(&SCALES) {
        let exceptions = values
            .iter()
            .filter(|&&value| scaled(value, scale).is_none())
            .take(fewest)
            .count();
        if exceptions < fewest {
            fewest = exceptions;
            best = Some((decimals, scale));
        }
    }
    best
}

fn write_decimals(out: &mut Vec<u8>, values: &[f64], tracks: Vec<(u32, u32)>, scale: f64) {
    let mut exceptions = Vec::new();
    let mut wholes = Vec::with_capacity(values.len());
    let mut whole_tracks = Vec::with_capacity(values.len());
    for ((at, &value), track) in values.iter().enumerate().zip(tracks) {
        match scaled(value, scale) {
            Some(whole) => {
                wholes.push(whole);
                whole_tracks.push(track);
            }
            None => exceptions.push((at, value)),
        }
    }
    write_varint(out, exceptions.len() as u64);
    let mut next = 0;
    for (at, value) in exceptions {
        write_varint(out, (at - next) as u64);
        out.extend_from_slice(&value.to_bits().to_le_bytes());
        next = at + 1;
    }
    let before = predecessors(whole_tracks.into_iter());
    let whole = |at: Option<usize>| at.and_then(|at| wholes.get(at)).copied().unwrap_or(0);
    let codes: Vec<u64> = wholes
        .iter()
        .zip(before)
        .map(|(&value, before)| zigzag(value.wrapping_sub(whole(before))))
        .collect();
    write_integers(out, &codes);
}

/// Reads what [`write_values`] wrote of as many rows as there are tracks.
pub(super) fn read_values(
    input: &mut Input<'_>,
    tracks: &[(u32, u32)],
) -> Result<Vec<Option<f64>>, ArchiveError> {
    let presence = read_presence(input, tracks.len())?;
    let tracks: Vec<(u32, u32)> = tracks
        .iter()
        .zip(&presence)
        .filter_map(|(&track, &present)| present.then_some(track))
        .collect();
    let form = input.byte()?;
    let values = match SCALES.get(usize::from(form)) {
        Some(&scale) => read_decimals(input, &tracks, scale)?,
        None if form == BITS => read_bits(input, &tracks)?,
        None => return Err(ArchiveError::Layout("the values have an unknown form")),
    };
    let mut values = values.into_iter();
    Ok(presence
        .into_iter()
        .map(|present| if present { values.next() } else { None })
        .collect())
}

fn read_presence(input: &mut Input<'_>, rows: usize) -> Result<Vec<bool>, ArchiveError> {
    let mut presence = Vec::with_capacity(rows);
    let mut present = true;
    while presence.len() < rows {
        let run = input.count(rows - presence.len())?;
        if run == 0 && !(presence.is_empty() && present) {
            return Err(ArchiveError::Layout("a run is empty"));
        }
        presence.resize(presence.len() + run, present);
        present = !present;
    }
    Ok(presence)
}

fn read_bits(input: &mut Input<'_>, tracks: &[(u32, u32)]) -> Result<Vec<f64>, ArchiveError> {
    let codes = input.integers(tracks.len())?;
    let before = predecessors(tracks.iter().copied());
    let mut bits: Vec<u64> = Vec::with_capacity(codes.len());
    for (code, before) in codes.into_iter().zip(before) {
        let before = before.and_then(|at| bits.get(at)).copied().unwrap_or(0);
        bits.push(code ^ before);
    }
    Ok(bits.into_iter().map(f64::from_bits).collect())
}

fn read_decimals(
    input: &mut Input<'_>,
    tracks: &[(u32, u32)],
    scale: f64,
) -> Result<Vec<f64>, ArchiveError> {
    let mut values: Vec<Option<f64>> = vec![None; tracks.len()];
    let mut slots = values.iter_mut();
    for _ in 0..input.count(tracks.len())? {
        let skipped = input.count(tracks.len())?;
        let slot = slots
            .nth(skipped)
            .ok_or(ArchiveError::Layout("an exception lies past the end"))?;
        *slot = Some(f64::from_bits(u64::from_le_bytes(input.array()?)));
    }
    let whole_tracks: Vec<(u32, u32)> = tracks
        .iter()
        .zip(&values)
        .filter_map(|(&track, value)| value.is_none().then_some(track))
        .collect();
    let codes = input.integers(whole_tracks.len())?;
    let before = predecessors(whole_tracks.into_iter());
    let mut wholes: Vec<i64> = Vec::with_capacity(codes.len());
    for (code, before) in codes.into_iter().zip(before) {
        let before = before.and_then(|at| wholes.get(at)).copied().unwrap_or(0);
        wholes.push(unzigzag(code).wrapping_add(before));
    }
    let mut wholes = wholes.into_iter();
    Ok(values
        .into_iter()
        .map(|value| value.unwrap_or_else(|| unscaled(wholes.next().unwrap_or(0), scale)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(values: &[f64]) -> Option<u8> {
        decimals(values).map(|(decimals, _)| decimals)
    }

    #[test]
    fn the_fewest_decimals_that_are_exact() {
        assert_eq!(form_of(&[]), Some(0));
        assert_eq!(form_of(&[1.0, -30.0, 9_007_199_254_740_992.0]), Some(0));
        assert_eq!(form_of(&[4.1, 4.2, -18.0]), Some(1));
        assert_eq!(form_of(&[0.000_001]), Some(6));
        assert_eq!(form_of(&[0.1 + 0.2]), None);
        assert_eq!(form_of(&[1.0 / 3.0, 2.0 / 3.0]), None);
        assert_eq!(form_of(&[-0.0]), None);
        assert_eq!(form_of(&[1e300]), None);
    }

    #[test]
    fn few_exceptions_do_not_change_the_form() {
        let mut values = vec![4.1; 100];
        values[3] = f64::NAN;
        values[50] = -0.0;
        values[51] = 0.1 + 0.2;
        assert_eq!(form_of(&values), Some(1));
        values[60..70].fill(f64::INFINITY);
        assert_eq!(form_of(&values), None);
    }
}
