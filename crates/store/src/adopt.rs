//! Reality adopted: what `observe` of the model says has to follow, while no operation has the instance.

use berth_model::{Adoption, InstanceId, Stable, Standing};

use crate::event::NewEvent;
use crate::transition::{self, Held, Why};
use crate::{Fault, Store, StoreError};

impl Store {
    /// Adopts what is. `false`, and nothing written, unless the instance is at rest and its revision is still the one
    /// that the observation was made with.
    pub async fn adopt(&self, id: InstanceId, revision: i64, adoption: &Adoption) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(before) = Held::load(&mut tx, id).await? else {
            return Ok(false);
        };
        if before.record.revision != revision || matches!(before.record.standing, Standing::Moving { .. }) {
            return Ok(false);
        }
        let mut after = before.clone();
        if let Some(degraded) = adoption.degraded() {
            after.record.degraded = degraded.map(str::to_owned);
        }
        if let Some(stable) = adoption.to() {
            after.record.standing = Standing::Resting(stable);
            if stable != Stable::Error {
                after.record.fault = None;
            }
        }
        if let Some((code, message)) = adoption.fault() {
            after.record.fault = Some(Fault {
                code,
                message: message.to_owned(),
                at: tx.at,
            });
        }
        let event = before.record.event(adoption.kind());
        tx.event(NewEvent {
            message: adoption.message().map(str::to_owned),
            heard: adoption.heard().map(str::to_owned),
            ..event
        })
        .await?;
        let message = adoption.message().or(adoption.fault().map(|(_, message)| message));
        let why = Why {
            operation: None,
            message: message.map(str::to_owned),
        };
        if !transition::write(&mut tx, &before, &after, why).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }
}
