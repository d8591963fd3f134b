//! Columns of integers as bytes, and the cursor that reads them back.

use super::ArchiveError;
use crate::budget::Budget;

/// Small differences of either sign as small numbers: 0, -1, 1, -2 become 0, 1, 2, 3.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(super) const fn unzigzag(code: u64) -> i64 {
    (code >> 1).cast_signed() ^ -(code & 1).cast_signed()
}

/// Seven bits a byte, lowest first; the highest bit says that more follow.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`write_varint`] appends.
pub(super) const fn varint_length(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// A layout byte of varints; 1 to 8 are the number of planes.
const VARINTS: u8 = 0;

/// Writes a column whose length the reader knows.
///
/// Numbers that mostly take one byte are written as varints. Of larger ones all lowest bytes are written, then all second
/// bytes, and so on: noise and what is regular lie apart, and the compressor gives each plane a code of its own.
pub(super) fn write_integers(out: &mut Vec<u8>, codes: &[u64]) {
    let varints: usize = codes.iter().map(|&code| varint_length(code)).sum();
    if varints <= codes.len() + codes.len() / 4 {
        out.push(VARINTS);
        for &code in codes {
            write_varint(out, code);
        }
        return;
    }
    let highest = codes.iter().fold(0, |bits, code| bits | code);
    let planes = (71 - highest.leading_zeros()) / 8;
    out.push(planes as u8);
    for plane in 0..planes {
        out.extend(codes.iter().map(|code| (code >> (8 * plane)) as u8));
    }
}

const RUNS: u8 = 1;
const SINGLE: u8 = 0;

/// Writes a column of few distinct numbers, as runs where that is shorter.
pub(super) fn write_repeated(out: &mut Vec<u8>, codes: &[u64]) {
    let runs = || codes.chunk_by(|one, next| one == next);
    if runs().count() * 2 >= codes.len() {
        out.push(SINGLE);
        write_integers(out, codes);
        return;
    }
    out.push(RUNS);
    for run in runs() {
        write_varint(out, run.first().copied().unwrap_or(0));
        write_varint(out, run.len() as u64);
    }
}

/// A cursor over uncompressed columns that never reads past the end, with a budget for what is made of them.
#[derive(Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
    budget: Budget,
}

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8], budget: Budget) -> Self {
        Self {
            rest: bytes,
            budget,
        }
    }

    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), ArchiveError> {
        Ok(self.budget.charge(bytes)?)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], ArchiveError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(ArchiveError::Layout("the columns end too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(ArchiveError::Layout("the columns end too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ArchiveError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u64, ArchiveError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // One form of each number, so that equal columns have equal bytes.
                if byte == 0 && shift > 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(ArchiveError::Layout("a number is not well formed"))
    }

    /// A count that may not exceed what the caller has room for.
    pub(super) fn count(&mut self, most: usize) -> Result<usize, ArchiveError> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|&count| count <= most)
            .ok_or(ArchiveError::Layout("a count is too large"))
    }

    /// What [`write_integers`] wrote of a column of this length.
    pub(super) fn integers(&mut self, length: usize) -> Result<Vec<u64>, ArchiveError> {
        let planes = self.byte()?;
        if planes == VARINTS {
            return (0..length).map(|_| self.varint()).collect();
        }
        if planes > 8 {
            return Err(ArchiveError::Layout("a column has an unknown form"));
        }
        let mut codes = vec![0; length];
        for plane in 0..planes {
            for (code, &byte) in codes.iter_mut().zip(self.bytes(length)?) {
                *code |= u64::from(byte) << (8 * plane);
            }
        }
        Ok(codes)
    }

    /// What [`write_repeated`] wrote of a column of this length.
    pub(super) fn repeated(&mut self, length: usize) -> Result<Vec<u64>, ArchiveError> {
        match self.byte()? {
            SINGLE => return self.integers(length),
            RUNS => {}
            _ => return Err(ArchiveError::Layout("a column has an unknown form")),
        }
        let mut codes = Vec::with_capacity(length);
        while codes.len() < length {
            let code = self.varint()?;
            let run = self.count(length - codes.len())?;
            if run == 0 {
                return Err(ArchiveError::Layout("a run is empty"));
            }
            codes.resize(codes.len() + run, code);
        }
        Ok(codes)
    }

    /// Insists that every byte was read.
    pub(super) const fn close(self) -> Result<(), ArchiveError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ArchiveError::Layout("bytes follow the last column"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(bytes: &[u8]) -> Input<'_> {
        Input::new(bytes, Budget::new(0))
    }

    #[test]
    fn numbers_come_back() {
        let numbers = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::MAX / 2,
            u64::MAX - 1,
            u64::MAX,
        ];
        for number in numbers {
            let mut out = Vec::new();
            write_varint(&mut out, number);
            assert_eq!(out.len(), varint_length(number), "{number}");
            assert_eq!(input(&out).varint(), Ok(number));
            assert_eq!(zigzag(unzigzag(number)), number);
        }
        assert_eq!([0, -1, 1, -2, i64::MIN].map(zigzag), [0, 1, 2, 3, u64::MAX]);
    }

    #[test]
    fn numbers_have_one_form() {
        for bytes in [&[0x80, 0x00][..], &[0xff; 10], &[0x80; 11], &[0x80], &[]] {
            assert!(input(bytes).varint().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn columns_come_back_in_every_form() {
        let columns: [Vec<u64>; 6] = [
            vec![],
            vec![0; 9],
            vec![1, 2, 3, 200],
            (0..100).map(|i| i * 70_000).collect(),
            vec![u64::MAX, 0, 1],
            [vec![7; 50], vec![9; 3]].concat(),
        ];
        for column in columns {
            let mut out = Vec::new();
            write_integers(&mut out, &column);
            write_repeated(&mut out, &column);
            let mut input = input(&out);
            assert_eq!(input.integers(column.len()).as_ref(), Ok(&column));
            assert_eq!(input.repeated(column.len()).as_ref(), Ok(&column));
            assert_eq!(input.close(), Ok(()));
        }
    }
}
