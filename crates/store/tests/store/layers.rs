//! A random graph of volumes, snapshots and clones, of which some are deleted, some fail, and some layers are merged: a
//! layer is there for as long as a volume or a snapshot needs it, and what is released is exactly what went.

use std::collections::HashSet;
use std::time::Duration;

use berth_model::{LayerId, SnapshotId, VolumeId};
use berth_store::{Base, Database, Page, Released, SnapshotFilter, Task, TaskClaim};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::*;
use crate::tasks::{begin_snapshot, crash_consistent, create, freeze, nothing};

/// One thing that is done; numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
enum Does {
    Create,
    Clone(usize),
    CreateFrom(usize),
    Snapshot(usize),
    DeleteVolume(usize),
    DeleteSnapshot(usize),
    Pull(usize),
}

fn does() -> impl Strategy<Value = (Does, Option<bool>)> {
    let one = prop_oneof![
        2 => Just(Does::Create),
        2 => any::<usize>().prop_map(Does::Clone),
        2 => any::<usize>().prop_map(Does::CreateFrom),
        4 => any::<usize>().prop_map(Does::Snapshot),
        3 => any::<usize>().prop_map(Does::DeleteVolume),
        3 => any::<usize>().prop_map(Does::DeleteSnapshot),
        1 => any::<usize>().prop_map(Does::Pull),
    ];
    // Whether it fails, and then whether in its last step.
    (one, prop::option::weighted(0.25, any::<bool>()))
}

/// What there is.
#[derive(Default)]
struct Graph {
    volumes: Vec<VolumeId>,
    snapshots: Vec<SnapshotId>,
}

fn pick<T: Copy>(all: &[T], number: usize) -> Option<T> {
    all.get(number % all.len().max(1)).copied()
}

/// Takes a claim to its end; what is released.
pub(crate) async fn end(mut claim: TaskClaim, fails: Option<bool>) -> Released {
    while !claim.last() && fails != Some(false) {
        claim.advance(crash_consistent(), Duration::ZERO).await.unwrap();
    }
    if fails.is_none() {
        return claim.commit(crash_consistent(), Duration::ZERO).await.unwrap();
    }
    claim.undo(fault("no")).await.unwrap();
    claim.fail(nothing(), None).await.unwrap()
}

impl Graph {
    async fn step(&mut self, bed: &Bed, (does, fails): (Does, Option<bool>)) -> Option<Vec<LayerId>> {
        let released = match does {
            Does::Create => self.create(bed, Base::default(), None, fails).await,
            Does::Clone(number) => {
                let freeze = freeze(&self.volume(bed, number).await?);
                let base = on(freeze.layer);
                self.create(bed, base, Some(freeze), fails).await
            }
            Does::CreateFrom(number) => {
                let snapshot = bed.store.snapshot(pick(&self.snapshots, number)?).await.unwrap()?;
                self.create(bed, on(snapshot.layer), None, fails).await
            }
            Does::Snapshot(number) => {
                let freeze = freeze(&self.volume(bed, number).await?);
                let released = end(begin_snapshot(bed, freeze).await.unwrap(), fails).await;
                self.snapshots.extend(fails.is_none().then_some(freeze.snapshot));
                released.layers
            }
            Does::DeleteVolume(number) => {
                let volume = pick(&self.volumes, number)?;
                // One that has snapshots stays.
                let claim = bed.store.begin_task(Task::DeleteVolume { volume }, &by()).await.ok()?;
                self.volumes.retain(|id| *id != volume);
                end(claim, None).await.layers
            }
            Does::DeleteSnapshot(number) => {
                let snapshot = pick(&self.snapshots, number)?;
                self.snapshots.retain(|id| *id != snapshot);
                bed.store.delete_snapshot(snapshot).await.unwrap().layers
            }
            Does::Pull(number) => {
                let layer = self.volume(bed, number).await?.layer?;
                bed.store.pulled(layer, Base::default()).await.unwrap()
            }
        };
        Some(released)
    }

    async fn create(
        &mut self,
        bed: &Bed,
        base: Base,
        freeze: Option<berth_store::Freeze>,
        fails: Option<bool>,
    ) -> Vec<LayerId> {
        let (new, task) = create(base, freeze);
        self.volumes.push(new.id);
        let claim = bed.store.create_volume(&new, task, &by()).await.unwrap();
        end(claim, fails).await.layers
    }

    /// One of the volumes that have data.
    async fn volume(&self, bed: &Bed, number: usize) -> Option<berth_store::VolumeRecord> {
        let found = bed.store.volume(pick(&self.volumes, number)?).await.unwrap();
        found.filter(|volume| volume.layer.is_some())
    }
}

fn on(layer: LayerId) -> Base {
    Base {
        parent: Some(layer),
        image: None,
    }
}

async fn layers(bed: &Bed) -> HashSet<LayerId> {
    bed.store.layers().await.unwrap().into_iter().collect()
}

/// The layers that a volume or a snapshot stands on.
async fn needed(bed: &Bed) -> HashSet<LayerId> {
    let volumes = bed
        .store
        .every_volume(Page {
            limit: 999,
            after: None,
        })
        .await;
    let snapshots = bed
        .store
        .list_snapshots("default", SnapshotFilter::default(), &oldest())
        .await
        .unwrap()
        .items;
    let tops = volumes.unwrap().into_iter().filter_map(|volume| volume.layer);
    let mut needed = HashSet::new();
    for top in tops.chain(snapshots.into_iter().map(|snapshot| snapshot.layer)) {
        let chain = bed.store.chain(top).await.unwrap();
        needed.extend(chain.iter().map(|layer| layer.id));
    }
    needed
}

async fn walk(bed: &Bed, path: &[(Does, Option<bool>)]) {
    let mut graph = Graph::default();
    for does in path {
        let mut before = layers(bed).await;
        let released = graph.step(bed, *does).await.unwrap_or_default();
        let after = layers(bed).await;
        assert_eq!(after, needed(bed).await, "{does:?}");
        before.retain(|layer| !after.contains(layer));
        let released: HashSet<_> = released.into_iter().collect();
        assert!(released.is_superset(&before), "{does:?}: files without a record");
        assert!(
            released.is_disjoint(&after),
            "{does:?}: a layer that is needed is removed"
        );
    }
    for snapshot in graph.snapshots {
        bed.store.delete_snapshot(snapshot).await.unwrap();
    }
    for volume in graph.volumes {
        let claim = bed.store.begin_task(Task::DeleteVolume { volume }, &by()).await;
        end(claim.unwrap(), None).await;
    }
    assert_eq!(layers(bed).await, HashSet::new());
}

#[test]
fn a_layer_is_there_exactly_as_long_as_something_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let bed = runtime.block_on(Bed::new(Database::Sqlite(dir.path().join("berth.db"))));
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let paths = prop::collection::vec(does(), 1..40);
    let result = TestRunner::new(config).run(&paths, |path| {
        runtime.block_on(walk(&bed, &path));
        Ok(())
    });
    result.unwrap();
}
