//! Key pairs: the public half; the private one is never here.

use berth_model::{KeyPairId, Labels, Name, Resource, User};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::instance::canonical;
use crate::row::{Columns as _, sql};
use crate::{Store, StoreError, label};

/// A key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPairRecord {
    /// Its id.
    pub id: KeyPairId,
    /// The project it belongs to.
    pub project: String,
    /// The user who made it: nobody else deletes it.
    pub owner: User,
    /// Its name, unique in its project.
    pub name: Name,
    /// The public key in OpenSSH's one-line form.
    pub public_key: String,
    /// The SHA-256 fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// When it was made or imported; kept to the microsecond.
    pub created_at: Timestamp,
}

impl KeyPairRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            owner: row.parsed("owner")?,
            name: row.parsed("name")?,
            public_key: row.text("public_key")?,
            fingerprint: row.text("fingerprint")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Store {
    /// Keeps a key pair. [`StoreError::AlreadyExists`] if the project has one of that name.
    pub async fn insert_keypair(&self, pair: &KeyPairRecord, labels: &Labels) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let taken = "SELECT id FROM keypairs WHERE project = $1 AND name = $2";
        tx.check_name("key pair", taken, (&pair.project, &pair.name)).await?;
        let insert = sql(
            "INSERT INTO keypairs (id, project, name, public_key, fingerprint, created_at, owner) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(pair.id.to_string())
        .bind(pair.project.as_str())
        .bind(pair.name.as_str())
        .bind(pair.public_key.as_str())
        .bind(pair.fingerprint.as_str())
        .bind(pair.created_at.as_microsecond())
        .bind(pair.owner.as_str());
        tx.run(insert).await?;
        label::write(&mut tx, &pair.project, &pair.id, labels).await?;
        tx.charge(&pair.project, Resource::KeyPairs, 1);
        tx.event(NewEvent::about("keypair.created", &pair.project, &pair.id, &pair.name))
            .await?;
        tx.commit().await
    }

    /// The key pair of a project with that name or id.
    pub async fn find_keypair(&self, project: &str, reference: &str) -> Result<KeyPairRecord, StoreError> {
        let query = sql("SELECT * FROM keypairs WHERE project = $1 AND (id = $2 OR name = $2)");
        let query = query.bind(project).bind(canonical::<KeyPairId>(reference));
        let found = self.one(query, KeyPairRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("key pair", reference))
    }

    /// Forgets a key pair, for the user who made it. Instances that have it keep it. [`StoreError::NotOwner`].
    pub async fn delete_keypair(&self, id: KeyPairId, by: &User) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = tx
            .optional(sql("SELECT * FROM keypairs WHERE id = $1").bind(id.to_string()))
            .await?;
        let pair = KeyPairRecord::read(&row.ok_or_else(|| StoreError::not_found("key pair", &id))?)?;
        if pair.owner != *by {
            return Err(StoreError::NotOwner {
                name: pair.name,
                owner: pair.owner,
            });
        }
        tx.run(sql("DELETE FROM keypairs WHERE id = $1").bind(id.to_string()))
            .await?;
        label::remove(&mut tx, &id).await?;
        tx.free(&pair.project, Resource::KeyPairs, 1);
        tx.event(NewEvent::about("keypair.deleted", &pair.project, &id, &pair.name))
            .await?;
        tx.commit().await
    }
}
