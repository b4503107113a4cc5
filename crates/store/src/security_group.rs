//! Security groups: rules that go together, and the ports that are in them.

use std::collections::HashMap;

use berth_model::limits::RULES_MAX;
use berth_model::{
    Direction, LabelPatch, Labels, Name, PortRange, Protocol, Remote, Resource, Rule, RuleId, SecurityGroupId, VpcId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::addresses::Numbers;
use crate::event::NewEvent;
use crate::instance::canonical;
use crate::list::Select;
use crate::port::{PortRecord, used_by};
use crate::row::{Columns as _, sql, to_json};
use crate::subnet::only_one;
use crate::tx::Tx;
use crate::vpc::{self, DEFAULT};
use crate::{Store, StoreError, label};

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its id.
    pub id: SecurityGroupId,
    /// The project it belongs to.
    pub project: String,
    /// Its VPC: only ports of it can be in the group.
    pub vpc: VpcId,
    /// Its name, unique in its VPC.
    pub name: Name,
    /// A small number that no other group of the VPC has, from 1.
    pub index: u32,
    /// What it is for.
    pub description: String,
    /// Whether it is the one that ports are in if they are told no other.
    pub default: bool,
    /// What it lets through, oldest first.
    pub rules: Vec<RuleRecord>,
    /// When it was made; kept to the microsecond.
    pub created_at: Timestamp,
}

/// A rule of a security group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// Its id.
    pub id: RuleId,
    /// What it allows.
    #[serde(flatten)]
    pub rule: Rule,
}

/// The group of a VPC that has a name.
const TAKEN: &str = "SELECT id FROM security_groups WHERE vpc = $1 AND name = $2";

impl GroupRecord {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            project: row.text("project")?,
            vpc: row.parsed("vpc")?,
            name: row.parsed("name")?,
            index: row.number("number")?,
            description: row.text("description")?,
            default: row.flag("is_default")?,
            rules: row.json("rules")?,
            created_at: row.time("created_at")?,
        })
    }

    /// How many rules it has, as counters have it.
    pub(crate) fn amount_of_rules(&self) -> i64 {
        i64::try_from(self.rules.len()).unwrap_or(i64::MAX)
    }
}

/// Makes the default group of a VPC: everything out, and in whatever comes from the group itself.
pub(crate) async fn insert_default(tx: &mut Tx, project: &str, vpc: VpcId) -> Result<SecurityGroupId, StoreError> {
    let id = SecurityGroupId::new();
    let any = |direction, remote| RuleRecord {
        id: RuleId::new(),
        rule: Rule {
            direction,
            protocol: Protocol::Any,
            ports: None::<PortRange>,
            remote,
        },
    };
    let group = GroupRecord {
        id,
        project: project.to_owned(),
        vpc,
        name: DEFAULT.parse().map_err(|error| StoreError::corrupt("name", &error))?,
        index: 1,
        description: "all out, and in from the group itself".to_owned(),
        default: true,
        rules: vec![
            any(Direction::Egress, Remote::ANYWHERE),
            any(Direction::Ingress, Remote::Group(id)),
        ],
        created_at: tx.at,
    };
    insert(tx, &group).await?;
    Ok(id)
}

async fn insert(tx: &mut Tx, group: &GroupRecord) -> Result<(), StoreError> {
    let insert = sql(
        "INSERT INTO security_groups (id, project, vpc, name, number, description, is_default, rules, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(group.id.to_string())
    .bind(group.project.clone())
    .bind(group.vpc.to_string())
    .bind(group.name.to_string())
    .bind(i64::from(group.index))
    .bind(group.description.clone())
    .bind(i64::from(group.default))
    .bind(to_json(&group.rules)?)
    .bind(group.created_at.as_microsecond());
    tx.run(insert).await?;
    tx.charge(&group.project, Resource::SecurityGroups, 1);
    tx.charge(&group.project, Resource::SecurityGroupRules, group.amount_of_rules());
    tx.event(NewEvent::about(
        "security_group.created",
        &group.project,
        &group.id,
        &group.name,
    ))
    .await
}

async fn update(tx: &mut Tx, group: &GroupRecord) -> Result<(), StoreError> {
    let update = sql("UPDATE security_groups SET name = $1, description = $2, rules = $3 WHERE id = $4")
        .bind(group.name.to_string())
        .bind(group.description.clone())
        .bind(to_json(&group.rules)?)
        .bind(group.id.to_string());
    tx.run(update).await?;
    tx.event(NewEvent::about(
        "security_group.changed",
        &group.project,
        &group.id,
        &group.name,
    ))
    .await
}

async fn remove(tx: &mut Tx, group: &GroupRecord) -> Result<(), StoreError> {
    let delete = sql("DELETE FROM security_groups WHERE id = $1").bind(group.id.to_string());
    tx.run(delete).await?;
    label::remove(tx, &group.id).await?;
    tx.free(&group.project, Resource::SecurityGroups, 1);
    tx.free(&group.project, Resource::SecurityGroupRules, group.amount_of_rules());
    Ok(())
}

/// Forgets the groups of a VPC that is deleted.
pub(crate) async fn remove_all(tx: &mut Tx, vpc: VpcId) -> Result<(), StoreError> {
    for group in of_vpc(tx, vpc).await? {
        remove(tx, &group).await?;
    }
    Ok(())
}

async fn load(tx: &mut Tx, id: SecurityGroupId) -> Result<GroupRecord, StoreError> {
    let query = sql("SELECT * FROM security_groups WHERE id = $1").bind(id.to_string());
    let row = tx.optional(query).await?;
    GroupRecord::read(&row.ok_or_else(|| StoreError::not_found("security group", &id))?)
}

/// The groups of a VPC, within a transaction.
pub(crate) async fn of_vpc(tx: &mut Tx, vpc: VpcId) -> Result<Vec<GroupRecord>, StoreError> {
    let query = sql("SELECT * FROM security_groups WHERE vpc = $1 ORDER BY number").bind(vpc.to_string());
    tx.all(query).await?.iter().map(GroupRecord::read).collect()
}

impl Store {
    /// Makes a security group with one rule: everything out.
    pub async fn create_group(
        &self,
        vpc: VpcId,
        (name, description): (Name, String),
        labels: &Labels,
    ) -> Result<GroupRecord, StoreError> {
        let mut tx = self.begin().await?;
        let project = vpc::load(&mut tx, vpc).await?.project;
        tx.check_name("security group", TAKEN, (&vpc, &name)).await?;
        let numbers = sql("SELECT number FROM security_groups WHERE vpc = $1").bind(vpc.to_string());
        let out = Rule {
            direction: Direction::Egress,
            protocol: Protocol::Any,
            ports: None,
            remote: Remote::ANYWHERE,
        };
        let group = GroupRecord {
            id: SecurityGroupId::new(),
            project,
            vpc,
            name,
            index: Numbers::of(&tx.all(numbers).await?)?.take()?,
            description,
            default: false,
            rules: vec![RuleRecord {
                id: RuleId::new(),
                rule: out,
            }],
            created_at: tx.at,
        };
        insert(&mut tx, &group).await?;
        label::write(&mut tx, &group.project, &group.id, labels).await?;
        tx.commit().await?;
        Ok(group)
    }

    /// Changes the name, the description or the labels of a group. [`StoreError::DefaultGroup`] for the name of a default group.
    pub async fn change_group(
        &self,
        id: SecurityGroupId,
        name: Option<Name>,
        description: Option<String>,
        labels: &LabelPatch,
    ) -> Result<GroupRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut group = load(&mut tx, id).await?;
        if let Some(name) = name.filter(|name| *name != group.name) {
            if group.default {
                return Err(StoreError::DefaultGroup { what: "renamed" });
            }
            tx.check_name("security group", TAKEN, (&group.vpc, &name)).await?;
            group.name = name;
        }
        group.description = description.unwrap_or(group.description);
        label::change(&mut tx, &group.project, &id, labels).await?;
        update(&mut tx, &group).await?;
        tx.commit().await?;
        Ok(group)
    }

    /// Adds a rule to a group.
    ///
    /// Errors: [`StoreError::Rule`] if it makes no sense, [`StoreError::AlreadyExists`] if the group has it,
    /// [`StoreError::NotFound`] if the group it names isn't of the same VPC, [`StoreError::TooMany`].
    pub async fn add_rule(&self, id: SecurityGroupId, rule: Rule) -> Result<(GroupRecord, RuleId), StoreError> {
        rule.check()?;
        let mut tx = self.begin().await?;
        let mut group = load(&mut tx, id).await?;
        if let Remote::Group(other) = rule.remote {
            let found = load(&mut tx, other).await?;
            if found.vpc != group.vpc {
                return Err(StoreError::not_found("security group of that VPC", &found.name));
            }
        }
        if let Some(same) = group.rules.iter().find(|known| known.rule == rule) {
            return Err(StoreError::AlreadyExists {
                what: "rule",
                name: same.id.to_string(),
            });
        }
        if group.rules.len() >= RULES_MAX as usize {
            return Err(StoreError::TooMany {
                what: "rules in a security group",
                most: RULES_MAX,
            });
        }
        let new = RuleId::new();
        group.rules.push(RuleRecord { id: new, rule });
        tx.charge(&group.project, Resource::SecurityGroupRules, 1);
        update(&mut tx, &group).await?;
        tx.commit().await?;
        Ok((group, new))
    }

    /// Takes a rule from a group.
    pub async fn remove_rule(&self, id: SecurityGroupId, rule: RuleId) -> Result<GroupRecord, StoreError> {
        let mut tx = self.begin().await?;
        let mut group = load(&mut tx, id).await?;
        let before = group.rules.len();
        group.rules.retain(|known| known.id != rule);
        if group.rules.len() == before {
            return Err(StoreError::not_found("rule", &rule));
        }
        tx.free(&group.project, Resource::SecurityGroupRules, 1);
        update(&mut tx, &group).await?;
        tx.commit().await?;
        Ok(group)
    }

    /// How many ports of these VPCs are in each group; none is mentioned that none is in.
    pub async fn ports_per_group(&self, vpcs: &[VpcId]) -> Result<HashMap<SecurityGroupId, u64>, StoreError> {
        let select = Select::from("SELECT t.security_groups FROM ports t").one_of("t.vpc", vpcs);
        let read = |row: &AnyRow| row.json::<Vec<SecurityGroupId>>("security_groups");
        let mut count = HashMap::new();
        for group in self.list(select.all(), read).await?.into_iter().flatten() {
            *count.entry(group).or_default() += 1;
        }
        Ok(count)
    }

    /// Forgets a group. [`StoreError::InUse`] if a port is in it or another group's rule names it,
    /// [`StoreError::DefaultGroup`].
    pub async fn delete_group(&self, id: SecurityGroupId) -> Result<GroupRecord, StoreError> {
        let mut tx = self.begin().await?;
        let group = load(&mut tx, id).await?;
        if group.default {
            return Err(StoreError::DefaultGroup { what: "deleted" });
        }
        if let Some(by) = user_of(&mut tx, &group).await? {
            return Err(StoreError::InUse {
                what: "security group",
                by,
            });
        }
        remove(&mut tx, &group).await?;
        tx.event(NewEvent::about(
            "security_group.deleted",
            &group.project,
            &id,
            &group.name,
        ))
        .await?;
        tx.commit().await?;
        Ok(group)
    }

    /// The group of a project by its id, its name, or `VPC/NAME`; as [`Store::find_subnet`] has it.
    pub async fn find_group(
        &self,
        project: &str,
        reference: &str,
        vpc: Option<VpcId>,
    ) -> Result<GroupRecord, StoreError> {
        let (of, name) = self.split_reference(project, reference, vpc).await?;
        let query = sql(
            "SELECT * FROM security_groups WHERE project = $1 AND (id = $2 OR name = $2) \
                         AND ($3 = '' OR vpc = $3) LIMIT 2",
        )
        .bind(project.to_owned())
        .bind(canonical::<SecurityGroupId>(name))
        .bind(of.map(|id| id.to_string()).unwrap_or_default());
        let found = self.list(query, GroupRecord::read).await?;
        only_one("security group", reference, found)
    }
}

/// What needs a group: a port that is in it, or another group that names it.
async fn user_of(tx: &mut Tx, group: &GroupRecord) -> Result<Option<String>, StoreError> {
    let ports = sql(
        "SELECT p.*, i.name AS instance_name FROM ports p LEFT JOIN instances i ON i.id = p.instance \
                     WHERE p.vpc = $1 ORDER BY p.id",
    );
    for row in tx.all(ports.bind(group.vpc.to_string())).await? {
        if PortRecord::read(&row)?.groups.contains(&group.id) {
            return used_by(&row).map(Some);
        }
    }
    let names = |other: &GroupRecord| {
        let mut rules = other.rules.iter();
        other.id != group.id && rules.any(|known| known.rule.remote == Remote::Group(group.id))
    };
    let others = of_vpc(tx, group.vpc).await?;
    let by = others.iter().find(|other| names(other));
    Ok(by.map(|other| format!("a rule of security group '{}'", other.name)))
}
