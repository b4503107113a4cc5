//! What an import believes of a file that a stranger made: every parser of a format's headers.
//!
//! The bytes are a file as they are. A VHDX has its parts at fixed places far from each other, which no fuzzer finds: so
//! they are also laid out as one, and as a file that is much longer than what is in it.
#![no_main]

use berth_storage::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    fuzzing::header(data);
    fuzzing::inspect(data.len() as u64, &[(0, data)]);
    let Some((lengths, data)) = data.split_at_checked(8) else {
        return;
    };
    let length = u64::from_le_bytes(lengths.try_into().unwrap_or_default());
    fuzzing::inspect(length, &[(0, data)]);
    fuzzing::inspect(length, &[(0, data), (length.saturating_sub(data.len() as u64), data)]);
    let Some((headers, rest)) = data.split_at_checked(160) else {
        return;
    };
    let (first, second) = headers.split_at(80);
    let (regions, metadata) = rest.split_at(rest.len().min(240));
    let places = [
        (0, &b"vhdxfile"[..]),
        (64 << 10, first),
        (128 << 10, second),
        (192 << 10, regions),
        (256 << 10, regions),
        (1 << 20, metadata),
    ];
    fuzzing::inspect(length, &places);
});
