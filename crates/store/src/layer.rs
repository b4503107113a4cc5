//! Layers: the files of which volumes are chains, and who still needs each of them.
//!
//! ```text
//!   image ◀── layer ◀── layer ◀── layer ◀─ volume (writes only the newest)
//!               ▲          ▲
//!               snapshot   the newest layer of another volume, made from a snapshot
//! ```
//!
//! A layer is needed by a volume whose newest it is, by a snapshot, and by the layers that stand on it. One that
//! nothing needs any more is forgotten in the transaction that took the last need away; its file goes after that
//! transaction, and if the daemon dies in between it is a file without a record, which the reconciler removes.
//!
//! Architecture invariant: a layer's row is there before its file is made, and the chain of the rows is that of the
//! files, except while a merge is being written down.

use berth_model::{ImageId, InstanceId, LayerId, VolumeId};
use sqlx::any::AnyRow;

use crate::row::{Columns as _, sql};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// A layer, and what needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRecord {
    /// Its id, and its file's name.
    pub id: LayerId,
    /// The layer it stands on.
    pub parent: Option<LayerId>,
    /// The image it stands on, if there is no layer in between.
    pub image: Option<ImageId>,
    /// How many layers stand on it.
    pub children: u32,
    /// How many snapshots it is.
    pub snapshots: u32,
}

impl LayerRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            parent: row.maybe_parsed("parent")?,
            image: row.maybe_parsed("image")?,
            children: row.number("children")?,
            snapshots: row.number("snapshots")?,
        })
    }
}

/// A layer to be made: on another layer, on an image, or on nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Base {
    /// The layer beneath.
    pub parent: Option<LayerId>,
    /// The image at the very bottom.
    pub image: Option<ImageId>,
}

/// Writes down a layer that is about to be made.
pub(crate) async fn insert(tx: &mut Tx, id: LayerId, base: Base) -> Result<(), StoreError> {
    // The image is at the bottom of the chain: a layer on another one doesn't stand on it.
    let image = base.image.filter(|_| base.parent.is_none());
    let insert = sql("INSERT INTO layers (id, parent, image, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id.to_string())
        .bind(base.parent.map(|id| id.to_string()))
        .bind(image.map(|id| id.to_string()))
        .bind(tx.micros());
    tx.run(insert).await.map(|_| ())
}

/// Forgets a layer if nothing needs it, and then the one it stood on, and so on: those that are forgotten.
pub(crate) async fn release(tx: &mut Tx, from: Option<LayerId>) -> Result<Vec<LayerId>, StoreError> {
    let mut gone = Vec::new();
    let mut next = from;
    while let Some(id) = next {
        let forget = sql("DELETE FROM layers WHERE id = $1 \
                          AND NOT EXISTS (SELECT 1 FROM volumes v WHERE v.layer = layers.id) \
                          AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.layer = layers.id) \
                          AND NOT EXISTS (SELECT 1 FROM layers c WHERE c.parent = layers.id) RETURNING parent");
        let Some(row) = tx.optional(forget.bind(id.to_string())).await? else {
            break;
        };
        gone.push(id);
        next = row.maybe_parsed("parent")?;
    }
    Ok(gone)
}

impl Store {
    /// The chain beneath a layer, itself first.
    pub async fn chain(&self, top: LayerId) -> Result<Vec<LayerRecord>, StoreError> {
        let query = sql("WITH RECURSIVE chain (id, parent, image, depth) AS ( \
                         SELECT id, parent, image, 0 FROM layers WHERE id = $1 UNION ALL \
                         SELECT l.id, l.parent, l.image, chain.depth + 1 FROM layers l JOIN chain ON l.id = chain.parent) \
                         SELECT id, parent, image, \
                         (SELECT COUNT(*) FROM layers c WHERE c.parent = chain.id) AS children, \
                         (SELECT COUNT(*) FROM snapshots s WHERE s.layer = chain.id) AS snapshots \
                         FROM chain ORDER BY depth");
        self.list(query.bind(top.to_string()), LayerRecord::read).await
    }

    /// The instances that have volumes of more than one layer.
    pub async fn instances_with_chains(&self) -> Result<Vec<InstanceId>, StoreError> {
        let query = sql(
            "SELECT DISTINCT v.instance FROM volumes v JOIN layers l ON l.id = v.layer \
                         WHERE v.instance IS NOT NULL AND l.parent IS NOT NULL",
        );
        self.list(query, |row| row.parsed("instance")).await
    }

    /// Every layer there is.
    pub async fn layers(&self) -> Result<Vec<LayerId>, StoreError> {
        self.list(sql("SELECT id FROM layers"), |row| row.parsed("id")).await
    }

    /// The layers that only these volumes need: their files may go before the records do.
    pub async fn layers_only_of(&self, volumes: &[VolumeId]) -> Result<Vec<LayerId>, StoreError> {
        let mut only = Vec::new();
        for id in volumes {
            let query = sql("SELECT layer FROM volumes WHERE id = $1").bind(id.to_string());
            let Some(top) = self.one(query, |row| row.maybe_parsed("layer")).await?.flatten() else {
                continue;
            };
            let mut chain = self.chain(top).await?.into_iter();
            // The newest has the volume and nothing else; each below it has the one above and nothing else.
            let alone = |layer: &LayerRecord, children| layer.children == children && layer.snapshots == 0;
            only.extend(chain.next().filter(|top| alone(top, 0)).map(|top| top.id));
            if only.last() == Some(&top) {
                only.extend(chain.take_while(|layer| alone(layer, 1)).map(|layer| layer.id));
            }
        }
        Ok(only)
    }

    /// Writes down that a layer has taken in those between it and `base`: it stands on that now. The layers that
    /// nothing needs any more.
    pub async fn pulled(&self, top: LayerId, base: Base) -> Result<Vec<LayerId>, StoreError> {
        let mut tx = self.begin().await?;
        let row = tx
            .optional(sql("SELECT parent FROM layers WHERE id = $1").bind(top.to_string()))
            .await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        let before: Option<LayerId> = row.maybe_parsed("parent")?;
        set_base(&mut tx, top, base).await?;
        let gone = release(&mut tx, before).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Writes down that a layer has been merged into the one it stood on, which is what its snapshots and the layer
    /// above it stand on now.
    pub async fn committed(&self, merged: LayerId, into: LayerId) -> Result<Vec<LayerId>, StoreError> {
        let mut tx = self.begin().await?;
        for statement in [
            "UPDATE snapshots SET layer = $1 WHERE layer = $2",
            "UPDATE layers SET parent = $1 WHERE parent = $2",
        ] {
            tx.run(sql(statement).bind(into.to_string()).bind(merged.to_string()))
                .await?;
        }
        let gone = release(&mut tx, Some(merged)).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

async fn set_base(tx: &mut Tx, layer: LayerId, base: Base) -> Result<(), StoreError> {
    let image = base.image.filter(|_| base.parent.is_none());
    let update = sql("UPDATE layers SET parent = $1, image = $2 WHERE id = $3")
        .bind(base.parent.map(|id| id.to_string()))
        .bind(image.map(|id| id.to_string()))
        .bind(layer.to_string());
    tx.run(update).await.map(|_| ())
}
