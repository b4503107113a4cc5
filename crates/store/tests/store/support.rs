//! What the tests share: a store on either database, and an instance in any standing.

use std::future::Future;

use berth_model::{
    Action, DiskBus, DiskFormat, Firmware, Gib, ImageId, ImageProperties, InstanceId, KeyPairId, Labels, LayerId, Mac,
    Name, OsFamily, Policy, PortId, Position, Sort, Stable, User, Visibility, VolumeId, default_catalog,
};
use berth_store::{
    Claim, Database, Fault, Found, ImageRecord, InstanceRecord, KeyPairRecord, ListBy, NetworkTemplate, NewInstance,
    NicOfNew, ROOT_LAYER, Requester, Store, VpcRecord,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

use crate::postgres;

/// Runs each of these bodies on both databases, as a test of its own.
macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite {
            $(#[test] fn $name() { crate::support::on_sqlite(super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { crate::support::on_postgres(super::$name); })+
        }
    };
}

/// A store of a test's own, with an image, a key pair and a network.
pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) database: Database,
    pub(crate) image: ImageRecord,
    pub(crate) key: KeyPairRecord,
    pub(crate) vpc: VpcRecord,
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn on_sqlite<F: Future<Output = ()>>(body: fn(Bed) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(dir.path().join("berth.db"));
    runtime().block_on(async move { body(Bed::new(database).await).await });
}

pub(crate) fn on_postgres<F: Future<Output = ()>>(body: fn(Bed) -> F) {
    let Some(server) = postgres::Server::get() else {
        eprintln!("SKIPPED: no PostgreSQL: install Debian's postgresql, or set BERTH_TEST_POSTGRES to a URL");
        return;
    };
    runtime().block_on(async move {
        let scratch = server.scratch().await;
        body(Bed::new(scratch.database.clone()).await).await;
        scratch.remove().await;
    });
}

pub(crate) fn by() -> Requester {
    Requester::new("uid 0")
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn fault(message: &str) -> Fault {
    Fault::new(berth_model::Code::HypervisorError, message)
}

pub(crate) fn image(named: &str) -> ImageRecord {
    ImageRecord {
        id: ImageId::new(),
        project: "default".to_owned(),
        name: name(named),
        format: DiskFormat::Qcow2,
        virtual_size: 5 << 40,
        file_size: 123_456_789,
        sha256: "ab".repeat(32),
        visibility: Visibility::Private,
        properties: ImageProperties {
            os: OsFamily::Windows,
            firmware: Firmware::UefiSecureBoot,
            user: "debian".to_owned(),
            os_version: "2022".to_owned(),
            disk_bus: DiskBus::Sata,
            tpm: Some(false),
            ..ImageProperties::default()
        },
        created_at: now(),
        shelf_of: None,
    }
}

pub(crate) fn keypair(named: &str) -> KeyPairRecord {
    KeyPairRecord {
        id: KeyPairId::new(),
        project: "default".to_owned(),
        owner: User::root(),
        name: name(named),
        public_key: "ssh-ed25519 AAAA me@here".to_owned(),
        fingerprint: "SHA256:abc".to_owned(),
        created_at: now(),
    }
}

/// The first entries of a list, oldest first.
pub(crate) fn oldest() -> ListBy {
    ListBy::first(500, Sort::OLDEST)
}

fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap()
}

impl Bed {
    pub(crate) async fn new(database: Database) -> Self {
        let store = Store::open(&database).await.unwrap();
        let (image, key) = (image("debian"), keypair("laptop"));
        store.insert_image(&image, &Labels::default()).await.unwrap();
        store.insert_keypair(&key, &Labels::default()).await.unwrap();
        let template = NetworkTemplate {
            cidr: "10.0.0.0/16".parse().unwrap(),
            gateway: [10, 0, 0, 1].into(),
        };
        let vpc = store.ensure_default_network("default", &template).await.unwrap();
        Self {
            store,
            database,
            image,
            key,
            vpc,
        }
    }

    /// The daemon dies and comes back: whatever it held in memory is gone.
    pub(crate) async fn restart(&mut self) {
        self.store.close().await;
        self.store = Store::open(&self.database).await.unwrap();
    }

    /// A connection of a test's own.
    pub(crate) async fn connect(&self) -> sqlx::AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match &self.database {
            Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            Database::Postgres(url) => url.clone(),
        };
        sqlx::AnyConnection::connect(&url).await.unwrap()
    }

    /// Changes the database behind the store's back, as time would.
    pub(crate) async fn execute(&self, statement: &str) {
        self.try_execute(statement).await.unwrap();
    }

    /// The same, for what the database may refuse.
    pub(crate) async fn try_execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await;
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        let done = connection.execute(sqlx::raw_sql(statement)).await.map(drop);
        connection.close().await.unwrap();
        done
    }

    /// Takes away what keeps the ledger from being changed, until the store is opened again.
    pub(crate) async fn unguard_ledger(&self) {
        match self.database {
            Database::Sqlite(_) => {
                self.execute("DROP TRIGGER ledger_stays").await;
                self.execute("DROP TRIGGER ledger_grows").await;
            }
            Database::Postgres(_) => self.execute("DROP TRIGGER ledger_grows ON ledger").await,
        }
    }

    pub(crate) fn new_instance(&self, named: &str) -> NewInstance {
        NewInstance {
            id: InstanceId::new(),
            project: "default".to_owned(),
            name: name(named),
            instance_type: default_catalog()[0].clone(),
            image: self.image.id,
            key: Some(self.key.id),
            user_data: None,
            policy: Policy::default(),
            root_volume: VolumeId::new(),
            root_layer: LayerId::new(),
            keep_root: false,
            volume_type: "ssd".to_owned(),
            volumes: Vec::new(),
            root_size: Gib(8),
            nics: vec![self.nic()],
            public_ip: None,
            labels: Labels::default(),
        }
    }

    /// A NIC on the default subnet.
    pub(crate) fn nic(&self) -> NicOfNew {
        NicOfNew::New {
            id: PortId::new(),
            mac: Mac::random(),
            vpc: self.vpc.id,
            subnet: self.vpc.subnets[0].id,
            address: None,
            groups: None,
        }
    }

    /// An instance that is Building.
    pub(crate) async fn building(&self) -> Claim {
        let new = self.new_instance(&format!("i-{}", &InstanceId::new().as_uuid().simple().to_string()));
        self.store
            .create_instances(vec![new], &by())
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    pub(crate) async fn claim(&self, id: InstanceId, action: Action) -> Claim {
        self.store.claim(id, action, params(action), &by()).await.unwrap()
    }

    pub(crate) async fn get(&self, id: InstanceId) -> InstanceRecord {
        self.store.instance(id).await.unwrap().unwrap()
    }

    /// The documented state, or that there is no such instance.
    pub(crate) async fn state(&self, id: InstanceId) -> &'static str {
        let found = self.store.instance(id).await.unwrap();
        found.map_or("gone", |record| record.standing.state().as_str())
    }

    /// An instance at rest there.
    pub(crate) async fn resting(&self, stable: Stable) -> InstanceId {
        let mut claim = self.building().await;
        let id = claim.instance();
        if stable == Stable::Error {
            claim.undo(fault("no")).await.unwrap();
            assert!(!claim.undone().await.unwrap());
            claim.fall_back(Found::Off).await.unwrap();
            return id;
        }
        finish(claim).await;
        match stable {
            Stable::Active | Stable::Error => {}
            Stable::Stopped => finish(self.claim(id, Action::Stop).await).await,
            Stable::ShelvedOffloaded => finish(self.claim(id, Action::Shelve).await).await,
            Stable::Resized => finish(self.claim(id, Action::Resize).await).await,
        }
        id
    }

    /// An instance moved by an action that is at one of its steps.
    pub(crate) async fn moving(&self, position: Position) -> Claim {
        let mut claim = match position.action().row().from {
            berth_model::From::Nothing => self.building().await,
            berth_model::From::At(stables) => self.claim(self.resting(stables[0]).await, position.action()).await,
            berth_model::From::Anything => self.claim(self.resting(Stable::Active).await, position.action()).await,
        };
        while claim.position() != position {
            advance(&mut claim).await;
        }
        claim
    }
}

/// What a request of that action says.
pub(crate) fn params(action: Action) -> Value {
    match action {
        Action::Resize => json!({ "instance_type": default_catalog()[3] }),
        Action::Unshelve => json!({ ROOT_LAYER: LayerId::new() }),
        _ => json!({}),
    }
}

pub(crate) async fn advance(claim: &mut Claim) {
    claim
        .advance(json!({}), std::time::Duration::from_millis(5))
        .await
        .unwrap();
}

pub(crate) async fn commit(claim: Claim) {
    let memo = match claim.position().action() {
        Action::Shelve => {
            let shelf = ImageRecord {
                shelf_of: Some(claim.instance()),
                ..image(&format!("shelf-{}", claim.operation()))
            };
            json!({ berth_store::SHELF: shelf })
        }
        _ => json!({}),
    };
    claim.commit(memo, std::time::Duration::from_millis(5)).await.unwrap();
}

/// Takes a claim to its landing.
pub(crate) async fn finish(mut claim: Claim) {
    while claim.position().next().is_some() {
        advance(&mut claim).await;
    }
    commit(claim).await;
}

/// Every step of every action.
pub(crate) fn every_position() -> Vec<Position> {
    let steps = |action: Action| (0..action.row().steps.len()).filter_map(move |step| Position::at(action, step));
    Action::ALL.iter().copied().flat_map(steps).collect()
}
