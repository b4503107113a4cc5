//! Limits of what may be asked for in one request.

use crate::Mib;

/// The most bytes of user data an instance may be given: 16 KB, as the issue and cloud-init's other homes have it.
pub const USER_DATA_MAX: usize = 16 * 1024;

/// The most instances one create may ask for.
pub const COUNT_MAX: u32 = 100;

/// The most entries on one page of a list.
pub const PAGE_MAX: u32 = 500;

/// The longest grace time of a stop in seconds.
pub const STOP_GRACE_MAX: u32 = 3600;

/// The most characters in a word that describes an image.
pub const IMAGE_WORD_MAX: usize = 64;

/// More memory than any host has: 16 TiB.
pub const MEMORY_MAX: Mib = Mib(1 << 24);
