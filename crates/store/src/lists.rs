//! Every list that people ask for: what it may be filtered by, and where it is read. How, is `list`.

use berth_model::{
    ImageId, InstanceId, InstanceState, OsFamily, PortState, Position, PublicIpKind, Stable, SubnetId, User,
    Visibility, VolumeId, VolumeState, VpcId,
};

use crate::instance::instances;
use crate::list::{Bound, ListBy, Listed, Select, Shape};
use crate::row::{to_json, to_number};
use crate::security_group::GroupRecord;
use crate::{
    ImageRecord, InstanceRecord, KeyPairRecord, OperationRecord, Phase, PortRecord, ProjectRecord, PublicIpRecord,
    SnapshotRecord, Store, StoreError, SubnetRecord, VolumeRecord, VpcRecord,
};

/// Which instances are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstanceFilter {
    /// Those in that documented state.
    pub state: Option<InstanceState>,
    /// Those of the type of that name.
    pub instance_type: Option<String>,
    /// Those made from that image.
    pub image: Option<ImageId>,
}

/// Which volumes are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeFilter {
    /// Those in that documented state.
    pub state: Option<VolumeState>,
    /// Those attached to that instance.
    pub instance: Option<InstanceId>,
    /// Those of the type of that name.
    pub volume_type: Option<String>,
}

/// Which snapshots are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotFilter {
    /// Those of that volume, which may be gone.
    pub volume: Option<VolumeId>,
    /// Those that can be used, or those that are being taken.
    pub ready: Option<bool>,
}

/// Which images are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageFilter {
    /// Default ones, or the project's own.
    pub visibility: Option<Visibility>,
    /// Those of that family of operating systems.
    pub os: Option<OsFamily>,
}

/// Which ports are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortFilter {
    /// Those of that instance.
    pub instance: Option<InstanceId>,
    /// Those of that subnet.
    pub subnet: Option<SubnetId>,
    /// Those of that VPC.
    pub vpc: Option<VpcId>,
    /// Those in that state.
    pub state: Option<PortState>,
}

/// Which public IPs are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublicIpFilter {
    /// Static ones, or ephemeral ones.
    pub kind: Option<PublicIpKind>,
    /// Those that a port has, or those that none has.
    pub attached: Option<bool>,
    /// Those from the pool of that name.
    pub pool: Option<String>,
}

/// Which operations are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperationFilter {
    /// Those on the instance, volume or image of that id, which may be gone.
    pub subject: Option<String>,
    /// Those that do one of these, in the words of the store.
    pub actions: Option<Vec<String>>,
    /// Those that stand so.
    pub phase: Option<Phase>,
}

/// Instances, with the step their operation is at.
pub(crate) const INSTANCES: Shape = Shape {
    id: "i.id",
    name: Some("i.name"),
    created_at: "i.created_at",
};
/// Ports that were made with their instance have no name.
const PORTS: Shape = Shape {
    name: Some("COALESCE(t.name, '')"),
    ..Shape::USUAL
};
/// A project's name is its id.
const PROJECTS: Shape = Shape {
    id: "t.name",
    ..Shape::USUAL
};
/// What has no name.
const NAMELESS: Shape = Shape {
    name: None,
    ..Shape::USUAL
};

/// Only instances in a documented state: at rest in it, or moved by an operation whose step shows it. Which those are is
/// read off the action table; the operations in flight have an index of their own.
fn in_state(select: Select, state: InstanceState) -> Result<Select, StoreError> {
    const RESTS: &str = "i.operation IS NULL AND i.stable = ?";
    const MOVES: &str = "i.operation IN (SELECT f.id FROM operations f WHERE f.finished_at IS NULL AND (";
    const AT: &str = "f.action = ? AND f.step = ?";
    let rests = Stable::ALL.iter().find(|stable| stable.state() == state);
    let shows: Vec<_> = Position::all().filter(|position| position.state() == state).collect();
    let mut values: Vec<Bound> = Vec::new();
    let mut ways = Vec::new();
    if let Some(stable) = rests {
        ways.push(format!("({RESTS})"));
        values.push(stable.to_string().into());
    }
    if !shows.is_empty() {
        ways.push(format!(
            "{MOVES}{}))",
            vec![format!("({AT})"); shows.len()].join(" OR ")
        ));
        for position in shows {
            values.push(position.action().as_str().into());
            values.push(to_number(position.step())?.into());
        }
    }
    Ok(select.and(&format!("({})", ways.join(" OR ")), values))
}

/// The instances of a project that are wanted.
pub(crate) fn instances_of(project: &str, filter: &InstanceFilter) -> Result<Select, StoreError> {
    let mut select = Select::from(instances!())
        .and("i.project = ?", [project.into()])
        .given("i.image = ?", filter.image.map(|id| id.to_string()));
    if let Some(name) = &filter.instance_type {
        // The type is kept whole, as JSON that begins with its name.
        select = select.begins("i.instance_type", &format!("{{\"name\":{},", to_json(name)?));
    }
    match filter.state {
        Some(state) => in_state(select, state),
        None => Ok(select),
    }
}

impl Store {
    /// A page of a project's instances.
    pub async fn list_instances(
        &self,
        project: &str,
        filter: &InstanceFilter,
        by: &ListBy,
    ) -> Result<Listed<InstanceRecord>, StoreError> {
        let select = instances_of(project, filter)?;
        let read = InstanceRecord::read;
        self.page(select, INSTANCES, (Some(project), by), read).await
    }

    /// A page of a project's volumes, the root volumes of instances too.
    pub async fn list_volumes(
        &self,
        project: &str,
        filter: &VolumeFilter,
        by: &ListBy,
    ) -> Result<Listed<VolumeRecord>, StoreError> {
        let select = Select::from("SELECT t.* FROM volumes t")
            .and("t.project = ?", [project.into()])
            .given("t.state = ?", filter.state.map(VolumeState::as_str))
            .given("t.instance = ?", filter.instance.map(|id| id.to_string()))
            .given("t.volume_type = ?", filter.volume_type.as_deref());
        self.page(select, Shape::USUAL, (Some(project), by), VolumeRecord::read)
            .await
    }

    /// A page of a project's snapshots.
    pub async fn list_snapshots(
        &self,
        project: &str,
        filter: SnapshotFilter,
        by: &ListBy,
    ) -> Result<Listed<SnapshotRecord>, StoreError> {
        let mut select = Select::from("SELECT t.* FROM snapshots t")
            .and("t.project = ? AND t.hidden = 0", [project.into()])
            .given("t.volume = ?", filter.volume.map(|id| id.to_string()));
        select = match filter.ready {
            Some(true) => select.and("t.operation IS NULL", []),
            Some(false) => select.and("t.operation IS NOT NULL", []),
            None => select,
        };
        self.page(select, Shape::USUAL, (Some(project), by), SnapshotRecord::read)
            .await
    }

    /// A page of the images that a project may use: its own, and default ones.
    pub async fn list_images(
        &self,
        project: &str,
        filter: ImageFilter,
        by: &ListBy,
    ) -> Result<Listed<ImageRecord>, StoreError> {
        let public = filter.visibility.map(|visibility| match visibility {
            Visibility::Default => 1,
            Visibility::Private => 0,
        });
        let select = Select::from("SELECT t.* FROM images t")
            .and(
                "(t.project = ? OR t.public = 1) AND t.shelf_of IS NULL",
                [project.into()],
            )
            .given("t.public = ?", public)
            .given("t.os = ?", filter.os.map(OsFamily::as_str));
        self.page(select, Shape::USUAL, (None, by), ImageRecord::read).await
    }

    /// A page of a project's key pairs.
    pub async fn list_keypairs(&self, project: &str, by: &ListBy) -> Result<Listed<KeyPairRecord>, StoreError> {
        let select = Select::from("SELECT t.* FROM keypairs t").and("t.project = ?", [project.into()]);
        self.page(select, Shape::USUAL, (Some(project), by), KeyPairRecord::read)
            .await
    }

    /// A page of a project's VPCs, each with its subnets and groups.
    pub async fn list_vpcs(&self, project: &str, by: &ListBy) -> Result<Listed<VpcRecord>, StoreError> {
        let select = Select::from("SELECT t.* FROM vpcs t").and("t.project = ?", [project.into()]);
        let mut listed = self
            .page(select, Shape::USUAL, (Some(project), by), VpcRecord::read)
            .await?;
        let items = std::mem::take(&mut listed.items);
        Ok(listed.with(self.complete_vpcs(items).await?))
    }

    /// A page of a project's subnets, of one VPC or of all.
    pub async fn list_subnets(
        &self,
        project: &str,
        vpc: Option<VpcId>,
        by: &ListBy,
    ) -> Result<Listed<SubnetRecord>, StoreError> {
        let select = Select::from("SELECT t.* FROM subnets t JOIN vpcs v ON v.id = t.vpc")
            .and("v.project = ?", [project.into()])
            .given("t.vpc = ?", vpc.map(|id| id.to_string()));
        self.page(select, Shape::USUAL, (Some(project), by), SubnetRecord::read)
            .await
    }

    /// A page of a project's security groups, of one VPC or of all.
    pub async fn list_groups(
        &self,
        project: &str,
        vpc: Option<VpcId>,
        by: &ListBy,
    ) -> Result<Listed<GroupRecord>, StoreError> {
        let select = Select::from("SELECT t.* FROM security_groups t")
            .and("t.project = ?", [project.into()])
            .given("t.vpc = ?", vpc.map(|id| id.to_string()));
        self.page(select, Shape::USUAL, (Some(project), by), GroupRecord::read)
            .await
    }

    /// A page of a project's ports.
    pub async fn list_ports(
        &self,
        project: &str,
        filter: PortFilter,
        by: &ListBy,
    ) -> Result<Listed<PortRecord>, StoreError> {
        let select = Select::from("SELECT t.* FROM ports t")
            .and("t.project = ?", [project.into()])
            .given("t.instance = ?", filter.instance.map(|id| id.to_string()))
            .given("t.subnet = ?", filter.subnet.map(|id| id.to_string()))
            .given("t.vpc = ?", filter.vpc.map(|id| id.to_string()))
            .given("t.state = ?", filter.state.map(PortState::as_str));
        self.page(select, PORTS, (Some(project), by), PortRecord::read).await
    }

    /// A page of a project's public IPs.
    pub async fn list_public_ips(
        &self,
        project: &str,
        filter: &PublicIpFilter,
        by: &ListBy,
    ) -> Result<Listed<PublicIpRecord>, StoreError> {
        let mut select = Select::from("SELECT t.* FROM public_ips t")
            .and("t.project = ?", [project.into()])
            .given("t.kind = ?", filter.kind.map(PublicIpKind::as_str))
            .given("t.pool = ?", filter.pool.as_deref());
        select = match filter.attached {
            Some(true) => select.and("t.port IS NOT NULL", []),
            Some(false) => select.and("t.port IS NULL", []),
            None => select,
        };
        self.page(select, NAMELESS, (Some(project), by), PublicIpRecord::read)
            .await
    }

    /// A page of all projects, or of those that a user is a member of; of one alone, if that is said.
    pub async fn list_projects(
        &self,
        member: Option<&User>,
        only: Option<&str>,
        by: &ListBy,
    ) -> Result<Listed<ProjectRecord>, StoreError> {
        let select = match member {
            Some(user) => Select::from("SELECT t.* FROM members m JOIN projects t ON t.name = m.project")
                .and("m.member = ?", [user.to_string().into()]),
            None => Select::from("SELECT t.* FROM projects t"),
        };
        let select = select.given("t.name = ?", only);
        self.page(select, PROJECTS, (None, by), ProjectRecord::read).await
    }

    /// A page of the operations of a project, or of all.
    pub async fn list_operations(
        &self,
        project: Option<&str>,
        filter: &OperationFilter,
        by: &ListBy,
    ) -> Result<Listed<OperationRecord>, StoreError> {
        let mut select = Select::from("SELECT t.* FROM operations t")
            .given("t.project = ?", project)
            .given("t.subject = ?", filter.subject.as_deref())
            .given("t.phase = ?", filter.phase.map(Phase::as_str));
        if let Some(actions) = &filter.actions {
            select = select.one_of("t.action", actions);
        }
        self.page(select, NAMELESS, (project, by), OperationRecord::read).await
    }
}
