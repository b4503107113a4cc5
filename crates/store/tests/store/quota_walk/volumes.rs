//! Operations on volumes and images: begun, ended, failed.

use std::time::Duration;

use berth_model::{Gib, Labels};
use berth_store::{Base, CONSISTENCY, GROWN, MADE_IMAGE, Task, TaskClaim};
use serde_json::{Value, json};

use super::does::Does;
use super::{Walk, nth, page, unique};
use crate::support::*;
use crate::tasks::{begin_snapshot, create, freeze};

impl Walk {
    pub(super) async fn volumes(&mut self, bed: &Bed, does: Does) -> Option<()> {
        let begun = match does {
            Does::NewVolume => {
                let (new, task) = create(Base::default(), None);
                bed.store.create_volume(&new, task, &by()).await
            }
            Does::Clone(number) => {
                let volume = self.volume(bed, number).await?;
                let freeze = freeze(&volume);
                let base = Base {
                    parent: Some(freeze.layer),
                    image: None,
                };
                let (new, task) = create(base, Some(freeze));
                bed.store.create_volume(&new, task, &by()).await
            }
            Does::Extend(number) => {
                let volume = self.volume(bed, number).await?;
                let task = Task::ExtendVolume {
                    volume: volume.id,
                    from: volume.size,
                    size: Gib(volume.size.0 + 2),
                };
                bed.store.begin_task(task, &by()).await
            }
            Does::Snapshot(number) => begin_snapshot(bed, freeze(&self.volume(bed, number).await?)).await,
            Does::Save(number) => {
                let volume = self.volume(bed, number).await?;
                let task = Task::SaveAsImage {
                    volume: volume.id,
                    layer: volume.layer?,
                    freeze: volume.instance.map(|_| freeze(&volume)),
                    image: Box::new(image(unique("saved").as_str())),
                    labels: Labels::default(),
                };
                bed.store.begin_task(task, &by()).await
            }
            Does::DeleteVolume(number) => {
                let volume = self.volume(bed, number).await?.id;
                bed.store.begin_task(Task::DeleteVolume { volume }, &by()).await
            }
            Does::End(number) => {
                let mut claim = self.take_task(number)?;
                while !claim.last() && !claim.undoing() {
                    claim.advance(memo(&claim), Duration::ZERO).await.unwrap();
                }
                let memo = memo(&claim);
                if claim.undoing() {
                    claim.fail(memo, None).await.unwrap();
                } else {
                    claim.commit(memo, Duration::ZERO).await.unwrap();
                }
                return Some(());
            }
            Does::FailTask(number, seen) => {
                let mut claim = self.take_task(number)?;
                if !claim.undoing() {
                    claim.undo(fault("no")).await.unwrap();
                }
                let memo = match claim.task() {
                    Task::ExtendVolume { size, .. } if seen => json!({ GROWN: Gib(size.0 - 1) }),
                    _ => json!({}),
                };
                claim.fail(memo, None).await.unwrap();
                return Some(());
            }
            _ => return None,
        };
        let begun = self.may(begun);
        self.tasks.extend(begun);
        Some(())
    }

    /// A volume that has a layer.
    async fn volume(&self, bed: &Bed, number: usize) -> Option<berth_store::VolumeRecord> {
        let mut all = bed.store.every_volume(page()).await.unwrap();
        all.retain(|volume| volume.layer.is_some());
        nth(all, number)
    }
}

/// What the steps of a task remember.
fn memo(claim: &TaskClaim) -> Value {
    match claim.task() {
        Task::SaveAsImage { image, .. } | Task::ImportImage { image, .. } => {
            json!({ MADE_IMAGE: image, CONSISTENCY: "crash" })
        }
        _ => json!({ CONSISTENCY: "crash" }),
    }
}
