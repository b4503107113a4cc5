//! The adapters, made as the configuration says.

use berth_hypervisor::{Hypervisor, Notice};
use berth_model::OwnerId;
use berth_network::Network;
use berth_storage::Storage;
use berth_store::Store;
use nix::unistd::User;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::config::Config;
use crate::failure::Failure;
use crate::locks::{self, Lock};

/// The adapters, and the lock on what they keep.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) storage: Storage,
    pub(crate) network: Network,
    pub(crate) hypervisor: (Hypervisor, UnboundedReceiver<Notice>),
    pub(crate) lock: Lock,
}

/// Who QEMU runs as on Debian and Ubuntu, and elsewhere.
const QEMU_USERS: [&str; 2] = ["libvirt-qemu", "qemu"];

impl Parts {
    /// Opens all of them. libvirt needn't be there yet; the disk, the database and the tools must.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let lock = locks::state_dir(&config.state_dir)?;
        let storage = Storage::open(berth_storage::Settings {
            state_dir: config.state_dir.clone(),
            qemu_user: config.qemu_user.clone().or_else(qemu_user),
            image_user: config.image_user.clone(),
            low_space: config.low_space,
            qemu_img: "qemu-img".into(),
        })?;
        let store = Store::open(&config.database).await?;
        let owner = store.owner().await?;
        let network = Network::open(berth_network::Settings {
            state_dir: config.state_dir.clone(),
            prefix: prefix(owner),
            provider: config.transit,
            nat: config.outbound_nat,
        })?;
        let hypervisor = Hypervisor::start(berth_hypervisor::Settings {
            uri: config.libvirt_uri.clone(),
            call_deadline: config.call_deadline,
            threads: config.engine.parallel_steps,
        })?;
        Ok(Self {
            store,
            storage,
            network,
            hypervisor,
            lock,
        })
    }
}

/// The first of the usual users that this host has; QEMU runs as root where it has none.
fn qemu_user() -> Option<String> {
    let there = |name: &&str| User::from_name(name).is_ok_and(|user| user.is_some());
    QEMU_USERS
        .iter()
        .find(|name| there(name))
        .map(|name| (*name).to_owned())
}

/// What the kernel names of this installation begin with: from the random end of its id.
fn prefix(owner: OwnerId) -> String {
    let id = owner.to_string();
    format!("b{}", &id[id.len() - 3..])
}
