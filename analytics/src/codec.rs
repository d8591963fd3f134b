//! The binary layout of stored states: magic, version, length-checked little-endian fields.
//!
//! A stored state outlives the code that wrote it, so the layout is ours: byte 0 is the type's magic number, byte 1 the
//! version of its layout, then the fields in a documented order. Readers check every length before they allocate and
//! reject trailing bytes, so that equal states have equal bytes and malformed input is an error, never a panic.

use crate::error::{Classify, ErrorKind};

/// Why bytes were not accepted as an encoded state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The first byte belongs to another type.
    #[error("invalid {type_name}: magic byte {found:#04x} instead of {expected:#04x}")]
    Magic {
        /// The SQL name of the type that was to be read.
        type_name: &'static str,
        /// The byte that the type starts with.
        expected: u8,
        /// The byte that was there.
        found: u8,
    },
    /// Written by a newer version, or damaged.
    #[error("invalid {type_name}: layout version {found}, this library reads up to {newest}")]
    Version {
        /// The SQL name of the type that was to be read.
        type_name: &'static str,
        /// The newest version known here.
        newest: u8,
        /// The version byte that was there.
        found: u8,
    },
    /// Fewer bytes than the layout needs.
    #[error("invalid {type_name}: truncated at byte {at}")]
    Truncated {
        /// The SQL name of the type that was to be read.
        type_name: &'static str,
        /// The offset at which more bytes were expected.
        at: usize,
    },
    /// More bytes than the layout has.
    #[error("invalid {type_name}: {extra} bytes after its end")]
    Trailing {
        /// The SQL name of the type that was to be read.
        type_name: &'static str,
        /// How many bytes are left over.
        extra: usize,
    },
    /// The fields contradict each other or lie outside their domain.
    #[error("invalid {type_name}: {reason}")]
    Invalid {
        /// The SQL name of the type that was to be read.
        type_name: &'static str,
        /// Which rule is broken.
        reason: String,
    },
}

impl Classify for CodecError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidBinary
    }
}

/// Why text was not accepted as a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not the JSON object that the type prints.
    #[error("invalid input for type {type_name}: {reason}")]
    Json {
        /// The SQL name of the type that was to be read.
        type_name: &'static str,
        /// What the JSON parser found.
        reason: String,
    },
    /// The right keys with values that contradict each other.
    #[error(transparent)]
    Content(CodecError),
}

impl Classify for TextError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidText
    }
}

/// The text form of a state: one JSON object that holds everything the binary form holds, doubles to the last bit.
///
/// Both forms pass the same checks, so neither can bring in a state that the other refuses.
pub trait TextForm: Codec {
    /// Prints the state.
    fn to_text(&self) -> String;

    /// Reads what [`TextForm::to_text`] prints.
    ///
    /// # Errors
    /// [`TextError`] when the text is not such an object or its values contradict each other.
    fn from_text(text: &str) -> Result<Self, TextError>;
}

/// A state with a stable binary layout.
///
/// The layout is `MAGIC`, `VERSION`, then whatever [`Codec::write`] appends; [`Codec::read`] must accept exactly what
/// `write` produced and must leave nothing unread.
pub trait Codec: Sized {
    /// The SQL name of the type, for messages.
    const TYPE_NAME: &'static str;
    /// The first byte of every value of this type; no two types share one.
    const MAGIC: u8;
    /// The newest layout version.
    const VERSION: u8;

    /// The layout version that [`Codec::write`] uses for this value: the oldest that can hold it, so that a value that
    /// needs nothing new keeps the bytes that it always had.
    fn version(&self) -> u8 {
        Self::VERSION
    }

    /// Appends the fields.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the fields of layout `version` (1 ..= [`Codec::VERSION`]).
    ///
    /// # Errors
    /// [`CodecError`] on anything that [`Codec::write`] cannot have produced.
    fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, CodecError>;

    /// Encodes with magic and version.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![Self::MAGIC, self.version()];
        self.write(&mut out);
        out
    }

    /// Decodes and insists that every byte is used.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not a valid encoding of this type.
    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (mut reader, version) = Self::open(bytes)?;
        let value = Self::read(&mut reader, version)?;
        reader.close()?;
        Ok(value)
    }

    /// A reader of the fields, after magic and version, and the version.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes do not start as an encoding of this type.
    fn open(bytes: &[u8]) -> Result<(Reader<'_>, u8), CodecError> {
        let mut reader = Reader {
            bytes,
            at: 0,
            type_name: Self::TYPE_NAME,
        };
        let magic = reader.u8()?;
        if magic != Self::MAGIC {
            return Err(CodecError::Magic {
                type_name: Self::TYPE_NAME,
                expected: Self::MAGIC,
                found: magic,
            });
        }
        let version = reader.u8()?;
        if version == 0 || version > Self::VERSION {
            return Err(CodecError::Version {
                type_name: Self::TYPE_NAME,
                newest: Self::VERSION,
                found: version,
            });
        }
        Ok((reader, version))
    }
}

/// A cursor over encoded bytes that never reads past the end.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    type_name: &'static str,
}

impl<'a> Reader<'a> {
    #[cold]
    fn truncated(&self, at: usize) -> CodecError {
        CodecError::Truncated {
            type_name: self.type_name,
            at,
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let Some(chunk) = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<N>())
        else {
            return Err(self.truncated(self.at));
        };
        self.at += N;
        Ok(*chunk)
    }

    /// The next `length` bytes, without copying.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end of the input.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let chunk = rest
            .get(..length)
            .ok_or_else(|| self.truncated(self.bytes.len()))?;
        self.at += length;
        Ok(chunk)
    }

    /// Insists that every byte was read.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] when bytes are left.
    pub fn close(self) -> Result<(), CodecError> {
        match self.remaining() {
            0 => Ok(()),
            extra => Err(CodecError::Trailing {
                type_name: self.type_name,
                extra,
            }),
        }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end of the input.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    /// A little-endian `u32`.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end of the input.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// A little-endian `i32`.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end of the input.
    pub fn i32(&mut self) -> Result<i32, CodecError> {
        Ok(i32::from_le_bytes(self.take()?))
    }

    /// A little-endian `u64`.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end of the input.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// A little-endian IEEE 754 double.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] at the end of the input.
    pub fn f64(&mut self) -> Result<f64, CodecError> {
        Ok(f64::from_le_bytes(self.take()?))
    }

    /// An element count whose elements take at least `element_size` bytes each: more than the input can hold is refused
    /// before anything is allocated.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] when the input is too short for that many elements.
    pub fn length(&mut self, element_size: usize) -> Result<usize, CodecError> {
        let declared = self.u32()? as usize;
        if declared.saturating_mul(element_size.max(1)) > self.remaining() {
            return Err(self.truncated(self.bytes.len()));
        }
        Ok(declared)
    }

    /// The error for fields that contradict each other.
    pub fn invalid(&self, reason: impl Into<String>) -> CodecError {
        CodecError::Invalid {
            type_name: self.type_name,
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Pair(Vec<f64>);

    impl Codec for Pair {
        const TYPE_NAME: &'static str = "pair";
        const MAGIC: u8 = 0x01;
        const VERSION: u8 = 1;

        fn write(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
            for value in &self.0 {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }

        fn read(reader: &mut Reader<'_>, _version: u8) -> Result<Self, CodecError> {
            let length = reader.length(8)?;
            let mut values = Vec::with_capacity(length);
            for _ in 0..length {
                values.push(reader.f64()?);
            }
            Ok(Self(values))
        }
    }

    #[test]
    fn every_truncation_and_every_extension_is_an_error() {
        let bytes = Pair(vec![1.0, -2.5]).encode();
        assert_eq!(Pair::decode(&bytes), Ok(Pair(vec![1.0, -2.5])));
        for end in 0..bytes.len() {
            assert!(Pair::decode(&bytes[..end]).is_err(), "accepted {end} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(
            Pair::decode(&longer),
            Err(CodecError::Trailing {
                type_name: "pair",
                extra: 1
            })
        );
    }

    #[test]
    fn foreign_magic_and_future_versions_are_refused() {
        let mut bytes = Pair(vec![]).encode();
        bytes[1] = 2;
        assert!(matches!(
            Pair::decode(&bytes),
            Err(CodecError::Version { found: 2, .. })
        ));
        bytes[0] = 9;
        assert!(matches!(
            Pair::decode(&bytes),
            Err(CodecError::Magic { found: 9, .. })
        ));
    }

    #[test]
    fn a_huge_declared_length_allocates_nothing() {
        let bytes = [0x01, 1, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            Pair::decode(&bytes),
            Err(CodecError::Truncated { .. })
        ));
    }
}
