//! The envelope of a bundle: header, compressed columns, checksum.

use sha2::{Digest, Sha256};

use super::ArchiveError;
use crate::statistics::hash::xxh64;

const MAGIC: [u8; 4] = *b"SOPB";
const VERSION: u8 = 1;

/// Magic, version, kind, rows, uncompressed length.
const FIELDS: usize = 4 + 1 + 1 + 8 + 8;
const HEADER: usize = FIELDS + 32;
const CHECKSUM: usize = 8;

/// Readings of sensors pack alike at all levels, but texts do not; beyond nine the time grows faster than what is saved.
const LEVEL: i32 = 9;

/// What a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// Rows of time series, column by column.
    TimeSeries,
    /// Rows of any table, as sorted JSON texts.
    Records,
}

impl BundleKind {
    /// The words of messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeSeries => "time series",
            Self::Records => "records",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::TimeSeries => 0,
            Self::Records => 1,
        }
    }

    fn of(code: u8) -> Result<Self, ArchiveError> {
        [Self::TimeSeries, Self::Records]
            .into_iter()
            .find(|kind| kind.code() == code)
            .ok_or(ArchiveError::UnknownKind(code))
    }
}

/// What the header of a bundle says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleInfo {
    /// What it holds.
    pub kind: BundleKind,
    /// The version of its layout.
    pub version: u8,
    /// How many rows.
    pub rows: u64,
    /// How many bytes the columns have without compression.
    pub uncompressed_bytes: u64,
}

/// Reads the header of a bundle and checks that no bit of the whole is damaged, without decompressing it.
///
/// # Errors
/// [`ArchiveError`] for bytes that are not an undamaged bundle of a known version and kind.
///
/// # Example
/// ```
/// use sop_analytics::time_series::archive::{encode_records, inspect};
///
/// let bundle = encode_records(&[r#"{"id":1}"#, r#"{"id":2}"#])?;
/// assert_eq!(inspect(&bundle)?.rows, 2);
/// # Ok::<(), sop_analytics::time_series::archive::ArchiveError>(())
/// ```
pub fn inspect(bundle: &[u8]) -> Result<BundleInfo, ArchiveError> {
    Envelope::of(bundle).map(|envelope| envelope.info)
}

/// Puts columns into an envelope.
pub(super) fn seal(kind: BundleKind, rows: usize, columns: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let packed = zstd::bulk::compress(columns, LEVEL)
        .map_err(|error| ArchiveError::Compression(error.to_string()))?;
    let mut bundle = Vec::with_capacity(HEADER + packed.len() + CHECKSUM);
    bundle.extend_from_slice(&MAGIC);
    bundle.push(VERSION);
    bundle.push(kind.code());
    bundle.extend_from_slice(&(rows as u64).to_le_bytes());
    bundle.extend_from_slice(&(columns.len() as u64).to_le_bytes());
    let digest = digest(&bundle, columns);
    bundle.extend_from_slice(&digest);
    bundle.extend_from_slice(&packed);
    let checksum = xxh64(&bundle);
    bundle.extend_from_slice(&checksum.to_le_bytes());
    Ok(bundle)
}

/// Takes the columns out of an envelope: the number of rows and the uncompressed bytes, at most `max_bytes` of them, also
/// when each row takes `row_bytes` once it is decoded.
pub(super) fn open(
    bundle: &[u8],
    kind: BundleKind,
    row_bytes: usize,
    max_bytes: usize,
) -> Result<(usize, Vec<u8>), ArchiveError> {
    let envelope = Envelope::of(bundle)?;
    let info = envelope.info;
    if info.kind != kind {
        return Err(ArchiveError::Kind {
            expected: kind,
            found: info.kind,
        });
    }
    let needed = info
        .rows
        .saturating_mul(row_bytes as u64)
        .max(info.uncompressed_bytes);
    let too_large = ArchiveError::TooLarge {
        needed,
        limit: max_bytes,
    };
    if needed > max_bytes as u64 {
        return Err(too_large);
    }
    let (Ok(rows), Ok(length)) = (
        usize::try_from(info.rows),
        usize::try_from(info.uncompressed_bytes),
    ) else {
        return Err(too_large);
    };
    // Into a buffer of the declared length: a frame that holds more ends in an error, not in memory.
    let columns = zstd::bulk::decompress(envelope.packed, length)
        .map_err(|error| ArchiveError::Compression(error.to_string()))?;
    if columns.len() != length {
        return Err(ArchiveError::Layout("the length is not the declared one"));
    }
    if digest(envelope.fields, &columns) != envelope.digest {
        return Err(ArchiveError::Digest);
    }
    Ok((rows, columns))
}

fn digest(fields: &[u8], columns: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(fields)
        .chain_update(columns)
        .finalize()
        .into()
}

/// The parts of a bundle whose checksum is right.
struct Envelope<'a> {
    info: BundleInfo,
    fields: &'a [u8],
    digest: &'a [u8],
    packed: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn of(bundle: &'a [u8]) -> Result<Self, ArchiveError> {
        let truncated = || ArchiveError::Truncated {
            bytes: bundle.len(),
        };
        let (checked, checksum) = bundle
            .split_last_chunk::<CHECKSUM>()
            .ok_or_else(truncated)?;
        let (fields, rest) = checked.split_at_checked(FIELDS).ok_or_else(truncated)?;
        let (digest, packed) = rest.split_at_checked(32).ok_or_else(truncated)?;
        let (magic, rest) = fields.split_first_chunk::<4>().ok_or_else(truncated)?;
        let (&[version, kind], rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        let (rows, rest) = rest.split_first_chunk::<8>().ok_or_else(truncated)?;
        let length = rest.first_chunk::<8>().ok_or_else(truncated)?;
        if *magic != MAGIC {
            return Err(ArchiveError::Magic);
        }
        if version == 0 || version > VERSION {
            return Err(ArchiveError::Version {
                found: version,
                newest: VERSION,
            });
        }
        if xxh64(checked) != u64::from_le_bytes(*checksum) {
            return Err(ArchiveError::Damaged);
        }
        let info = BundleInfo {
            kind: BundleKind::of(kind)?,
            version,
            rows: u64::from_le_bytes(*rows),
            uncompressed_bytes: u64::from_le_bytes(*length),
        };
        Ok(Self {
            info,
            fields,
            digest,
            packed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: BundleKind = BundleKind::Records;

    /// A bundle whose checksum is right and whose header may lie.
    fn forged(rows: u64, length: u64, columns: &[u8]) -> Vec<u8> {
        let mut bundle = seal(KIND, 0, columns).unwrap();
        bundle.truncate(bundle.len() - CHECKSUM);
        bundle[6..14].copy_from_slice(&rows.to_le_bytes());
        bundle[14..22].copy_from_slice(&length.to_le_bytes());
        let digest = digest(&bundle[..FIELDS], columns);
        bundle[FIELDS..HEADER].copy_from_slice(&digest);
        let checksum = xxh64(&bundle);
        bundle.extend_from_slice(&checksum.to_le_bytes());
        bundle
    }

    #[test]
    fn what_is_sealed_is_opened() {
        let bundle = seal(KIND, 3, b"columns").unwrap();
        assert_eq!(open(&bundle, KIND, 1, 7), Ok((3, b"columns".to_vec())));
        assert_eq!(
            inspect(&bundle),
            Ok(BundleInfo {
                kind: KIND,
                version: 1,
                rows: 3,
                uncompressed_bytes: 7
            })
        );
        assert_eq!(
            open(&bundle, BundleKind::TimeSeries, 1, 7)
                .unwrap_err()
                .to_string(),
            "the bundle holds records, not time series"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_unpacked() {
        let bundle = seal(KIND, 3, b"columns").unwrap();
        let too_large = |needed, limit| Err(ArchiveError::TooLarge { needed, limit });
        assert_eq!(open(&bundle, KIND, 1, 6), too_large(7, 6));
        assert_eq!(open(&bundle, KIND, 4, 11), too_large(12, 11));
        let endless = forged(u64::MAX, 7, b"columns");
        assert_eq!(
            open(&endless, KIND, 64, 1 << 30),
            too_large(u64::MAX, 1 << 30)
        );
    }

    #[test]
    fn a_bomb_stays_in_its_box() {
        let bomb = forged(1, 1000, &vec![0; 1 << 24]);
        assert!(bomb.len() < 4096);
        assert!(matches!(
            open(&bomb, KIND, 1, 1 << 20),
            Err(ArchiveError::Compression(_))
        ));
        let short = forged(1, 1 << 20, &[0; 1000]);
        assert_eq!(
            open(&short, KIND, 1, 1 << 20),
            Err(ArchiveError::Layout("the length is not the declared one"))
        );
    }

    #[test]
    fn other_kinds_and_digests_are_refused() {
        let with = |at: usize, byte: u8| {
            let mut bundle = forged(1, 7, b"columns");
            bundle.truncate(bundle.len() - CHECKSUM);
            bundle[at] ^= byte;
            let checksum = xxh64(&bundle);
            bundle.extend_from_slice(&checksum.to_le_bytes());
            open(&bundle, KIND, 1, 100)
        };
        assert_eq!(with(0, 1), Err(ArchiveError::Magic));
        assert!(matches!(with(4, 2), Err(ArchiveError::Version { .. })));
        assert_eq!(with(5, 8), Err(ArchiveError::UnknownKind(9)));
        assert_eq!(with(FIELDS, 1), Err(ArchiveError::Digest));
        assert_eq!(with(6, 4), Err(ArchiveError::Digest));
        assert!(with(HEADER, 1).is_err());
    }
}
