//! Checksum files as distributions publish them: one file's checksum out of many lines.
//!
//! ```text
//!   GNU   3f5a…  name        the length says whether it is SHA-256 or SHA-512
//!         3f5a… *name
//!   BSD   SHA256 (name) = 3f5a…
//! ```
//!
//! Whatever else stands there (comments, sizes, a PGP signature around it all) is passed over.

use crate::Checksum;

/// A checksum file doesn't say what a file's checksum is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumFileError {
    /// It has no line for that file.
    #[error("the checksum file has no SHA-256 or SHA-512 of '{0}'")]
    Missing(String),
    /// It has lines for that file that can't both be so.
    #[error("the checksum file has different checksums of '{0}'")]
    Ambiguous(String),
}

/// The checksum of a file of that name, out of a checksum file. SHA-512 if it has both.
pub fn find_checksum(text: &str, file: &str) -> Result<Checksum, ChecksumFileError> {
    let mut found: Option<Checksum> = None;
    for (name, checksum) in text.lines().filter_map(line) {
        // `sha256sum ./*` writes the names so.
        if name.strip_prefix("./").unwrap_or(name) != file {
            continue;
        }
        found = match (found, checksum) {
            (None, new) | (Some(Checksum::Sha256(_)), new @ Checksum::Sha512(_)) => Some(new),
            (Some(old @ Checksum::Sha512(_)), Checksum::Sha256(_)) => Some(old),
            (Some(old), new) if old == new => Some(old),
            (Some(_), _) => return Err(ChecksumFileError::Ambiguous(file.to_owned())),
        };
    }
    found.ok_or_else(|| ChecksumFileError::Missing(file.to_owned()))
}

/// The file's name and the checksum of one line, in either form.
fn line(line: &str) -> Option<(&str, Checksum)> {
    let line = line.trim_end();
    bsd(line).or_else(|| gnu(line))
}

fn bsd(line: &str) -> Option<(&str, Checksum)> {
    let (algorithm, rest) = line.split_once(" (")?;
    let (name, digits) = rest.rsplit_once(") = ")?;
    let checksum = of_digits(digits)?;
    match (algorithm, &checksum) {
        ("SHA256", Checksum::Sha256(_)) | ("SHA512", Checksum::Sha512(_)) => Some((name, checksum)),
        _ => None,
    }
}

fn gnu(line: &str) -> Option<(&str, Checksum)> {
    let (digits, rest) = line.split_once(' ')?;
    // The second character is a blank for text and a star for binary: the same on everything that Berth runs on.
    let name = rest.strip_prefix([' ', '*'])?;
    Some((name, of_digits(digits)?))
}

/// A checksum from its digits alone, whose number says which one it is.
fn of_digits(digits: &str) -> Option<Checksum> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| digits.parse().ok())?
}
