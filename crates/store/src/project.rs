//! Projects and their members: who is what, and where.
//!
//! A project's name is its id: every record of the project carries it, and it never changes.

use berth_model::{LabelPatch, Labels, Name, Role, User};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::row::{Columns as _, sql, to_word};
use crate::tx::Tx;
use crate::{Page, Store, StoreError, label};

/// The project that is there from the beginning.
pub const DEFAULT_PROJECT: &str = "default";

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Its name, which is its id.
    pub name: Name,
    /// What it is for, in words.
    pub description: String,
    /// When it was made; kept to the microsecond.
    pub created_at: Timestamp,
}

/// A member of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRecord {
    /// The project's name.
    pub project: String,
    /// The user.
    pub user: User,
    /// What the user is in it.
    pub role: Role,
    /// Since when; kept to the microsecond.
    pub created_at: Timestamp,
}

impl ProjectRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.parsed("name")?,
            description: row.text("description")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl MemberRecord {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            project: row.text("project")?,
            user: row.parsed("member")?,
            role: row.word("role")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// [`StoreError::NotFound`] unless the project is there.
pub(crate) async fn must_be_there(tx: &mut Tx, project: &str) -> Result<(), StoreError> {
    let query = sql("SELECT name FROM projects WHERE name = $1").bind(project.to_owned());
    match tx.optional(query).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::not_found("project", project)),
    }
}

/// What was there before there were projects is as old as the installation.
pub(crate) async fn complete(tx: &mut Tx) -> Result<(), StoreError> {
    let date = sql("UPDATE projects SET created_at = (SELECT made_at FROM installation) WHERE created_at = 0");
    tx.run(date).await.map(|_| ())
}

/// What a project still has, in the order in which it is best deleted: tables of records that keep it.
const KEEPS: [(&str, &str); 8] = [
    (
        "operation",
        "SELECT id AS name FROM operations WHERE project = $1 AND finished_at IS NULL LIMIT 1",
    ),
    (
        "instance",
        "SELECT name AS name FROM instances WHERE project = $1 LIMIT 1",
    ),
    (
        "snapshot",
        "SELECT name AS name FROM snapshots WHERE project = $1 LIMIT 1",
    ),
    ("volume", "SELECT name AS name FROM volumes WHERE project = $1 LIMIT 1"),
    (
        "image",
        "SELECT name AS name FROM images WHERE project = $1 AND shelf_of IS NULL LIMIT 1",
    ),
    ("port", "SELECT id AS name FROM ports WHERE project = $1 LIMIT 1"),
    (
        "public IP",
        "SELECT id AS name FROM public_ips WHERE project = $1 LIMIT 1",
    ),
    ("VPC", "SELECT name AS name FROM vpcs WHERE project = $1 LIMIT 1"),
];

impl Store {
    /// Makes a project. [`StoreError::AlreadyExists`].
    pub async fn create_project(
        &self,
        name: &Name,
        description: &str,
        labels: &Labels,
    ) -> Result<ProjectRecord, StoreError> {
        let mut tx = self.begin().await?;
        let project = ProjectRecord {
            name: name.clone(),
            description: description.to_owned(),
            created_at: tx.at,
        };
        let insert =
            sql("INSERT INTO projects (name, description, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(name.to_string())
                .bind(description.to_owned())
                .bind(tx.micros());
        if tx.run(insert).await? != 1 {
            return Err(StoreError::AlreadyExists {
                what: "project",
                name: name.to_string(),
            });
        }
        label::write(&mut tx, name.as_str(), name, labels).await?;
        tx.event(NewEvent::about("project.created", name.as_str(), name, name))
            .await?;
        tx.commit().await?;
        Ok(project)
    }

    /// Says anew what a project is for, and changes its labels: what is given.
    pub async fn change_project(
        &self,
        name: &str,
        description: Option<&str>,
        labels: &LabelPatch,
    ) -> Result<ProjectRecord, StoreError> {
        let mut tx = self.begin().await?;
        must_be_there(&mut tx, name).await?;
        if let Some(description) = description {
            let update = sql("UPDATE projects SET description = $1 WHERE name = $2").bind(description.to_owned());
            tx.run(update.bind(name.to_owned())).await?;
        }
        label::change(&mut tx, name, name, labels).await?;
        tx.event(NewEvent::about("project.changed", name, &name, name)).await?;
        tx.commit().await?;
        let found = self.project(name).await?;
        found.ok_or_else(|| StoreError::not_found("project", name))
    }

    /// A project.
    pub async fn project(&self, name: &str) -> Result<Option<ProjectRecord>, StoreError> {
        let query = sql("SELECT * FROM projects WHERE name = $1").bind(name.to_owned());
        self.one(query, ProjectRecord::read).await
    }

    /// Forgets a project that has nothing left, with its members, its tokens, quotas and key pairs. What happened in it is
    /// no project's from then on.
    /// [`StoreError::InUse`] names something that it still has.
    pub async fn delete_project(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        must_be_there(&mut tx, name).await?;
        for (what, query) in KEEPS {
            if let Some(row) = tx.optional(sql(query).bind(name.to_owned())).await? {
                let by = format!("{what} '{}'", row.text("name")?);
                return Err(StoreError::InUse { what: "project", by });
            }
        }
        for forget in [
            "DELETE FROM keypairs WHERE project = $1",
            // Of its key pairs, and its own.
            "DELETE FROM labels WHERE project = $1",
            "DELETE FROM tokens WHERE project = $1",
            "DELETE FROM members WHERE project = $1",
            "DELETE FROM charges WHERE project = $1",
            "DELETE FROM quotas WHERE project = $1",
            "DELETE FROM projects WHERE name = $1",
            // What happened stays, for the operator: none of it is the past of a later project of that name.
            "UPDATE operations SET project = '' WHERE project = $1",
            "UPDATE events SET project = '' WHERE project = $1",
        ] {
            tx.run(sql(forget).bind(name.to_owned())).await?;
        }
        tx.event(NewEvent::about("project.deleted", "", &name, name)).await?;
        tx.commit().await
    }

    /// What a user is in a project: none if the project isn't there, or the user is nothing in it.
    pub async fn role_of(&self, project: &str, user: &User) -> Result<Option<Role>, StoreError> {
        let query = sql("SELECT role FROM members WHERE project = $1 AND member = $2");
        self.one(query.bind(project.to_owned()).bind(user.to_string()), |row| {
            row.word("role")
        })
        .await
    }

    /// What a user is, and where, in the order of the projects' names.
    pub async fn memberships(&self, user: &User) -> Result<Vec<MemberRecord>, StoreError> {
        let query = sql("SELECT * FROM members WHERE member = $1 ORDER BY project");
        self.list(query.bind(user.to_string()), MemberRecord::read).await
    }

    /// A page of the members of a project, in the order of their names.
    pub async fn members(&self, project: &str, page: Page<User>) -> Result<Vec<MemberRecord>, StoreError> {
        let query = sql("SELECT * FROM members WHERE project = $1 AND member > $2 ORDER BY member LIMIT $3")
            .bind(project.to_owned())
            .bind(page.after())
            .bind(i64::from(page.limit));
        self.list(query, MemberRecord::read).await
    }

    /// Makes a user a member of a project, or gives a member another role.
    pub async fn set_member(&self, project: &str, user: &User, role: Role) -> Result<MemberRecord, StoreError> {
        let mut tx = self.begin().await?;
        must_be_there(&mut tx, project).await?;
        let set = sql(
            "INSERT INTO members (project, member, role, created_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (project, member) DO UPDATE SET role = $3 RETURNING *",
        )
        .bind(project.to_owned())
        .bind(user.to_string())
        .bind(to_word(&role)?)
        .bind(tx.micros());
        let row = tx.optional(set).await?;
        let member = MemberRecord::read(&row.ok_or_else(|| StoreError::corrupt("members", "nothing was written"))?)?;
        tx.event(NewEvent::about("member.set", project, user, user)).await?;
        tx.commit().await?;
        Ok(member)
    }

    /// Takes a member from a project. What the user's tokens may there is nothing from then on.
    pub async fn remove_member(&self, project: &str, user: &User) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let remove = sql("DELETE FROM members WHERE project = $1 AND member = $2");
        let remove = remove.bind(project.to_owned()).bind(user.to_string());
        if tx.run(remove).await? != 1 {
            return Err(StoreError::not_found("member", user));
        }
        tx.event(NewEvent::about("member.removed", project, user, user)).await?;
        tx.commit().await
    }
}
