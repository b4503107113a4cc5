//! What is on the wire, and nothing more: requests, answers, views, problems.
//!
//! One module a resource, each named as the route it serves:
//!
//! ```text
//!   /v1/instances   instance    /v1/images    image     /v1/operations  operation
//!   /v1/keypairs    keypair     /v1/types     (model)   /v1/events      event
//!   /v1/host        host        /v1/host/check check    /v1/lifecycle   lifecycle
//!   /v1/volumes     volume      /v1/snapshots snapshot  every error     problem
//!   /v1/catalog     catalog     /v1/instances/{instance}/history        history
//! ```

mod catalog;
mod check;
mod event;
mod history;
mod host;
mod image;
mod instance;
mod keypair;
mod lifecycle;
mod operation;
mod page;
mod problem;
mod snapshot;
mod volume;

pub use catalog::CatalogEntryView;
pub use check::{FindingView, HostCheck};
pub use event::EventView;
pub use history::{Happened, HistoryEntry, StepOutcome};
pub use host::{HostView, KvmView, LinkView};
pub use image::{ImageListQuery, ImageSettings, ImageView, PropertiesView, PullImage};
pub use instance::{
    AddressView, CreateInstances, Created, FaultView, InstanceView, RebootInstance, ResizeInstance, StopInstance,
    VolumeOfInstance,
};
pub use keypair::{CreateKeyPair, CreatedKeyPair, KeyPairView};
pub use lifecycle::{ActionView, AfterCrash, Begins, Lands, LifecycleView, OnFailure, StateView, StepView};
pub use operation::{OperationView, Outcome, ProgressView, Wait};
pub use page::{Page, PageQuery};
pub use problem::Problem;
pub use snapshot::{CreateSnapshot, SnapshotInstance, SnapshotQuery, SnapshotView};
pub use volume::{
    AttachVolume, ChangeVolume, CreateVolume, DetachVolume, ExtendVolume, SaveVolume, VolumeTypeView, VolumeView,
};

/// What the `Upgrade` header names when a request turns its connection into a raw stream of bytes.
pub const STREAM_PROTOCOL: &str = "berth-stream";
