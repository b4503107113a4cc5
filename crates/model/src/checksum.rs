//! Checksums: what the bytes of an image must hash to, as its publisher says it.

use std::fmt;
use std::str::FromStr;

/// What a file's bytes must hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512.
    Sha512([u8; 64]),
}

/// What was given is no checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 'sha256:' and 64, or 'sha512:' and 128 hexadecimal digits; the digits alone will do")]
pub struct ParseChecksumError;

impl Checksum {
    /// The algorithm, as it is written before the colon.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        }
    }

    /// The hash itself.
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(hash) => hash,
            Self::Sha512(hash) => hash,
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm())?;
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = ParseChecksumError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, digits) = match text.split_once(':') {
            Some((algorithm, digits)) => (Some(algorithm), digits),
            None => (None, text),
        };
        match (algorithm, digits.len()) {
            (Some("sha256") | None, 64) => hash(digits).map(Self::Sha256),
            (Some("sha512") | None, 128) => hash(digits).map(Self::Sha512),
            _ => None,
        }
        .ok_or(ParseChecksumError)
    }
}

/// N bytes from 2 N digits of either case.
fn hash<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(short in any::<[u8; 32]>(), long in prop::collection::vec(any::<u8>(), 64)) {
            let long = Checksum::Sha512(long.try_into().unwrap_or([0; 64]));
            for checksum in [Checksum::Sha256(short), long] {
                let text = checksum.to_string();
                prop_assert_eq!(text.parse(), Ok(checksum));
                prop_assert_eq!(text.to_uppercase()[7..].parse(), Ok(checksum), "the digits alone");
            }
        }

        #[test]
        fn no_text_breaks_the_parser(text in "(sha(256|512):)?\\PC{0,140}") {
            if let Ok(checksum) = text.parse::<Checksum>() {
                prop_assert!(checksum.to_string().ends_with(&text.to_lowercase()));
            }
        }
    }

    #[test]
    fn an_algorithm_goes_with_its_length() {
        let digits = "0".repeat(64);
        for wrong in [
            format!("sha512:{digits}"),
            format!("md5:{digits}"),
            digits[1..].to_owned(),
            String::new(),
        ] {
            assert_eq!(wrong.parse::<Checksum>(), Err(ParseChecksumError), "{wrong}");
        }
    }
}
