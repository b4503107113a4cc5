//! The only crate with SQL: records, migrations, transactions, claims.
//!
//! SQLite by default, PostgreSQL when asked, the same statements on both (`database`, `link` hold what differs).
//!
//! ```text
//!   create_instances ┐                  ┌─ record, save        a line of the journal, the memo
//!   claim            ├──▶ Claim ──────▶ ├─ advance, commit     the next step, the landing
//!   in_flight        ┘   (claim)        ├─ undo, undone        back, step by step
//!                                       └─ fall_back, becomes, give_up
//!                                                │
//!   create_volume, begin_… ──▶ TaskClaim   the same for volumes and images, whose tables are simpler
//!
//!   adopt(Adoption) ────────────────▶ transition::write ──▶ one transaction: instance row (compare and swap on its
//!                                                           revision), operation, journal, event, ledger, volumes
//! ```
//!
//! Architecture invariant: a [`Claim`] (and an [`Adoption`](berth_model::Adoption), which only `observe` makes) is all
//! that moves an instance. No public function takes a state to write; a claim can't be made, copied or kept past its
//! end outside of this crate. What a claim may write is what its row of the action table says.
//!
//! One daemon has a database at a time: SQLite by a lock on a file next to it, PostgreSQL by an advisory lock that the
//! one connection that writes holds, so that a daemon that lost it can't write.

mod addresses;
mod adopt;
mod attached;
mod cancel;
mod claim;
mod create;
mod database;
mod dry;
mod error;
mod event;
mod history;
mod image;
mod instance;
mod journal;
mod keypair;
mod label;
mod layer;
mod link;
mod list;
mod lists;
mod metrics;
mod migrate;
mod nic;
mod once;
mod operation;
mod port;
mod port_query;
mod progress;
mod project;
mod public_ip;
mod quota;
mod quota_count;
mod record;
mod retreat;
mod row;
mod security_group;
mod snapshot;
mod stats;
mod store;
mod subnet;
mod task;
mod task_begin;
mod task_claim;
mod task_end;
mod token;
mod transition;
mod tx;
mod usage;
mod volume;
mod vpc;

pub use cancel::Back;
pub use claim::Claim;
pub use create::{NewInstance, VolumeOfNew};
pub use database::{Database, ParseDatabaseError};
pub use dry::{Dry, Tried};
pub use error::{ClaimError, StoreError};
pub use event::EventRecord;
pub use history::Span;
pub use image::ImageRecord;
pub use instance::{InstanceRecord, ResizedFrom};
pub use journal::{Entry, EntryKind, JournalRecord};
pub use keypair::KeyPairRecord;
pub use label::Labelled;
pub use layer::{Base, LayerRecord};
pub use list::{ListBy, Listed};
pub use lists::{
    ImageFilter, InstanceFilter, OperationFilter, PortFilter, PublicIpFilter, SnapshotFilter, VolumeFilter,
};
pub use metrics::Metrics;
pub use nic::NicOfNew;
pub use once::Once;
pub use operation::{OperationRecord, Phase, ROOT_LAYER, SHELF_IMAGE};
pub use port::{ChangePort, NewPort, PortRecord};
pub use progress::SHELF;
pub use project::{DEFAULT_PROJECT, MemberRecord, ProjectRecord};
pub use public_ip::{PublicIpOfNew, PublicIpRecord};
pub use quota::QuotaRecord;
pub use quota_count::Miscounted;
pub use record::{Fault, KeyRef, Page, Requester};
pub use retreat::Found;
pub use security_group::{GroupRecord, RuleRecord};
pub use snapshot::{Consistency, Released, SnapshotRecord};
pub use stats::{InstanceLine, PortLine};
pub use store::Store;
pub use subnet::{ChangeSubnet, NewSubnet, SubnetRecord};
pub use task::{Expected, Freeze, Task};
pub use task_begin::{NewSnapshot, NewVolume};
pub use task_claim::TaskClaim;
pub use task_end::{CONSISTENCY, GROWN, MADE_IMAGE, MOVED};
pub use token::TokenRecord;
pub use usage::{Billed, UsageBasis, UsageFilter};
pub use volume::{ChangeVolume, VolumeRecord};
pub use vpc::{NetworkTemplate, VpcRecord};
