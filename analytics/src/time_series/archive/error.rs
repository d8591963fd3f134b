//! Why a bundle was not made or not read.

use super::BundleKind;
use crate::budget::BudgetExceeded;
use crate::error::{Classify, ErrorKind};

/// Why a bundle was not made or not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Fewer bytes than the smallest bundle has.
    #[error("invalid bundle: {bytes} bytes are too few")]
    Truncated {
        /// How many there are.
        bytes: usize,
    },
    /// Something else than a bundle.
    #[error("invalid bundle: it does not start as one")]
    Magic,
    /// Written by a newer version, or damaged.
    #[error("invalid bundle: layout version {found}, this library reads up to {newest}")]
    Version {
        /// The version byte that was there.
        found: u8,
        /// The newest version known here.
        newest: u8,
    },
    /// The checksum is not that of the bytes.
    #[error("invalid bundle: it is damaged, its checksum does not match")]
    Damaged,
    /// A kind of rows that this version does not know.
    #[error("invalid bundle: unknown kind {0}")]
    UnknownKind(u8),
    /// Rows of another kind than asked for.
    #[error("the bundle holds {found}, not {expected}", found = .found.as_str(), expected = .expected.as_str())]
    Kind {
        /// What was asked for.
        expected: BundleKind,
        /// What the bundle holds.
        found: BundleKind,
    },
    /// A header that declares more than the caller has room for.
    #[error("the bundle needs {needed} bytes of memory, the limit is {limit}")]
    TooLarge {
        /// The size that the bundle declares.
        needed: u64,
        /// The caller's limit.
        limit: usize,
    },
    /// Distinct texts and uuids for which there is no room beside the rows.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// The compressed part is not one, or not of the declared length.
    #[error("invalid bundle: {0}")]
    Compression(String),
    /// The digest is not that of the uncompressed columns.
    #[error("invalid bundle: its digest does not match")]
    Digest,
    /// Columns that contradict each other or the header.
    #[error("invalid bundle: {0}")]
    Layout(&'static str),
    /// A record that is not the text of a JSON object.
    #[error("record {position} is not a JSON object")]
    Record {
        /// Its position, from 1.
        position: usize,
    },
}

impl Classify for ArchiveError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } => ErrorKind::LimitExceeded,
            Self::Budget(error) => error.kind(),
            Self::Record { .. } | Self::Kind { .. } => ErrorKind::InvalidParameter,
            _ => ErrorKind::InvalidBinary,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged | Self::Digest => {
                Some("Restore the bundle from a backup; nothing of it was read.".to_owned())
            }
            Self::Budget(error) => error.hint(),
            _ => None,
        }
    }
}
