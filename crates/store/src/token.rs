//! API tokens: of each only the hash of its secret is kept, which was shown once.

use berth_model::{Name, Role, TokenId, User};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::row::{Columns as _, Sql, sql, to_word};
use crate::{Page, Store, StoreError, project};

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id, which is a part of it.
    pub id: TokenId,
    /// What it is called.
    pub name: Name,
    /// Whose it is: who presents it is this user.
    pub owner: User,
    /// The project that it is good for, and the most it may be there. None: an operator's.
    pub scope: Option<(String, Role)>,
    /// The hash of its secret.
    pub hash: String,
    /// Who made it.
    pub made_by: User,
    /// When it was made; kept to the microsecond.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let scope = match row.maybe_text("project")? {
            Some(project) => Some((project, row.word("role")?)),
            None => None,
        };
        Ok(Self {
            id: row.parsed("id")?,
            name: row.parsed("name")?,
            owner: row.parsed("owner")?,
            scope,
            hash: row.text("hash")?,
            made_by: row.parsed("made_by")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            last_used_at: row.maybe_time("last_used_at")?,
            revoked_at: row.maybe_time("revoked_at")?,
        })
    }
}

impl Store {
    /// Keeps a token. [`StoreError::AlreadyExists`] if its user has one of that name that isn't revoked.
    pub async fn insert_token(&self, token: &TokenRecord) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let same = sql("SELECT id FROM tokens WHERE owner = $1 AND name = $2 AND revoked_at IS NULL");
        let same = same.bind(token.owner.to_string()).bind(token.name.to_string());
        if tx.optional(same).await?.is_some() {
            return Err(StoreError::AlreadyExists {
                what: "token",
                name: token.name.to_string(),
            });
        }
        let (project, role) = token.scope.clone().unzip();
        if let Some(project) = &project {
            project::must_be_there(&mut tx, project).await?;
        }
        let insert = sql(
            "INSERT INTO tokens (id, name, owner, project, role, hash, made_by, created_at, expires_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(token.id.to_string())
        .bind(token.name.to_string())
        .bind(token.owner.to_string())
        .bind(project.clone())
        .bind(role.as_ref().map(to_word).transpose()?)
        .bind(token.hash.clone())
        .bind(token.made_by.to_string())
        .bind(token.created_at.as_microsecond())
        .bind(token.expires_at.as_microsecond());
        tx.run(insert).await?;
        let project = project.as_deref().unwrap_or_default();
        tx.event(NewEvent::about("token.created", project, &token.id, &token.name))
            .await?;
        tx.commit().await
    }

    /// A token, whatever became of it.
    pub async fn token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        let query = sql("SELECT * FROM tokens WHERE id = $1").bind(id.to_string());
        self.one(query, TokenRecord::read).await
    }

    /// The token of that id, or a user's of that name that isn't revoked; any user's by its id if none is given.
    pub async fn find_token(&self, owner: Option<&User>, reference: &str) -> Result<TokenRecord, StoreError> {
        let query = match owner {
            Some(_) => sql("SELECT * FROM tokens WHERE owner = $2 AND (id = $1 OR (name = $1 AND revoked_at IS NULL))"),
            None => sql("SELECT * FROM tokens WHERE id = $1"),
        };
        let query = query.bind(reference.to_owned());
        let query = match owner {
            Some(owner) => query.bind(owner.to_string()),
            None => query,
        };
        let found = self.one(query, TokenRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("token", reference))
    }

    /// A page of a user's tokens, or of all.
    pub async fn tokens(&self, owner: Option<&User>, page: Page<TokenId>) -> Result<Vec<TokenRecord>, StoreError> {
        let query: Sql = match owner {
            Some(owner) => sql("SELECT * FROM tokens WHERE owner = $3 AND id > $1 ORDER BY id LIMIT $2")
                .bind(page.after())
                .bind(i64::from(page.limit))
                .bind(owner.to_string()),
            None => sql("SELECT * FROM tokens WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(page.after())
                .bind(i64::from(page.limit)),
        };
        self.list(query, TokenRecord::read).await
    }

    /// Makes a token worth nothing from now on. Its record stays, so that it can be told what became of it.
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let revoke =
            sql("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL RETURNING name, project");
        let revoke = revoke.bind(tx.micros()).bind(id.to_string());
        if let Some(row) = tx.optional(revoke).await? {
            let project = row.maybe_text("project")?.unwrap_or_default();
            let event = NewEvent::about("token.revoked", &project, &id, &row.text("name")?);
            tx.event(event).await?;
        }
        tx.commit().await
    }

    /// Writes down that a token was used now.
    pub async fn token_used(&self, id: TokenId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let used = sql("UPDATE tokens SET last_used_at = $1 WHERE id = $2");
        tx.run(used.bind(tx.micros()).bind(id.to_string())).await?;
        tx.commit().await
    }
}
