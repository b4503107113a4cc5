//! Limits of what may be asked for in one request.

use crate::Mib;

/// The most bytes of user data an instance may be given: 16 KB, as the issue and cloud-init's other homes have it.
pub const USER_DATA_MAX: usize = 16 * 1024;

/// The most instances one create may ask for.
pub const COUNT_MAX: u32 = 100;

/// The most volumes an instance may have besides its root.
pub const DATA_VOLUMES_MAX: u32 = 10;

/// The most entries on one page of a list.
pub const PAGE_MAX: u32 = 500;

/// The longest grace time of a stop in seconds.
pub const STOP_GRACE_MAX: u32 = 3600;

/// The most characters in a word that describes an image.
pub const IMAGE_WORD_MAX: usize = 64;

/// More memory than any host has: 16 TiB.
pub const MEMORY_MAX: Mib = Mib(1 << 24);

/// The most rules a security group may have.
pub const RULES_MAX: u32 = 200;

/// The most security groups a port may be in.
pub const GROUPS_MAX: u32 = 16;

/// The most addresses besides its own that a port may send from.
pub const PAIRS_MAX: u32 = 10;

/// The most resolvers, or time servers, a subnet may tell its guests of.
pub const SERVERS_MAX: u32 = 4;
