//! The names that there are now, of each kind of thing: for completions, and for what was meant by a misspelt one.

use berth_api_types::{
    ImageListQuery, InstanceQuery, NamedQuery, OperationQuery, PortQuery, PublicIpQuery, SecurityGroupQuery,
    SnapshotQuery, SubnetQuery, VolumeQuery,
};
use berth_client::{Client, ClientError};

/// A kind of thing that is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Instance,
    Volume,
    VolumeType,
    Snapshot,
    Image,
    CatalogEntry,
    InstanceType,
    KeyPair,
    Vpc,
    Subnet,
    SecurityGroup,
    Port,
    PublicIp,
    Pool,
    Project,
    Token,
    Operation,
}

/// Each kind, what the daemon's errors call it, and the command that lists it.
const KINDS: &[(Kind, &str, &str)] = &[
    (Kind::Instance, "instance", "berth instance list"),
    (Kind::Volume, "volume", "berth volume list"),
    (Kind::VolumeType, "volume type", "berth volume types"),
    (Kind::Snapshot, "snapshot", "berth snapshot list"),
    (Kind::Image, "image", "berth image list"),
    (Kind::CatalogEntry, "catalog entry", "berth image catalog"),
    (Kind::InstanceType, "instance type", "berth type list"),
    (Kind::KeyPair, "key pair", "berth keypair list"),
    (Kind::Vpc, "VPC", "berth vpc list"),
    (Kind::Subnet, "subnet", "berth subnet list"),
    (Kind::SecurityGroup, "security group", "berth security-group list"),
    (Kind::Port, "port", "berth port list"),
    (Kind::PublicIp, "public IP", "berth public-ip list"),
    (Kind::Pool, "pool of public IPs", "berth public-ip pools"),
    (Kind::Project, "project", "berth project list"),
    (Kind::Token, "token", "berth token list"),
    (Kind::Operation, "operation", "berth operation list"),
];

/// Something that can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// What a person knows it by, besides.
    pub(crate) about: String,
    /// The actions that are allowed now; none if it has no states.
    pub(crate) allowed: Option<Vec<String>>,
}

impl Known {
    fn new(name: impl ToString, about: impl Into<String>) -> Self {
        Self {
            name: name.to_string(),
            about: about.into(),
            allowed: None,
        }
    }
}

impl Kind {
    /// The kind that the daemon's errors call so.
    pub(crate) fn called(word: &str) -> Option<Self> {
        let found = KINDS.iter().find(|(_, called, _)| *called == word);
        found.map(|(kind, ..)| *kind)
    }

    /// The command that lists what there is.
    pub(crate) fn listed_by(self) -> &'static str {
        let found = KINDS.iter().find(|(kind, ..)| *kind == self);
        found.map_or("berth --help", |(_, _, command)| command)
    }

    /// All of this kind that there are.
    pub(crate) async fn all(self, client: &Client) -> Result<Vec<Known>, ClientError> {
        Ok(match self {
            Self::Instance => {
                let known = |one: berth_api_types::InstanceView| Known {
                    allowed: Some(one.allowed_actions),
                    ..Known::new(one.name, format!("{}, {}", one.state, one.instance_type))
                };
                client
                    .instances(&InstanceQuery::default())
                    .await?
                    .into_iter()
                    .map(known)
                    .collect()
            }
            Self::Volume => {
                let known = |one: berth_api_types::VolumeView| Known {
                    allowed: Some(one.allowed_actions),
                    ..Known::new(one.name, format!("{}, {} GB", one.state, one.size.0))
                };
                client
                    .volumes(&VolumeQuery::default())
                    .await?
                    .into_iter()
                    .map(known)
                    .collect()
            }
            Self::VolumeType => {
                let types = client.volume_types().await?.into_iter();
                types.map(|one| Known::new(one.name, "")).collect()
            }
            Self::Snapshot => {
                let snapshots = client.snapshots(&SnapshotQuery::default()).await?.into_iter();
                snapshots
                    .map(|one| Known::new(one.name, format!("of {}", one.volume_name)))
                    .collect()
            }
            Self::Image => {
                let images = client.images(&ImageListQuery::default()).await?.into_iter();
                images.map(|one| Known::new(one.name, one.properties.os_name)).collect()
            }
            Self::CatalogEntry => {
                let entries = client.catalog().await?.into_iter();
                entries.map(|one| Known::new(one.name, one.title)).collect()
            }
            Self::InstanceType => {
                let types = client.types().await?.into_iter();
                let about = |vcpus, memory| format!("{vcpus} vCPUs, {memory}");
                types
                    .map(|one| Known::new(one.name, about(one.vcpus, one.memory)))
                    .collect()
            }
            Self::Operation => {
                let operations = client.operations(&OperationQuery::default()).await?.into_iter();
                let live = operations.filter(|one| !one.outcome.is_final());
                live.map(|one| Known::new(one.id, format!("{} of {}", one.action, one.resource_name)))
                    .collect()
            }
            Self::KeyPair | Self::Project | Self::Token => self.of_people(client).await?,
            _ => self.of_networks(client).await?,
        })
    }

    async fn of_people(self, client: &Client) -> Result<Vec<Known>, ClientError> {
        Ok(match self {
            Self::KeyPair => {
                let keys = client.keypairs(&NamedQuery::default()).await?.into_iter();
                keys.map(|one| Known::new(one.name, one.owner.to_string())).collect()
            }
            Self::Project => {
                let projects = client.projects(&NamedQuery::default()).await?.into_iter();
                projects.map(|one| Known::new(one.name, one.description)).collect()
            }
            _ => {
                let tokens = client.tokens().await?.into_iter();
                tokens.map(|one| Known::new(one.name, one.user.to_string())).collect()
            }
        })
    }

    /// What is in a VPC is known by its name, and by that of its VPC before it.
    async fn of_networks(self, client: &Client) -> Result<Vec<Known>, ClientError> {
        let both = |vpc: String, name: String, about: String| {
            let short = Known::new(&name, format!("{about} of {vpc}"));
            [short, Known::new(format!("{vpc}/{name}"), about)]
        };
        Ok(match self {
            Self::Vpc => {
                let vpcs = client.vpcs(&NamedQuery::default()).await?.into_iter();
                vpcs.map(|one| Known::new(one.name, "")).collect()
            }
            Self::Subnet => {
                let subnets = client.subnets(&SubnetQuery::default()).await?.into_iter();
                subnets
                    .flat_map(|one| both(one.vpc_name.to_string(), one.name.to_string(), one.cidr.to_string()))
                    .collect()
            }
            Self::SecurityGroup => {
                let groups = client
                    .security_groups(&SecurityGroupQuery::default())
                    .await?
                    .into_iter();
                groups
                    .flat_map(|one| both(one.vpc_name.to_string(), one.name.to_string(), one.description))
                    .collect()
            }
            Self::Port => {
                let ports = client.ports(&PortQuery::default()).await?.into_iter();
                let name = |one: &berth_api_types::PortView| {
                    let name = one.name.as_ref().map(ToString::to_string);
                    name.unwrap_or_else(|| one.id.to_string())
                };
                ports
                    .map(|one| Known::new(name(&one), format!("{}, {}", one.state, one.address)))
                    .collect()
            }
            Self::Pool => {
                let pools = client.public_ip_pools().await?.into_iter();
                pools
                    .map(|one| Known::new(one.name, format!("{} free", one.free)))
                    .collect()
            }
            _ => {
                let ips = client.public_ips(&PublicIpQuery::default()).await?.into_iter();
                let of = |one: &berth_api_types::PublicIpView| one.instance_name.as_ref().map(ToString::to_string);
                ips.map(|one| Known::new(one.address, of(&one).unwrap_or_else(|| "free".to_owned())))
                    .collect()
            }
        })
    }
}
