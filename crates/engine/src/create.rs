//! Making instances: admission of what is asked, before anything is written.

use std::net::Ipv4Addr;

use berth_model::limits::{COUNT_MAX, DATA_VOLUMES_MAX, USER_DATA_MAX};
use berth_model::{Gib, InstanceId, InstanceType, Labels, LayerId, Mac, Misfit, Name, Policy, PortId, VolumeId};
use berth_store::{Claim, ImageRecord, NewInstance, NicOfNew, OperationRecord, Requester, VolumeOfNew};

use crate::instance::to_its_end;
use crate::public_ip::WantedPublicIp;
use crate::{Engine, EngineError, volume};

/// What a create asks for.
#[derive(Debug, Clone)]
pub struct CreateInstances {
    /// The name, or what numbered names begin with.
    pub name: String,
    /// The image's name or id.
    pub image: String,
    /// The instance type's name.
    pub instance_type: String,
    /// How many.
    pub count: u32,
    /// The key pair's name or id.
    pub key: Option<String>,
    /// User data for cloud-init.
    pub user_data: Option<Vec<u8>>,
    /// What becomes of them by themselves.
    pub policy: Policy,
    /// The size of the root volume; as the type and the image have it if not given.
    pub root_size: Option<Gib>,
    /// Whether the root volume stays when the instance is deleted.
    pub keep_root: bool,
    /// Their other volumes.
    pub volumes: Vec<WantedVolume>,
    /// Their NICs, the primary one first; one on the default subnet if there are none.
    pub nics: Vec<WantedNic>,
    /// The security groups that the ports made for them are in, by name or id; the default one if there are none.
    pub groups: Vec<String>,
    /// The public IP of their primary NIC.
    pub public_ip: Option<WantedPublicIp>,
    /// Their labels, the same of each.
    pub labels: Labels,
}

/// A NIC that an instance is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedNic {
    /// On a new port of that subnet, at that address if it is given.
    New {
        /// The subnet; the default one if not given.
        subnet: Option<String>,
        /// The address.
        address: Option<Ipv4Addr>,
    },
    /// On a port that is there, by name or id.
    Port(String),
}

/// A volume that an instance is to have besides its root.
#[derive(Debug, Clone)]
pub struct WantedVolume {
    /// A new, blank one of that size, or one that is there, by name or id.
    pub volume: NewOrExisting,
    /// Whether it goes when the instance does.
    pub delete_on_termination: bool,
}

/// Where a volume of a new instance comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewOrExisting {
    /// It is made, blank.
    New(Gib),
    /// It is there, by name or id.
    Existing(String),
}

/// Such a volume once it is looked up, and whether it goes when the instance does.
type FoundVolume = (NewOrFound, bool);

/// Where a volume of a new instance comes from, looked up.
enum NewOrFound {
    New(Gib),
    Found(VolumeId),
}

impl Engine {
    /// Accepts new instances: all of them or none. Each comes with the operation that makes it.
    pub async fn create_instances(
        &self,
        project: &str,
        request: CreateInstances,
        by: &Requester,
    ) -> Result<Vec<OperationRecord>, EngineError> {
        let names = names(&request.name, request.count)?;
        if let Some(data) = request.user_data.as_ref().filter(|data| data.len() > USER_DATA_MAX) {
            let message = format!(
                "{} bytes of user data, and at most {USER_DATA_MAX} are taken",
                data.len()
            );
            return Err(EngineError::TooLarge {
                field: "user_data",
                message,
            });
        }
        let store = &self.world.store;
        let instance_type = self.find_type(&request.instance_type)?;
        let image = store.find_image(project, &request.image).await?;
        let key = match &request.key {
            Some(key) => Some(store.find_keypair(project, key).await?.id),
            None => None,
        };
        self.reachable().await?;
        let nics = self.look_up_nics(project, &request, &instance_type).await?;
        let public_ip = match &request.public_ip {
            Some(wanted) => Some(self.public_ip_of_new(project, wanted).await?),
            None => None,
        };
        let root_size = root_size(request.root_size, &image, &instance_type)?;
        let volumes = self.look_up(project, &request).await?;
        self.check_room(promised(&request, root_size)).await?;
        let volume_type = self.volume_type(None)?;
        let new = names.into_iter().map(|name| {
            Ok(NewInstance {
                volumes: volumes_of(&name, &volumes)?,
                root_layer: LayerId::new(),
                keep_root: request.keep_root,
                volume_type: volume_type.clone(),
                id: InstanceId::new(),
                project: project.to_owned(),
                name,
                instance_type: instance_type.clone(),
                image: image.id,
                key,
                user_data: request.user_data.clone(),
                policy: request.policy,
                root_volume: VolumeId::new(),
                root_size,
                nics: nics.iter().map(nic_of).collect(),
                public_ip: public_ip.clone(),
                labels: request.labels.clone(),
            })
        });
        let new: Vec<_> = new.collect::<Result<_, EngineError>>()?;
        let (engine, by) = (self.clone(), by.clone());
        to_its_end(async move {
            let claims = engine.world.store.create_instances(new, &by).await?;
            let ids: Vec<_> = claims.iter().map(Claim::operation).collect();
            for claim in claims {
                engine.actors.run(claim);
            }
            let mut operations = Vec::with_capacity(ids.len());
            for id in ids {
                operations.push(engine.operation(id).await?);
            }
            Ok(operations)
        })
        .await
    }

    /// Looks up the volumes that an instance is to have.
    async fn look_up(&self, project: &str, request: &CreateInstances) -> Result<Vec<FoundVolume>, EngineError> {
        let mut found = Vec::new();
        if request.volumes.len() > DATA_VOLUMES_MAX as usize {
            let message = format!(
                "{} are more than the {DATA_VOLUMES_MAX} that an instance can have",
                request.volumes.len()
            );
            return Err(EngineError::invalid("volumes", message));
        }
        for wanted in &request.volumes {
            let volume = match &wanted.volume {
                NewOrExisting::New(size) => {
                    volume::check_size(*size)?;
                    NewOrFound::New(*size)
                }
                NewOrExisting::Existing(_) if request.count > 1 => {
                    let message = "one volume can't be attached to several instances: give sizes, or make one instance";
                    return Err(EngineError::invalid("volumes", message));
                }
                NewOrExisting::Existing(reference) => NewOrFound::Found(self.find_volume(project, reference).await?.id),
            };
            found.push((volume, wanted.delete_on_termination));
        }
        Ok(found)
    }
}

/// The same NIC for one of several instances: each has ports of its own.
fn nic_of(nic: &NicOfNew) -> NicOfNew {
    let mut nic = nic.clone();
    if let NicOfNew::New { id, mac, .. } = &mut nic {
        (*id, *mac) = (PortId::new(), Mac::random());
    }
    nic
}

/// The size of the root volume of an instance of that type: what is asked for, or what the type and the image have. The
/// image has to agree with it: it may ask for more than the type gives, and gets it.
fn root_size(asked: Option<Gib>, image: &ImageRecord, kind: &InstanceType) -> Result<Gib, EngineError> {
    let asks = &image.properties;
    let misfit = |misfit: Misfit| EngineError::invalid("type", format!("{} has {misfit}", kind.name));
    asks.check_memory(kind.memory).map_err(misfit)?;
    let size = kind.storage.max(Gib::holding(image.virtual_size)).max(asks.min_disk);
    let Some(asked) = asked else {
        asks.check_root(size, image.virtual_size).map_err(misfit)?;
        return Ok(size);
    };
    volume::check_size(asked)?;
    let misfit = |misfit: Misfit| EngineError::invalid("root_size", format!("it has {misfit}"));
    asks.check_root(asked, image.virtual_size).map_err(misfit)?;
    Ok(asked)
}

/// How much disk a request wants in all.
fn promised(request: &CreateInstances, root_size: Gib) -> Gib {
    let new = request.volumes.iter().map(|wanted| match wanted.volume {
        NewOrExisting::New(size) => size.0,
        NewOrExisting::Existing(_) => 0,
    });
    let each = new.fold(root_size.0, u64::saturating_add);
    Gib(each.saturating_mul(u64::from(request.count)))
}

/// The volumes of one new instance; those that are made with it are called after it.
fn volumes_of(instance: &Name, wanted: &[FoundVolume]) -> Result<Vec<VolumeOfNew>, EngineError> {
    let of_new = |(number, (volume, delete_on_termination)): (u32, &FoundVolume)| {
        let delete_on_termination = *delete_on_termination;
        Ok(match volume {
            NewOrFound::Found(id) => VolumeOfNew::Existing {
                id: *id,
                delete_on_termination,
            },
            NewOrFound::New(size) => VolumeOfNew::New {
                id: VolumeId::new(),
                layer: LayerId::new(),
                name: format!("{instance}-data{number}")
                    .parse()
                    .map_err(|error| EngineError::invalid("name", error))?,
                size: *size,
                delete_on_termination,
            },
        })
    };
    (1..).zip(wanted).map(of_new).collect()
}

/// The names of so many instances.
fn names(name: &str, count: u32) -> Result<Vec<Name>, EngineError> {
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(EngineError::invalid(
            "count",
            format!("{count} is not between 1 and {COUNT_MAX}"),
        ));
    }
    let wrong = |error: berth_model::ParseNameError| EngineError::invalid("name", error);
    let base: Name = name.parse().map_err(wrong)?;
    if count == 1 {
        return Ok(vec![base]);
    }
    (1..=count).map(|number| base.numbered(number).map_err(wrong)).collect()
}
