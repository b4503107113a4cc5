//! The stable error codes: one table of code, HTTP status and exit code.
//!
//! A program that calls the socket matches on the code, a script on the exit code; neither ever changes its meaning.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $http:literal, $exit:literal;)+) => {
        /// What went wrong, in a word that stays the same for ever.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {$(
            $(#[$doc])*
            #[serde(rename = $text)]
            $name,
        )+}

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it is written on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $text),+}
            }

            /// The HTTP status that goes with it (RFC 9110).
            pub const fn http(self) -> u16 {
                match self {$(Self::$name => $http),+}
            }

            /// What the command line exits with.
            pub const fn exit(self) -> u8 {
                match self {$(Self::$name => $exit),+}
            }
        }
    };
}

codes! {
    /// A field of the request isn't what it must be.
    InvalidArgument = "invalid_argument", 400, 2;
    /// It isn't known who asks: there is no credential, or one that isn't good any more.
    Unauthenticated = "unauthenticated", 401, 9;
    /// Too many attempts to sign in from there have failed; a later one is looked at again.
    TooManyAttempts = "too_many_attempts", 429, 9;
    /// Who asks may not do that.
    Forbidden = "forbidden", 403, 9;
    /// Nothing has that name or id.
    NotFound = "not_found", 404, 3;
    /// The name is taken already.
    AlreadyExists = "already_exists", 409, 4;
    /// The state doesn't allow the action, or another operation is in flight.
    ActionNotAllowed = "action_not_allowed", 409, 4;
    /// Something else still needs it.
    InUse = "in_use", 409, 4;
    /// The record changed while the request was under way; asking again is safe.
    Conflict = "conflict", 409, 4;
    /// What is to be changed isn't what the request says it has seen; read it again.
    PreconditionFailed = "precondition_failed", 412, 4;
    /// The host or the subnet has no room left for it.
    NoCapacity = "no_capacity", 409, 4;
    /// The project may have no more of it: its quota is used up.
    QuotaExceeded = "quota_exceeded", 403, 4;
    /// The idempotency key was used already, for another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, 2;
    /// The request is larger than it may be.
    TooLarge = "too_large", 413, 2;
    /// The body is of another kind than what is taken.
    UnsupportedMediaType = "unsupported_media_type", 415, 2;
    /// The rest of the request didn't come.
    RequestTimeout = "request_timeout", 408, 7;
    /// The operation ran and failed; its error says why.
    OperationFailed = "operation_failed", 422, 1;
    /// The operation was cancelled by a later request.
    OperationCancelled = "operation_cancelled", 409, 1;
    /// libvirt can't be reached or doesn't answer.
    HypervisorUnavailable = "hypervisor_unavailable", 503, 5;
    /// libvirt answered with an error.
    HypervisorError = "hypervisor_error", 502, 1;
    /// The guest's kernel panicked, or QEMU crashed under it.
    GuestCrashed = "guest_crashed", 502, 1;
    /// The network of the host refused what was asked of it.
    NetworkError = "network_error", 500, 1;
    /// The state directory or its disk is full.
    StorageFull = "storage_full", 507, 6;
    /// The state directory can't be written or read.
    StorageError = "storage_error", 500, 6;
    /// A disk image is broken, of another format, or refers to other files.
    InvalidImage = "invalid_image", 400, 2;
    /// What was to be fetched could not be: the server can't be reached, breaks off, or answers nonsense.
    FetchFailed = "fetch_failed", 502, 1;
    /// The database can't be read or written.
    StoreError = "store_error", 500, 6;
    /// It took longer than it may.
    DeadlineExceeded = "deadline_exceeded", 504, 7;
    /// The daemon can't be reached.
    DaemonUnreachable = "daemon_unreachable", 503, 5;
    /// Another daemon has the socket, the database or the state directory.
    AlreadyRunning = "already_running", 409, 8;
    /// A defect of Berth.
    Internal = "internal", 500, 70;
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
