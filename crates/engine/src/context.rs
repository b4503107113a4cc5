//! What a step is given: the adapters, the instance it is about, and what libvirt says of its guest meanwhile.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use berth_hypervisor::HypervisorError;
use berth_model::{Code, GuestEvent, InstanceId, Stable, Standing};
use berth_network::NetworkError;
use berth_ops::Failure;
use berth_storage::StorageError;
use berth_store::{
    Claim, ImageRecord, InstanceRecord, PortRecord, PublicIpRecord, Store, StoreError, VolumeRecord, VpcRecord,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::world::World;

/// What the steps of one operation are given.
pub(crate) struct Context {
    /// The adapters and settings.
    pub(crate) world: Arc<World>,
    /// The instance, and the records that are its own.
    pub(crate) subject: Subject,
    /// What the request said.
    pub(crate) params: Value,
    /// What libvirt says meanwhile.
    pub(crate) watch: Watch,
}

/// An instance with the records that are its own, as they were when the operation began.
pub(crate) struct Subject {
    pub(crate) instance: InstanceRecord,
    /// What the root volume stands on.
    pub(crate) image: ImageRecord,
    pub(crate) root: Option<VolumeRecord>,
    /// All its volumes, the root first, in the order of its disks.
    pub(crate) volumes: Vec<VolumeRecord>,
    /// Its ports, the primary one first.
    pub(crate) ports: Vec<PortRecord>,
    /// The public IPs of its ports.
    pub(crate) publics: Vec<PublicIpRecord>,
    pub(crate) vpc: Option<VpcRecord>,
    pub(crate) user_data: Option<Vec<u8>>,
}

impl Subject {
    /// Reads an instance and its records.
    pub(crate) async fn load(store: &Store, id: InstanceId) -> Result<Self, StoreError> {
        let gone = |what: &'static str| StoreError::NotFound {
            what,
            reference: id.to_string(),
        };
        let instance = store.instance(id).await?.ok_or_else(|| gone("instance"))?;
        let volumes = store.volumes_of_instance(id).await?;
        let root = volumes.iter().find(|volume| volume.root).cloned();
        // After a shelve that is the shelf, which has all that the first image said of the guest.
        let image = root.as_ref().and_then(|root| root.image).unwrap_or(instance.image);
        let image = store.image(image).await?.ok_or_else(|| gone("image of instance"))?;
        let ports = store.ports_of_instance(id).await?;
        let ids: Vec<_> = ports.iter().map(|port| port.id).collect();
        let publics = store.public_ips_of_ports(&ids).await?;
        let vpc = match ports.first() {
            Some(port) => store.vpc(port.vpc).await?,
            None => None,
        };
        let user_data = store.user_data(id).await?;
        Ok(Self {
            instance,
            image,
            root,
            volumes,
            ports,
            publics,
            vpc,
            user_data,
        })
    }

    /// The public IP of one of its ports.
    pub(crate) fn public_of(&self, port: &PortRecord) -> Option<&PublicIpRecord> {
        self.publics.iter().find(|public| public.port == Some(port.id))
    }
}

impl Context {
    /// The context of the operation that a claim is for, and the end that feeds its watch.
    pub(crate) async fn of(world: Arc<World>, claim: &Claim) -> Result<(Self, Sender<Signal>), StoreError> {
        let subject = Subject::load(&world.store, claim.instance()).await?;
        let (sender, receiver) = channel();
        let params = claim.params().clone();
        Ok((
            Self {
                world,
                subject,
                params,
                watch: Watch::new(receiver),
            },
            sender,
        ))
    }

    /// The instance's id, which is also its domain's.
    pub(crate) fn id(&self) -> InstanceId {
        self.subject.instance.id
    }

    /// Whether the instance was Active when the operation began.
    pub(crate) fn was_active(&self) -> bool {
        match self.subject.instance.standing {
            Standing::Resting(stable) => stable == Stable::Active,
            Standing::Moving { from, .. } => from == Some(Stable::Active),
        }
    }

    /// One parameter of the request that the action can't do without.
    pub(crate) fn needed<T: DeserializeOwned>(&self, key: &str) -> Result<T, Failure> {
        let missing = || Failure::fatal(Code::Internal, format!("the request has no '{key}'"));
        self.param(key).ok_or_else(missing)
    }

    /// One parameter of the request.
    pub(crate) fn param<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.params
            .get(key)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
    }
}

/// What can happen while a step waits.
#[derive(Debug)]
pub(crate) enum Signal {
    /// libvirt sent an event about this guest.
    Guest(GuestEvent),
    /// A later request took the instance over.
    Cancelled,
}

/// How long a wait for libvirt goes on before it is looked whether anybody still wants it.
const WAKE_EVERY: Duration = Duration::from_millis(500);

/// The events of one guest while an operation has it.
pub(crate) struct Watch(Mutex<Receiver<Signal>>);

impl Watch {
    pub(crate) fn new(receiver: Receiver<Signal>) -> Self {
        Self(Mutex::new(receiver))
    }

    /// Waits for the guest's next event, until that moment at the latest.
    pub(crate) fn next(&self, until: Instant) -> Result<Option<GuestEvent>, Failure> {
        let receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Signal::Guest(event)) => Ok(Some(event)),
            // Nobody sends any more when the daemon goes down: the journal has what is needed to go on.
            Ok(Signal::Cancelled) | Err(RecvTimeoutError::Disconnected) => Err(Failure::Cancelled),
            Err(RecvTimeoutError::Timeout) => Ok(None),
        }
    }

    /// Waits until libvirt is back, for as long as the operator is patient.
    pub(crate) fn wait_until_back(&self, world: &World) -> Result<(), Failure> {
        let deadline = Instant::now() + world.settings().libvirt_patience;
        loop {
            self.drain()?;
            match world.hypervisor.wait_up(WAKE_EVERY).or_fail() {
                Err(Failure::Away { .. }) if Instant::now() < deadline => {}
                Err(Failure::Away { code, message }) => return Err(Failure::fatal(code, message)),
                other => return other,
            }
        }
    }

    /// Whether a later request took the instance over; forgets events that came before the question.
    pub(crate) fn drain(&self) -> Result<(), Failure> {
        while self.next(Instant::now() + Duration::ZERO)?.is_some() {}
        Ok(())
    }
}

/// How an adapter's error counts for a step: what may pass is tried again.
pub(crate) trait OrFail<T> {
    /// The value, or the failure.
    fn or_fail(self) -> Result<T, Failure>;
}

impl<T> OrFail<T> for Result<T, HypervisorError> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| match error.code() {
            code @ Code::HypervisorUnavailable => Failure::away(code, error),
            code @ Code::DeadlineExceeded => Failure::transient(code, error),
            code => Failure::fatal(code, error),
        })
    }
}

impl<T> OrFail<T> for Result<T, StorageError> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::fatal(error.code(), error))
    }
}

impl<T> OrFail<T> for Result<T, NetworkError> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| match error {
            // What the operator has to put right, or a defect of ours.
            NetworkError::Invalid(_)
            | NetworkError::Full { .. }
            | NetworkError::ProviderTaken { .. }
            | NetworkError::PublicTaken { .. }
            | NetworkError::NoInterface { .. } => Failure::fatal(error.code(), error),
            _ => Failure::transient(error.code(), error),
        })
    }
}

impl<T> OrFail<T> for Result<T, StoreError> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::transient(error.code(), error))
    }
}
