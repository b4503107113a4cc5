//! Security groups: rules that reach every port in milliseconds; what they allow no more ends at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use berth_model::{LabelPatch, Labels, Name, Rule, RuleId, SecurityGroupId, VpcId};
use berth_store::{GroupRecord, ListBy, Listed, StoreError, VpcRecord};

use crate::instance::to_its_end;
use crate::network::Change;
use crate::{Engine, EngineError, network};

/// A security group with what is told of it.
#[derive(Debug, Clone)]
pub struct GroupDetail {
    /// The group.
    pub group: GroupRecord,
    /// Its VPC, with all groups that its rules may name.
    pub vpc: Arc<VpcRecord>,
    /// How many ports are in it.
    pub ports: u64,
}

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
        by: &ListBy,
    ) -> Result<Listed<GroupDetail>, EngineError> {
        network::default_vpc(&self.world, project).await?;
        let mut listed = self.world.store.list_groups(project, vpc, by).await?;
        let groups = std::mem::take(&mut listed.items);
        Ok(listed.with(self.describe_groups(groups).await?))
    }

    /// A group with what is told of it.
    pub async fn describe_group(&self, group: GroupRecord) -> Result<GroupDetail, EngineError> {
        let vpc = group.vpc;
        let detail = self.describe_groups(vec![group]).await?.pop();
        Ok(detail.ok_or_else(|| StoreError::NotFound {
            what: "VPC",
            reference: vpc.to_string(),
        })?)
    }

    /// Groups with what is told of them: a few queries, however many there are. Of a VPC that was deleted meanwhile there
    /// is none.
    async fn describe_groups(&self, groups: Vec<GroupRecord>) -> Result<Vec<GroupDetail>, EngineError> {
        let store = &self.world.store;
        let ids: HashSet<VpcId> = groups.iter().map(|group| group.vpc).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let ports = store.ports_per_group(&ids).await?;
        let vpcs = store.vpcs_by_id(&ids).await?;
        let vpcs: HashMap<VpcId, Arc<VpcRecord>> = vpcs.into_iter().map(|vpc| (vpc.id, Arc::new(vpc))).collect();
        let detail = |group: GroupRecord| {
            Some(GroupDetail {
                vpc: Arc::clone(vpcs.get(&group.vpc)?),
                ports: ports.get(&group.id).copied().unwrap_or_default(),
                group,
            })
        };
        Ok(groups.into_iter().filter_map(detail).collect())
    }

    /// Makes a group, with one rule: everything out.
    pub async fn create_group(
        &self,
        project: &str,
        vpc: Option<&str>,
        named: (Name, String),
        labels: Labels,
    ) -> Result<GroupRecord, EngineError> {
        let vpc = self.find_vpc(project, vpc).await?.id;
        let engine = self.clone();
        to_its_end(async move {
            let group = engine.world.store.create_group(vpc, named, &labels).await?;
            engine.in_force(vpc, Change::Group(group.id)).await?;
            Ok(group)
        })
        .await
    }

    /// Changes the name, the description or the labels of a group.
    pub async fn change_group(
        &self,
        id: SecurityGroupId,
        name: Option<Name>,
        description: Option<String>,
        labels: &LabelPatch,
    ) -> Result<GroupRecord, EngineError> {
        Ok(self.world.store.change_group(id, name, description, labels).await?)
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
