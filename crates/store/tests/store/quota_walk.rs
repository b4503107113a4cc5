//! A random walk through all that is made, moved, fails and goes, under quotas that are low now and then: after each step
//! the counters are what the records say, which is counted here by queries of the test's own.

mod counted;
mod does;
mod resources;
mod volumes;

use std::collections::BTreeMap;
use std::time::Duration;

use berth_model::{Action, Code, Gib, LayerId, Limit, Name, PublicIpPool, Resource, VolumeId, default_catalog};
use berth_store::{
    Claim, ClaimError, Database, Fault, Found, Page, PublicIpOfNew, ROOT_LAYER, SnapshotFilter, StoreError, Task,
    TaskClaim, VolumeOfNew,
};
use proptest::prelude::{ProptestConfig, prop};
use proptest::test_runner::TestRunner;
use serde_json::json;
use sqlx::{AnyConnection, Connection as _};

use self::counted::counted;
use self::does::{Does, does};
use crate::support::*;

const ALL: u32 = 500;

fn page<Id>() -> Page<Id> {
    Page {
        limit: ALL,
        after: None,
    }
}

fn nth<T>(all: Vec<T>, number: usize) -> Option<T> {
    let place = number % all.len().max(1);
    all.into_iter().nth(place)
}

fn unique(word: &str) -> Name {
    name(&format!("{word}-{}", VolumeId::new()))
}

/// What is in flight, and how the last request ended.
#[derive(Default)]
struct Walk {
    claims: Vec<Claim>,
    tasks: Vec<TaskClaim>,
    refused: Option<StoreError>,
}

impl Walk {
    /// A refusal is fine, and a quota's is kept; a defect isn't.
    fn may<T>(&mut self, result: Result<T, impl Into<ClaimError>>) -> Option<T> {
        match result.map_err(Into::into) {
            Ok(done) => Some(done),
            Err(ClaimError::Store(error)) if error.code() == Code::QuotaExceeded => {
                self.refused = Some(error);
                None
            }
            Err(error) => {
                assert_ne!(error.code(), Code::StoreError, "{error}");
                None
            }
        }
    }

    /// Asks for what is then looked up in the store.
    fn ask<T>(&mut self, result: Result<T, impl Into<ClaimError>>) {
        self.may(result);
    }

    async fn step(&mut self, bed: &mut Bed, does: Does) {
        match does {
            Does::Create { .. } | Does::Act(..) | Does::Go(..) | Does::Fail(_) | Does::GiveUp(_) => {
                self.instances(bed, does).await;
            }
            Does::Limit(resource, above) => limit(bed, resource, above).await,
            Does::Restart => {
                self.claims.clear();
                self.tasks.clear();
                bed.restart().await;
                self.claims = bed.store.in_flight().await.unwrap();
                self.tasks = bed.store.tasks_in_flight().await.unwrap();
            }
            other => {
                if self.volumes(bed, other).await.is_none() && self.images(bed, other).await.is_none() {
                    self.networks(bed, other).await;
                }
            }
        }
    }

    async fn instances(&mut self, bed: &Bed, does: Does) {
        match does {
            Does::Create { count, more } => self.create(bed, count, more).await,
            Does::Act(number, action) => {
                let all = bed.store.every_instance(page()).await.unwrap();
                let Some(instance) = nth(all, number) else { return };
                let Some(action) = nth(Action::allowed_from(instance.standing), action) else {
                    return;
                };
                let types = default_catalog();
                let params = match action {
                    Action::Resize => {
                        let root_size = (number % 2 == 0).then_some(Gib(10));
                        json!({ "instance_type": types[number % 5], "root_size": root_size })
                    }
                    Action::Unshelve => json!({ ROOT_LAYER: LayerId::new() }),
                    _ => json!({}),
                };
                let claim = bed.store.claim(instance.id, action, params, &by()).await;
                if let Some(claim) = self.may(claim) {
                    self.claims.retain(|other| other.instance() != instance.id);
                    self.claims.push(claim);
                }
            }
            Does::Go(number, end) => {
                let Some(mut claim) = self.take_claim(number) else {
                    return;
                };
                if claim.undoing() {
                    return self.fall_back(claim).await;
                }
                while claim.position().next().is_some() {
                    if self.may(advanced(&mut claim).await).is_none() {
                        return;
                    }
                    if !end {
                        return self.claims.push(claim);
                    }
                }
                commit(claim).await;
            }
            Does::Fail(number) => {
                let Some(mut claim) = self.take_claim(number) else {
                    return;
                };
                if claim.undoing() {
                    return self.fall_back(claim).await;
                }
                if claim.becomes(fault("no")).await.is_err() {
                    claim.undo(fault("no")).await.unwrap();
                }
                self.claims.push(claim);
            }
            Does::GiveUp(number) => {
                if let Some(claim) = self.take_claim(number) {
                    claim.give_up(fault("given up")).await.unwrap();
                }
            }
            _ => {}
        }
    }

    async fn create(&mut self, bed: &Bed, count: usize, more: bool) {
        let pool = [pool()];
        let new = (0..count).map(|number| {
            let mut new = bed.new_instance(unique("i").as_str());
            new.instance_type = default_catalog()[number + 1].clone();
            if more {
                new.public_ip = Some(PublicIpOfNew::Ephemeral(pool.to_vec()));
                new.keep_root = number == 0;
                new.volumes.push(VolumeOfNew::New {
                    id: VolumeId::new(),
                    layer: LayerId::new(),
                    name: unique("v"),
                    size: Gib(3),
                    delete_on_termination: number != 0,
                });
            }
            new
        });
        let made = bed.store.create_instances(new.collect(), &by()).await;
        let made = self.may(made).unwrap_or_default();
        self.claims.extend(made);
    }

    async fn fall_back(&mut self, mut claim: Claim) {
        while claim.undone().await.unwrap() {}
        claim.fall_back(Found::Off).await.unwrap();
    }

    fn take_claim(&mut self, number: usize) -> Option<Claim> {
        let place = number % self.claims.len().max(1);
        (!self.claims.is_empty()).then(|| self.claims.swap_remove(place))
    }

    fn take_task(&mut self, number: usize) -> Option<TaskClaim> {
        let place = number % self.tasks.len().max(1);
        (!self.tasks.is_empty()).then(|| self.tasks.swap_remove(place))
    }
}

async fn advanced(claim: &mut Claim) -> Result<(), ClaimError> {
    claim.advance(json!({}), Duration::ZERO).await
}

fn pool() -> PublicIpPool {
    PublicIpPool {
        name: "public".to_owned(),
        interface: None,
        ranges: vec!["203.0.113.0/24".parse().unwrap()],
    }
}

async fn limit(bed: &Bed, resource: Resource, above: Option<i8>) {
    let used = used(bed).await.get(&resource).copied().unwrap_or_default();
    let limit = above.map(|above| Limit::AtMost((used + i64::from(above)).max(0).unsigned_abs()));
    bed.store
        .set_quotas("default", &BTreeMap::from([(resource, limit)]))
        .await
        .unwrap();
}

async fn used(bed: &Bed) -> BTreeMap<Resource, i64> {
    let quotas = bed.store.quotas("default").await.unwrap();
    let used = quotas
        .iter()
        .map(|quota| (quota.resource, i64::try_from(quota.used).unwrap()));
    used.collect()
}

async fn past(database: &Database) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let url = match database {
        Database::Sqlite(path) => format!("sqlite:{}", path.display()),
        Database::Postgres(url) => url.clone(),
    };
    AnyConnection::connect(&url).await.unwrap()
}

async fn walk(bed: &mut Bed, path: &[Does]) {
    let mut past = past(&bed.database).await;
    let mut walk = Walk::default();
    let mut before = used(bed).await;
    // Most of what can happen happens to instances that were made.
    let made = [
        Does::Create { count: 3, more: true },
        Does::Go(0, true),
        Does::Go(0, true),
    ];
    for does in made.iter().chain(path) {
        walk.step(bed, *does).await;
        let after = used(bed).await;
        assert_eq!(after, counted(&mut past).await, "after {does:?}");
        if let Some(refused) = walk.refused.take() {
            assert_eq!(after, before, "{does:?} was refused and changed something");
            let StoreError::QuotaExceeded {
                resource,
                limit,
                used,
                asked,
                ..
            } = refused
            else {
                panic!("{refused}");
            };
            assert_eq!(i64::try_from(used).unwrap(), before[&resource]);
            assert!(!limit.allows(used + asked), "{used} + {asked} is not above {limit}");
        }
        asked_within_limits(bed, does, (&before, &after)).await;
        before = after;
    }
    assert_eq!(bed.store.miscounted().await.unwrap(), []);
    past.close().await.unwrap();
    clean(bed, walk).await;
}

/// What a request has added is within the limit; only an operation that is under way may come to more.
async fn asked_within_limits(
    bed: &Bed,
    does: &Does,
    (before, after): (&BTreeMap<Resource, i64>, &BTreeMap<Resource, i64>),
) {
    if matches!(
        does,
        Does::Go(..) | Does::Fail(_) | Does::GiveUp(_) | Does::End(_) | Does::FailTask(..)
    ) {
        return;
    }
    for quota in bed.store.quotas("default").await.unwrap() {
        let more = after[&quota.resource] > before[&quota.resource];
        assert!(!more || quota.limit.allows(quota.used), "{does:?} overshot {quota:?}");
    }
}

/// Ends and deletes everything, for the next walk; the counters are those of an empty project then.
async fn clean(bed: &mut Bed, walk: Walk) {
    let none: BTreeMap<_, _> = Resource::ALL.iter().map(|resource| (*resource, None)).collect();
    bed.store.set_quotas("default", &none).await.unwrap();
    drop(walk);
    for mut claim in bed.store.tasks_in_flight().await.unwrap() {
        if !claim.undoing() {
            claim.undo(fault("the end")).await.unwrap();
        }
        claim.fail(json!({}), None::<Fault>).await.unwrap();
    }
    for instance in bed.store.every_instance(page()).await.unwrap() {
        finish(
            bed.store
                .claim(instance.id, Action::Delete, json!({}), &by())
                .await
                .unwrap(),
        )
        .await;
    }
    for snapshot in bed
        .store
        .list_snapshots("default", SnapshotFilter::default(), &oldest())
        .await
        .unwrap()
        .items
    {
        bed.store.delete_snapshot(snapshot.id).await.unwrap();
    }
    for volume in bed.store.every_volume(page()).await.unwrap() {
        let task = Task::DeleteVolume { volume: volume.id };
        let claim = bed.store.begin_task(task, &by()).await.unwrap();
        claim.commit(json!({}), Duration::ZERO).await.unwrap();
    }
    let used = used(bed).await;
    for resource in [
        Resource::Instances,
        Resource::Vcpus,
        Resource::MemoryMib,
        Resource::Volumes,
        Resource::VolumeGb,
        Resource::Snapshots,
    ] {
        assert_eq!(used[&resource], 0, "{resource}");
    }
}

fn run(database: Database, cases: u32, runtime: &tokio::runtime::Runtime) {
    let mut bed = runtime.block_on(Bed::new(database));
    let bed = std::cell::RefCell::new(&mut bed);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let paths = prop::collection::vec(does(), 1..80);
    let result = TestRunner::new(config).run(&paths, |path| {
        runtime.block_on(walk(&mut bed.borrow_mut(), &path));
        Ok(())
    });
    result.unwrap();
}

mod sqlite {
    #[test]
    fn whatever_is_done_the_counters_are_the_records() {
        let dir = tempfile::tempdir().unwrap();
        let database = berth_store::Database::Sqlite(dir.path().join("berth.db"));
        super::run(database, 60, &crate::support::runtime());
    }
}

mod postgres {
    #[test]
    fn whatever_is_done_the_counters_are_the_records() {
        let Some(server) = crate::postgres::Server::get() else {
            eprintln!("SKIPPED: no PostgreSQL");
            return;
        };
        let runtime = crate::support::runtime();
        let scratch = runtime.block_on(server.scratch());
        super::run(scratch.database.clone(), 8, &runtime);
        runtime.block_on(scratch.remove());
    }
}
