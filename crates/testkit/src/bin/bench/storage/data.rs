//! The bytes that disks are filled with: half noise, half words, a MiB of each in turn.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// How much there is before it begins again.
const PERIOD: u64 = 64 * MIB;

const WORDS: [&str; 8] = [
    "berth ",
    "volume ",
    "the ",
    "snapshot\n",
    "is ",
    "0123 ",
    "image ",
    "guest\t",
];

/// A raw disk of that size, with so much data at its beginning and a hole behind it.
pub(super) fn raw_disk(path: PathBuf, size: u64, data: u64) -> PathBuf {
    let mut file = File::create(&path).unwrap();
    let bytes = period();
    while file.stream_position().unwrap() < data {
        let left = data - file.stream_position().unwrap();
        io::copy(&mut bytes.as_slice().take(left), &mut file).unwrap();
    }
    file.set_len(size).unwrap();
    file.flush().unwrap();
    path
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn period() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    for mib in 1..=PERIOD / MIB {
        let end = usize::try_from(mib * MIB).unwrap();
        while bytes.len() < end {
            let number = random.next();
            if mib % 2 == 0 {
                let word = usize::try_from(number >> 61).unwrap();
                bytes.extend(WORDS[word].as_bytes());
            } else {
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes.truncate(end);
    }
    bytes
}

/// Numbers without any pattern that a compressor would find.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
