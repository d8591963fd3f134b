//! Columns in which values repeat.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::ArchiveError;
use super::integers::{Input, write_repeated, write_varint};

/// The numbers of a column: NULL, a value not seen before, then the known values in order of appearance. A column without
/// repetition is one run of new values.
const NULL: u64 = 0;
const NEW: u64 = 1;

/// What a distinct value takes beside a text, in the list and in the table that finds it.
const ENTRY_BYTES: usize = 128;

/// A kind of value that a dictionary lists.
pub(super) trait Entry: Eq + Hash + Clone + Borrow<Self::Key> {
    /// What it is looked up by.
    type Key: Eq + Hash + ?Sized;

    fn from_key(key: &Self::Key) -> Self;

    /// The bytes that it takes elsewhere.
    fn text_bytes(&self) -> usize;

    fn write(&self, out: &mut Vec<u8>);

    fn read(input: &mut Input<'_>) -> Result<Self, ArchiveError>;
}

impl Entry for [u8; 16] {
    type Key = Self;

    fn from_key(key: &Self) -> Self {
        *key
    }

    fn text_bytes(&self) -> usize {
        0
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, ArchiveError> {
        input.array()
    }
}

/// An instant.
impl Entry for i64 {
    type Key = Self;

    fn from_key(key: &Self) -> Self {
        *key
    }

    fn text_bytes(&self) -> usize {
        0
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(input: &mut Input<'_>) -> Result<Self, ArchiveError> {
        input.array().map(Self::from_le_bytes)
    }
}

impl Entry for Arc<str> {
    type Key = str;

    fn from_key(key: &str) -> Self {
        Self::from(key)
    }

    fn text_bytes(&self) -> usize {
        self.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_varint(out, self.len() as u64);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut Input<'_>) -> Result<Self, ArchiveError> {
        let length = input.count(usize::MAX)?;
        input.charge(length)?;
        std::str::from_utf8(input.bytes(length)?)
            .map(Self::from)
            .map_err(|_| ArchiveError::Layout("a text is not UTF-8"))
    }
}

/// Each distinct value once, and of each row which one it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dictionary<T: Entry> {
    /// In order of appearance.
    entries: Vec<T>,
    places: HashMap<T, u32>,
    /// 0 is NULL; others are a place in the entries, from 1.
    rows: Vec<u32>,
    text_bytes: usize,
}

impl<T: Entry> Default for Dictionary<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            places: HashMap::new(),
            rows: Vec::new(),
            text_bytes: 0,
        }
    }
}

impl<T: Entry> Dictionary<T> {
    pub(super) fn push(&mut self, value: Option<&T::Key>) {
        let row = match value {
            None => 0,
            Some(value) => self.place(value),
        };
        self.rows.push(row);
    }

    fn place(&mut self, value: &T::Key) -> u32 {
        // Rows mostly repeat the one before.
        let last = self.rows.last().copied().unwrap_or(0);
        if self
            .entry(last)
            .is_some_and(|entry| entry.borrow() == value)
        {
            return last;
        }
        if let Some(&place) = self.places.get(value) {
            return place;
        }
        self.add(T::from_key(value))
    }

    fn add(&mut self, entry: T) -> u32 {
        self.text_bytes += entry.text_bytes();
        self.entries.push(entry.clone());
        let place = self.entries.len() as u32;
        self.places.insert(entry, place);
        place
    }

    fn entry(&self, place: u32) -> Option<&T> {
        self.entries.get((place as usize).checked_sub(1)?)
    }

    pub(super) fn get(&self, row: usize) -> Option<&T> {
        self.entry(*self.rows.get(row)?)
    }

    /// The memory of the distinct values.
    pub(super) const fn entry_bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES + self.text_bytes
    }

    /// Which distinct value each row has.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The entries and the rows.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_varint(out, self.entries.len() as u64);
        for entry in &self.entries {
            entry.write(out);
        }
        let mut seen = 0;
        let codes: Vec<u64> = self
            .rows
            .iter()
            .map(|&row| {
                if row > seen {
                    seen = row;
                    return NEW;
                }
                if row == 0 { NULL } else { u64::from(row) + 1 }
            })
            .collect();
        write_repeated(out, &codes);
    }

    /// Reads a column of so many rows.
    pub(super) fn read(input: &mut Input<'_>, rows: usize) -> Result<Self, ArchiveError> {
        let mut dictionary = Self::default();
        // Each entry belongs to the row where it appeared.
        for at in 0..input.count(rows)? {
            input.charge(ENTRY_BYTES)?;
            dictionary.add(T::read(input)?);
            if dictionary.places.len() != at + 1 {
                return Err(ArchiveError::Layout("a value is listed twice"));
            }
        }
        let entries = dictionary.entries.len() as u64;
        let mut seen = 0_u64;
        dictionary.rows.reserve_exact(rows);
        for code in input.repeated(rows)? {
            let row = match code {
                NULL => 0,
                NEW => {
                    seen += 1;
                    seen
                }
                known => known - 1,
            };
            if row > seen || seen > entries {
                return Err(ArchiveError::Layout("a row has a value that is not listed"));
            }
            dictionary.rows.push(row as u32);
        }
        if seen != entries {
            return Err(ArchiveError::Layout("a listed value is in no row"));
        }
        Ok(dictionary)
    }

    /// Reads a column that has no NULL.
    pub(super) fn read_required(input: &mut Input<'_>, rows: usize) -> Result<Self, ArchiveError> {
        let dictionary = Self::read(input, rows)?;
        if dictionary.rows.contains(&0) {
            return Err(ArchiveError::Layout("a required column has a NULL"));
        }
        Ok(dictionary)
    }
}
