//! What the store answers when it can't do what is asked: one message each, and a stable code.

use std::net::Ipv4Addr;

use berth_model::{
    Action, Code, IdempotencyKey, InstanceId, InstanceState, LabelError, Limit, Name, OperationId, Resource, RuleError,
    Stable, SubnetError, User, VolumeAction, VolumeState,
};
use ipnet::Ipv4Net;

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another daemon has the database.
    #[error("another berthd has the database {database}: stop it first, or give this one a database of its own")]
    Locked {
        /// The database.
        database: String,
    },
    /// A newer Berth has written the database.
    #[error(
        "the database {database} has schema {found} and this berthd knows no newer one than {known}: run the berthd that wrote it, or a newer one"
    )]
    Newer {
        /// The database.
        database: String,
        /// The version of its schema.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Nothing has that name or id.
    #[error("there is no {what} '{reference}'")]
    NotFound {
        /// The kind of thing, e.g. `instance`.
        what: &'static str,
        /// The name or id that was given.
        reference: String,
    },
    /// The name is taken.
    #[error("the {what} '{name}' exists already: choose another")]
    AlreadyExists {
        /// The kind of thing, e.g. `instance`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Something else needs it.
    #[error("the {what} is in use by {by}: delete that first")]
    InUse {
        /// The kind of thing, e.g. `image`.
        what: &'static str,
        /// What needs it, e.g. `volume 0198…`.
        by: String,
    },
    /// Every address of the subnet is given to a port.
    #[error("the subnet '{subnet}' ({cidr}) has no free address: delete an instance first")]
    NoAddress {
        /// The subnet's name.
        subnet: String,
        /// Its addresses.
        cidr: String,
    },
    /// Another port of the subnet has the address.
    #[error("{0} is taken already: choose another, or give none")]
    AddressTaken(Ipv4Addr),
    /// The range can be no subnet, or the address is no port's.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// Another subnet of the VPC has addresses of the range.
    #[error("{cidr} overlaps subnet '{other}' ({taken}) of the same VPC: choose another range")]
    Overlap {
        /// The range.
        cidr: Ipv4Net,
        /// The other subnet.
        other: Name,
        /// Its addresses.
        taken: Ipv4Net,
    },
    /// The labels aren't what labels have to be.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The rule makes no sense.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// What isn't done to the default security group of a VPC.
    #[error("the default security group of a VPC can't be {what}")]
    DefaultGroup {
        /// What was asked, e.g. `renamed`.
        what: &'static str,
    },
    /// There can be no more of them.
    #[error("there can be at most {most} {what}")]
    TooMany {
        /// Of what, e.g. `rules in a security group`.
        what: &'static str,
        /// How many there can be.
        most: u32,
    },
    /// Only who made a key pair deletes it (the seed, "IAM-based role management").
    #[error("key pair '{name}' was made by {owner}, and only its maker deletes it")]
    NotOwner {
        /// The key pair.
        name: Name,
        /// Who made it.
        owner: User,
    },
    /// The project may have no more of it.
    #[error(
        "quota {resource} of project '{project}': {used} of {limit} used, {asked} more asked for: delete something, or ask the operator for more"
    )]
    QuotaExceeded {
        /// Of what.
        resource: Resource,
        /// The project.
        project: String,
        /// The most it may have.
        limit: Limit,
        /// What it has.
        used: u64,
        /// What was asked for.
        asked: u64,
    },
    /// Several have that name.
    #[error("several VPCs have a {what} '{reference}': say VPC/{reference}, or give its id")]
    Ambiguous {
        /// The kind of thing, e.g. `subnet`.
        what: &'static str,
        /// The name that was given.
        reference: String,
    },
    /// A port, a public IP or their instance is in no state for what was asked.
    #[error("{0}")]
    PortRefused(String),
    /// No pool has such an address to give.
    #[error("{0}")]
    NoPublicIp(String),
    /// The volume table doesn't allow the action now.
    #[error("{action} is not allowed while volume '{name}' is {state}{}", moves(.operation.as_ref(), *.root))]
    VolumeRefused {
        /// What was asked.
        action: VolumeAction,
        /// The volume.
        name: Name,
        /// Its documented state.
        state: VolumeState,
        /// Whether it is the root volume of an instance.
        root: bool,
        /// The operation in flight.
        operation: Option<OperationId>,
        /// What is allowed in that state.
        allowed: Vec<VolumeAction>,
    },
    /// The instance that a volume is attached to, or is to be, is in no state for it.
    #[error("{action} needs instance '{name}' to be {}, and it is {state}", one_of(.needed))]
    InstanceRefused {
        /// What was asked of the volume.
        action: VolumeAction,
        /// The instance.
        name: Name,
        /// Its documented state.
        state: InstanceState,
        /// The states it may be in.
        needed: &'static [Stable],
    },
    /// An operation on a volume of the instance is in flight.
    #[error("{action} is not allowed while volume '{name}' is {state}: wait for that to end")]
    VolumeMoves {
        /// What was asked of the instance.
        action: Action,
        /// The volume.
        name: Name,
        /// Its documented state.
        state: VolumeState,
    },
    /// The volume is not attached.
    #[error("volume '{0}' is not attached to an instance")]
    NotAttached(Name),
    /// What isn't done to the root volume of an instance.
    #[error("the root volume of an instance can't be {what}: it follows its instance")]
    RootVolume {
        /// What was asked, e.g. `renamed`.
        what: &'static str,
    },
    /// The instance has no place left for a volume.
    #[error("an instance has at most {most} data volumes: detach one first")]
    NoSlot {
        /// How many there can be.
        most: u32,
    },
    /// The volume changed between looking at it and taking it.
    #[error("volume '{0}' has changed meanwhile: ask again")]
    LayerChanged(Name),
    /// What was asked doesn't fit the action.
    #[error("{action}: {reason}")]
    Params {
        /// The action.
        action: Action,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The disk of the database is full.
    #[error("the disk of the database {database} is full: make room on it")]
    Full {
        /// The database.
        database: String,
    },
    /// The file of the database can't be read or written.
    #[error("the database {database} can't be read and written: {reason}")]
    Storage {
        /// The database.
        database: String,
        /// What the system said.
        reason: String,
    },
    /// A row that Berth can't have written.
    #[error("the database holds something Berth did not write there: {what}: {reason}")]
    Corrupt {
        /// Which part of it.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Any other error of the database.
    #[error("the database {database}: {reason}")]
    Database {
        /// The database.
        database: String,
        /// What it said.
        reason: sqlx::Error,
    },
    /// The same request was written down meanwhile; nothing was begun.
    #[error("the same request was made at the same time; nothing was begun by this one")]
    Repeated,
    /// The idempotency key is another request's.
    #[error("the key '{0}' was used for another request within the last day: choose a new one for each request")]
    KeyReused(IdempotencyKey),
    /// The operation can't be cancelled.
    #[error("operation {operation} can't be cancelled: {why}")]
    NotCancellable {
        /// The operation.
        operation: OperationId,
        /// Why not.
        why: String,
    },
    /// The request was only tried: all would have been written, and nothing was ([`Dry`](crate::Dry)).
    #[error("the request was only tried: nothing was written")]
    DryRun,
    /// The store was closed, or the program ended, before the write was done.
    #[error("the database is closed: berthd is ending")]
    Interrupted,
}

impl StoreError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Locked { .. } => Code::AlreadyRunning,
            Self::NotFound { .. } => Code::NotFound,
            Self::AlreadyExists { .. } | Self::AddressTaken(_) | Self::Overlap { .. } => Code::AlreadyExists,
            Self::InUse { .. } => Code::InUse,
            Self::NotOwner { .. } => Code::Forbidden,
            Self::NoAddress { .. } | Self::NoSlot { .. } | Self::NoPublicIp(_) | Self::TooMany { .. } => {
                Code::NoCapacity
            }
            Self::QuotaExceeded { .. } => Code::QuotaExceeded,
            Self::Params { .. } | Self::Subnet(_) | Self::Rule(_) | Self::Label(_) | Self::Ambiguous { .. } => {
                Code::InvalidArgument
            }
            Self::NotCancellable { .. }
            | Self::VolumeRefused { .. }
            | Self::InstanceRefused { .. }
            | Self::VolumeMoves { .. }
            | Self::NotAttached(_)
            | Self::DefaultGroup { .. }
            | Self::PortRefused(_)
            | Self::RootVolume { .. } => Code::ActionNotAllowed,
            Self::LayerChanged(_) | Self::Repeated => Code::Conflict,
            Self::KeyReused(_) => Code::IdempotencyKeyReused,
            // Never told: who has tried a request tells what it would have done.
            Self::DryRun => Code::Internal,
            Self::Full { .. } => Code::StorageFull,
            Self::Storage { .. } => Code::StorageError,
            Self::Newer { .. } | Self::Corrupt { .. } | Self::Database { .. } | Self::Interrupted => Code::StoreError,
        }
    }

    pub(crate) fn not_found(what: &'static str, reference: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound {
            what,
            reference: reference.to_string(),
        }
    }

    pub(crate) fn corrupt(what: impl Into<String>, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Corrupt {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

/// Why an instance could not be claimed, or a claim could not write.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The action table doesn't allow the action now.
    #[error("not allowed while the instance is {state}; allowed is {}", list(.allowed))]
    Refused {
        /// The documented state.
        state: InstanceState,
        /// What is allowed now.
        allowed: Vec<Action>,
        /// The operation in flight.
        operation: Option<OperationId>,
    },
    /// There is no such instance.
    #[error("there is no instance '{0}'")]
    NotFound(InstanceId),
    /// Another operation took the instance: a delete cancelled this one.
    #[error("another operation took the instance over")]
    Lost,
    /// There is no step after this one: commit instead.
    #[error("the operation is at its last step")]
    LastStep,
    /// There are steps after this one: advance instead.
    #[error("the operation is not at its last step")]
    NotLast,
    /// The action's row has no such way from here, e.g. forwards while the operation is being undone.
    #[error("{0}")]
    NoSuchWay(&'static str),
    /// The store refused or failed. Whether the write was done is not known; the operation is still in flight.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn moves(operation: Option<&OperationId>, root: bool) -> String {
    match operation {
        Some(id) => format!(" (operation {id} is in flight)"),
        None if root => ", the root volume of an instance".to_owned(),
        None => String::new(),
    }
}

fn one_of(states: &[Stable]) -> String {
    let words: Vec<_> = states.iter().map(ToString::to_string).collect();
    words.join(" or ")
}

fn list(actions: &[Action]) -> String {
    actions
        .iter()
        .map(|action| action.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl ClaimError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { .. } => Code::ActionNotAllowed,
            Self::NotFound(_) => Code::NotFound,
            Self::Lost => Code::OperationCancelled,
            Self::LastStep | Self::NotLast | Self::NoSuchWay(_) => Code::Internal,
            Self::Store(error) => error.code(),
        }
    }
}
