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
//!   /v1/vpcs        vpc         /v1/subnets   subnet    /v1/security-groups  security_group
//!   /v1/stats       stats       /healthz, /readyz               health
//!   /v1/ports       port        /v1/public-ips, /v1/public-ip-pools     public_ip
//!   /v1/usage       usage       ?dry_run=true                   dry_run
//! ```

mod access;
mod audit;
mod catalog;
mod check;
mod dry_run;
mod event;
mod health;
mod history;
mod host;
mod image;
mod instance;
mod keypair;
mod label;
mod lifecycle;
mod object;
mod operation;
mod page;
mod port;
mod problem;
mod public_ip;
mod quota;
pub mod schema;
mod security_group;
mod snapshot;
mod stats;
mod subnet;
mod usage;
mod volume;
mod vpc;

pub use access::{
    ChangeProject, CreateProject, CreateToken, CreatedToken, MemberView, PROJECT_HEADER, ProjectView, RoleView,
    SetMember, TokenView, WhoAmI,
};
pub use audit::{AuditEntryView, AuditQuery};
pub use catalog::CatalogEntryView;
pub use check::{FindingView, HostCheck};
pub use dry_run::{ChargeView, DiffView, DryRunView, OperationPreview, PriceChange, WouldView};
pub use event::{EventQuery, EventView};
pub use health::{CheckView, HealthView};
pub use history::{Happened, HistoryEntry, StepOutcome};
pub use host::{HostView, KvmView, LinkView};
pub use image::{ImageListQuery, ImageSettings, ImageView, PropertiesView, PullImage};
pub use instance::{
    AddressView, CreateInstances, Created, FaultView, InstanceQuery, InstanceView, NicOfInstance, PublicIpOfInstance,
    RebootInstance, ResizeInstance, StopInstance, VolumeOfInstance,
};
pub use keypair::{CreateKeyPair, CreatedKeyPair, KeyPairView};
pub use label::{ChangeLabels, GivenLabels};
pub use lifecycle::{ActionView, AfterCrash, Begins, Lands, LifecycleView, OnFailure, StateView, StepView};
pub use operation::{OperationQuery, OperationView, Outcome, ProgressView, Wait};
pub use page::{Asked, ListQuery, NamedQuery, Page, PageQuery};
pub use port::{AttachPort, ChangePort, CountersView, CreatePort, PortQuery, PortView};
pub use problem::Problem;
pub use public_ip::{AllocatePublicIp, AttachPublicIp, GivePublicIp, PublicIpPoolView, PublicIpQuery, PublicIpView};
pub use quota::{ChangeQuota, LimitOrDefaultSchema, LimitSchema, QuotaView, ResourceQuota, UnlimitedSchema};
pub use security_group::{
    ChangeSecurityGroup, CreateRule, CreateSecurityGroup, RuleView, SecurityGroupQuery, SecurityGroupView,
};
pub use snapshot::{CreateSnapshot, SnapshotInstance, SnapshotQuery, SnapshotView};
pub use stats::{DiskStatsView, InstanceStatsView, NicStatsView, StatsView};
pub use subnet::{ChangeSubnet, CreateSubnet, SubnetQuery, SubnetView};
pub use usage::{BrokenEntryView, UsageLineView, UsageQuery, UsageVerifiedView, UsageView, VerifyUsageQuery};
pub use volume::{
    AttachVolume, ChangeVolume, CreateVolume, DetachVolume, ExtendVolume, SaveVolume, VolumeQuery, VolumeTypeView,
    VolumeView,
};
pub use vpc::{ChangeVpc, CreateVpc, VpcView};

/// What the `Upgrade` header names when a request turns its connection into a raw stream of bytes.
pub const STREAM_PROTOCOL: &str = "berth-stream";
