//! Instances at rest, by the store's own claims.
//!
//! They are in Error, of a create that failed: whatever else rests has a domain, and libvirt's test driver forgets its
//! domains with each daemon. They have volumes, ports and addresses as others have, and the files that are looked for.
//! The database is filled in `/dev/shm` and put in its place: the commits of 10,000 would wait for the disk for minutes.

use std::fs;
use std::path::Path;

use berth_model::{Code, Gib, InstanceId, Labels, LayerId, Mac, Policy, PortId, VolumeId, default_catalog};
use berth_store::{
    Claim, Database, Fault, Found, ImageRecord, NetworkTemplate, NewInstance, NicOfNew, Requester, Store, VpcRecord,
};
use berth_testkit::Daemon;

/// How many are written by one transaction.
const BATCH: usize = 100;

/// Fills the store of a daemon, which is killed and started again.
pub(super) fn fill(daemon: &mut Daemon<'_>, count: usize) {
    daemon.kill();
    let there = daemon.state_dir().join("berth.db");
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let here = dir.path().join("berth.db");
    // The first connection that opens it takes what the killed daemon has left in the log.
    for suffix in ["", "-wal"] {
        let file = |path: &Path| path.with_file_name(format!("berth.db{suffix}"));
        let _ = fs::copy(file(&there), file(&here));
    }
    let state = daemon.state_dir();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(&Database::Sqlite(here.clone())).await.unwrap();
        let of = Of::find(&store).await;
        for begin in (0..count).step_by(BATCH) {
            let new: Vec<_> = (begin..count.min(begin + BATCH))
                .map(|number| of.instance(number))
                .collect();
            files(&state, &new);
            for claim in store.create_instances(new, &by()).await.unwrap() {
                rest(claim).await;
            }
        }
        store.close().await;
    });
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(there.with_file_name(format!("berth.db{suffix}")));
    }
    fs::copy(&here, &there).unwrap();
    daemon.start_again();
}

/// Where a page begins: after so many pages.
pub(super) fn cursor(daemon: &Daemon<'_>, pages: usize) -> String {
    let caller = daemon.caller();
    let mut cursor = String::new();
    for _ in 0..pages {
        let after = if cursor.is_empty() {
            String::new()
        } else {
            format!("&after={cursor}")
        };
        let page = caller.get(&format!("/v1/instances?limit=100{after}")).ok();
        page["next"].as_str().expect("another page").clone_into(&mut cursor);
    }
    cursor
}

fn by() -> Requester {
    Requester::new("local:root")
}

/// What all of them are made of.
struct Of {
    image: ImageRecord,
    vpc: VpcRecord,
}

impl Of {
    async fn find(store: &Store) -> Self {
        let image = store.find_image("default", "tiny").await.unwrap();
        let template = NetworkTemplate {
            cidr: "10.0.0.0/16".parse().unwrap(),
            gateway: [10, 0, 0, 1].into(),
        };
        let vpc = store.ensure_default_network("default", &template).await.unwrap();
        Self { image, vpc }
    }

    fn instance(&self, number: usize) -> NewInstance {
        let nic = NicOfNew::New {
            id: PortId::new(),
            mac: mac(number),
            vpc: self.vpc.id,
            subnet: self.vpc.subnets[0].id,
            address: None,
            groups: None,
        };
        NewInstance {
            id: InstanceId::new(),
            project: "default".to_owned(),
            name: format!("n{number}").parse().unwrap(),
            instance_type: default_catalog()[0].clone(),
            image: self.image.id,
            key: None,
            user_data: None,
            policy: Policy::default(),
            root_volume: VolumeId::new(),
            root_layer: LayerId::new(),
            keep_root: false,
            volume_type: "ssd".to_owned(),
            volumes: Vec::new(),
            root_size: Gib(1),
            nics: vec![nic],
            public_ip: None,
            labels: Labels::default(),
        }
    }
}

/// One that no other has: of so many random ones two would be the same.
fn mac(number: usize) -> Mac {
    let [.., a, b, c] = number.to_be_bytes();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}").parse().unwrap()
}

/// The files that instances at rest have.
fn files(state: &Path, instances: &[NewInstance]) {
    for instance in instances {
        fs::write(state.join("volumes").join(format!("{}.qcow2", instance.root_layer)), "").unwrap();
        fs::create_dir_all(state.join("instances").join(instance.id.to_string())).unwrap();
    }
}

/// Has a create fail, which leaves its records and nothing on the host.
async fn rest(mut claim: Claim) {
    claim.undo(Fault::new(Code::HypervisorError, "seeded")).await.unwrap();
    claim.undone().await.unwrap();
    claim.fall_back(Found::Off).await.unwrap();
}
