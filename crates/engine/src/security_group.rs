//! Security groups: rules that reach every port in milliseconds; what they allow no more ends at once.

use berth_model::{Name, Rule, RuleId, SecurityGroupId, VpcId};
use berth_store::{GroupRecord, Page, PortFilter, StoreError, VpcRecord};

use crate::instance::to_its_end;
use crate::network::Change;
use crate::{Engine, EngineError, network};

/// A security group with what is told of it.
#[derive(Debug, Clone)]
pub struct GroupDetail {
    /// The group.
    pub group: GroupRecord,
    /// Its VPC, with all groups that its rules may name.
    pub vpc: VpcRecord,
    /// How many ports are in it.
    pub ports: u64,
}

/// How many ports are read at a time to be counted.
const COUNTED: u32 = 500;

impl Engine {
    /// The group of that name or id, or `VPC/NAME`; of `vpc`, if that is said. `default` alone is the default VPC's.
    pub async fn find_group(
        &self,
        project: &str,
        reference: &str,
        vpc: Option<VpcId>,
    ) -> Result<GroupRecord, EngineError> {
        // A project has that one without asking.
        if reference == network::DEFAULT && vpc.is_none() {
            let default = network::default_vpc(&self.world, project).await?;
            let own = default.default_group().cloned();
            return own.ok_or_else(|| EngineError::Internal("a VPC without its default group".to_owned()));
        }
        Ok(self.world.store.find_group(project, reference, vpc).await?)
    }

    /// The groups of those names or ids, of that VPC.
    pub(crate) async fn groups_of(
        &self,
        project: &str,
        references: &[String],
        vpc: VpcId,
    ) -> Result<Vec<SecurityGroupId>, EngineError> {
        let mut found = Vec::with_capacity(references.len());
        for reference in references {
            let group = self.find_group(project, reference, Some(vpc)).await?;
            if group.vpc != vpc {
                let message = format!("'{reference}' is of another VPC than the port");
                return Err(EngineError::invalid("security_groups", message));
            }
            found.push(group.id);
        }
        Ok(found)
    }

    /// A page of a project's groups, of one VPC or of all.
    pub async fn list_groups(
        &self,
        project: &str,
        vpc: Option<VpcId>,
        page: Page<SecurityGroupId>,
    ) -> Result<Vec<GroupDetail>, EngineError> {
        network::default_vpc(&self.world, project).await?;
        let mut details = Vec::new();
        for group in self.world.store.groups(project, vpc, page).await? {
            details.push(self.describe_group(group).await?);
        }
        Ok(details)
    }

    /// A group with what is told of it.
    pub async fn describe_group(&self, group: GroupRecord) -> Result<GroupDetail, EngineError> {
        let store = &self.world.store;
        let vpc = store.vpc(group.vpc).await?;
        let vpc = vpc.ok_or_else(|| StoreError::NotFound {
            what: "VPC",
            reference: group.vpc.to_string(),
        })?;
        let filter = PortFilter {
            vpc: Some(vpc.id),
            ..PortFilter::default()
        };
        let (mut ports, mut after) = (0, None);
        loop {
            let page = store
                .ports(&group.project, filter, Page { limit: COUNTED, after })
                .await?;
            ports += page.iter().filter(|port| port.groups.contains(&group.id)).count() as u64;
            match page.last() {
                Some(last) => after = Some(last.id),
                None => return Ok(GroupDetail { group, vpc, ports }),
            }
        }
    }

    /// Makes a group, with one rule: everything out.
    pub async fn create_group(
        &self,
        project: &str,
        vpc: Option<&str>,
        (name, description): (Name, String),
    ) -> Result<GroupRecord, EngineError> {
        let vpc = self.find_vpc(project, vpc).await?.id;
        let engine = self.clone();
        to_its_end(async move {
            let group = engine.world.store.create_group(vpc, name, description).await?;
            engine.in_force(vpc, Change::Group(group.id)).await?;
            Ok(group)
        })
        .await
    }

    /// Changes the name or the description of a group.
    pub async fn change_group(
        &self,
        id: SecurityGroupId,
        name: Option<Name>,
        description: Option<String>,
    ) -> Result<GroupRecord, EngineError> {
        Ok(self.world.store.change_group(id, name, description).await?)
    }

    /// Adds a rule to a group. It is in force when this is done.
    pub async fn add_rule(&self, id: SecurityGroupId, rule: Rule) -> Result<(GroupRecord, RuleId), EngineError> {
        let engine = self.clone();
        to_its_end(async move {
            let (group, rule) = engine.world.store.add_rule(id, rule).await?;
            engine.in_force(group.vpc, Change::Group(id)).await?;
            Ok((group, rule))
        })
        .await
    }

    /// Takes a rule from a group. Flows that only it allowed have ended when this is done.
    pub async fn remove_rule(&self, id: SecurityGroupId, rule: RuleId) -> Result<(), EngineError> {
        let engine = self.clone();
        to_its_end(async move {
            let group = engine.world.store.remove_rule(id, rule).await?;
            engine.in_force(group.vpc, Change::Group(id)).await
        })
        .await
    }

    /// Deletes a group that no port is in and no other group's rule names.
    pub async fn delete_group(&self, id: SecurityGroupId) -> Result<(), EngineError> {
        let engine = self.clone();
        to_its_end(async move {
            let group = engine.world.store.delete_group(id).await?;
            engine.in_force(group.vpc, Change::NoGroup(group.index)).await
        })
        .await
    }
}
