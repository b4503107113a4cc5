//! Instances: reading them. What writes them is `create` and `transition`.

use berth_model::{
    Action, Capacity, ImageId, InstanceId, InstanceType, Name, OperationId, Policy, Position, Stable, Standing,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::event::NewEvent;
use crate::operation::read_position;
use crate::progress::new_type;
use crate::row::{Columns as _, sql};
use crate::{Fault, KeyRef, Page, Store, StoreError};

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRecord {
    /// Its id; also the UUID of its libvirt domain.
    pub id: InstanceId,
    /// The project it belongs to.
    pub project: String,
    /// Its name, unique in its project.
    pub name: Name,
    /// Changes with every change of the record.
    pub revision: i64,
    /// Where it stands.
    pub standing: Standing,
    /// The operation in flight.
    pub operation: Option<OperationId>,
    /// Its type, as the catalog had it when the instance was made or resized.
    pub instance_type: InstanceType,
    /// What its resize came from, while that is neither confirmed nor reverted.
    pub resized_from: Option<ResizedFrom>,
    /// The type that the resize in flight gives it.
    pub resizing_to: Option<InstanceType>,
    /// The image it was made from.
    pub image: ImageId,
    /// The key pair that may log in, as it was when the instance was made.
    pub key: Option<KeyRef>,
    /// What becomes of it by itself.
    pub policy: Policy,
    /// What went wrong last, until an action puts it right.
    pub fault: Option<Fault>,
    /// What makes it less than well while it runs.
    pub degraded: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the record changed last.
    pub updated_at: Timestamp,
}

/// What a resize came from, until it is confirmed or reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizedFrom {
    /// The state the instance was at rest in.
    pub stable: Stable,
    /// The type it had.
    pub instance_type: InstanceType,
    /// Whether the resize is to confirm itself.
    #[serde(default)]
    pub confirm: bool,
    /// When it was resized.
    pub at: Timestamp,
}

/// An instance with the step its operation is at.
macro_rules! instances {
    ($($rest:literal)?) => {
        concat!(
            "SELECT i.*, o.action, o.step, CASE WHEN o.action = 'resize' THEN o.params END AS resize \
             FROM instances i LEFT JOIN operations o ON o.id = i.operation",
            $(" ", $rest)?
        )
    };
}
pub(crate) use instances;

/// Where the instance of a row stands.
pub(crate) fn read_standing(row: &AnyRow, operation: Option<OperationId>) -> Result<Standing, StoreError> {
    match (operation, row.maybe_parsed("stable")?) {
        (Some(_), from) => Ok(Standing::Moving {
            from,
            position: read_position(row)?,
        }),
        (None, Some(stable)) => Ok(Standing::Resting(stable)),
        (None, None) => Err(StoreError::corrupt(
            "instances",
            "one has neither a state nor an operation",
        )),
    }
}

impl InstanceRecord {
    /// An event about it.
    pub(crate) fn event(&self, kind: &'static str) -> NewEvent {
        NewEvent::about(kind, &self.project, &self.id, &self.name)
    }

    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let operation: Option<OperationId> = row.maybe_parsed("operation")?;
        let standing = read_standing(row, operation)?;
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            name: row.parsed("name")?,
            revision: row.number("revision")?,
            standing,
            operation,
            instance_type: row.json("instance_type")?,
            resized_from: row.maybe_json("before_resize")?,
            resizing_to: row.maybe_json("resize")?.as_ref().map(new_type).transpose()?,
            image: row.parsed("image")?,
            key: row.maybe_json("key_pair")?,
            policy: row.maybe_json("policy")?.unwrap_or_default(),
            fault: row.maybe_json("fault")?,
            degraded: row.maybe_text("degraded")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

impl InstanceRecord {
    /// The vCPUs and the memory that its project is charged for.
    pub(crate) fn capacity(&self) -> Capacity {
        let resize = |position: Position| position.action() == Action::Resize;
        let to = match self.standing {
            Standing::Moving { position, .. } if resize(position) => self.resizing_to.as_ref(),
            _ => self.resized_from.as_ref().map(|from| &from.instance_type),
        };
        Capacity::charged(self.standing, &self.instance_type, to)
    }
}

impl Store {
    /// An instance.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        self.one(
            sql(instances!("WHERE i.id = $1")).bind(id.to_string()),
            InstanceRecord::read,
        )
        .await
    }

    /// The instance of a project with that name or id.
    pub async fn find_instance(&self, project: &str, reference: &str) -> Result<InstanceRecord, StoreError> {
        let query = sql(instances!("WHERE i.project = $1 AND (i.id = $2 OR i.name = $2)"));
        let query = query.bind(project).bind(canonical::<InstanceId>(reference));
        let found = self.one(query, InstanceRecord::read).await?;
        found.ok_or_else(|| StoreError::not_found("instance", reference))
    }

    /// A page of all instances, in the order of their ids.
    pub async fn every_instance(&self, page: Page<InstanceId>) -> Result<Vec<InstanceRecord>, StoreError> {
        let query = sql(instances!("WHERE i.id > $1 ORDER BY i.id LIMIT $2"))
            .bind(page.after())
            .bind(i64::from(page.limit));
        self.list(query, InstanceRecord::read).await
    }

    /// How many instances there are.
    pub async fn count_instances(&self) -> Result<u64, StoreError> {
        let count = self
            .one(sql("SELECT COUNT(*) AS amount FROM instances"), |row| {
                row.number("amount")
            })
            .await?;
        Ok(count.unwrap_or_default())
    }

    /// The user data of an instance; kept out of the record, and so out of lists.
    pub async fn user_data(&self, id: InstanceId) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sql("SELECT content FROM user_data WHERE instance = $1").bind(id.to_string());
        let read = |row: &AnyRow| {
            row.try_get("content")
                .map_err(|error| StoreError::corrupt("user_data", &error))
        };
        self.one(query, read).await
    }
}

/// A name or id as the columns have it: an id may be written in several ways. A name can't look like an id.
pub(crate) fn canonical<Id: std::str::FromStr + ToString>(reference: &str) -> String {
    reference
        .parse::<Id>()
        .map_or_else(|_| reference.to_owned(), |id| id.to_string())
}
