//! Limits of what may be asked for in one request.

/// The most bytes of user data an instance may be given: 16 KB, as the issue and cloud-init's other homes have it.
pub const USER_DATA_MAX: usize = 16 * 1024;

/// The most instances one create may ask for.
pub const COUNT_MAX: u32 = 100;

/// The most entries on one page of a list.
pub const PAGE_MAX: u32 = 500;
