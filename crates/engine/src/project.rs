//! Projects and their members.

use berth_model::{LabelPatch, Labels, Name, Role, User};
use berth_store::{DEFAULT_PROJECT, Dry, ListBy, Listed, MemberRecord, Page, ProjectRecord, StoreError, VpcRecord};

use crate::{Engine, EngineError, network};

impl Engine {
    /// Makes a project.
    pub async fn create_project(
        &self,
        name: &Name,
        description: &str,
        labels: &Labels,
    ) -> Result<ProjectRecord, EngineError> {
        Ok(self.world.store.create_project(name, description, labels).await?)
    }

    /// Says anew what a project is for, and changes its labels: what is given.
    pub async fn change_project(
        &self,
        name: &str,
        description: Option<&str>,
        labels: &LabelPatch,
    ) -> Result<ProjectRecord, EngineError> {
        Ok(self.world.store.change_project(name, description, labels).await?)
    }

    /// A project.
    pub async fn find_project(&self, name: &str) -> Result<ProjectRecord, EngineError> {
        let found = self.world.store.project(name).await?;
        Ok(found.ok_or_else(|| not_found(name))?)
    }

    /// A page of all projects, or of those that a user is a member of; of one alone, if that is said.
    pub async fn list_projects(
        &self,
        member: Option<&User>,
        only: Option<&str>,
        by: &ListBy,
    ) -> Result<Listed<ProjectRecord>, EngineError> {
        Ok(self.world.store.list_projects(member, only, by).await?)
    }

    /// Deletes a project that has nothing but its default network, which goes with it. The one that everything belongs
    /// to by default stays.
    pub async fn delete_project(&self, name: &str) -> Result<(), EngineError> {
        if name == DEFAULT_PROJECT {
            let message = "the default project stays: requests that name no project are about it";
            return Err(EngineError::invalid("project", message));
        }
        self.find_project(name).await?;
        if let Some(vpc) = self.world.store.default_network(name).await? {
            let alone = vpc
                .subnets
                .iter()
                .all(|subnet| subnet.name.as_str() == network::DEFAULT);
            let ports = self.world.store.ports_of_vpc(vpc.id).await?;
            if alone && ports.is_empty() {
                self.delete_default_network(&vpc).await?;
            }
        }
        Ok(self.world.store.delete_project(name).await?)
    }

    async fn delete_default_network(&self, vpc: &VpcRecord) -> Result<(), EngineError> {
        if Dry::is_on() {
            // Whether the project may go shows when its network is gone, so that is tried as a part.
            let store = &self.world.store;
            for subnet in &vpc.subnets {
                Dry::part(store.delete_subnet(subnet.id)).await?;
            }
            return Ok(Dry::part(store.delete_vpc(vpc.id)).await?);
        }
        for subnet in &vpc.subnets {
            self.delete_subnet(subnet).await?;
        }
        self.delete_vpc(vpc.id).await
    }

    /// What a user is in a project.
    pub async fn role_of(&self, project: &str, user: &User) -> Result<Option<Role>, EngineError> {
        Ok(self.world.store.role_of(project, user).await?)
    }

    /// What a user is, and where.
    pub async fn memberships(&self, user: &User) -> Result<Vec<MemberRecord>, EngineError> {
        Ok(self.world.store.memberships(user).await?)
    }

    /// A page of the members of a project.
    pub async fn list_members(&self, project: &str, page: Page<User>) -> Result<Vec<MemberRecord>, EngineError> {
        Ok(self.world.store.members(project, page).await?)
    }

    /// Makes a user a member of a project, or gives a member another role.
    pub async fn set_member(&self, project: &str, user: &User, role: Role) -> Result<MemberRecord, EngineError> {
        Ok(self.world.store.set_member(project, user, role).await?)
    }

    /// Takes a member from a project.
    pub async fn remove_member(&self, project: &str, user: &User) -> Result<(), EngineError> {
        Ok(self.world.store.remove_member(project, user).await?)
    }
}

fn not_found(name: &str) -> StoreError {
    StoreError::NotFound {
        what: "project",
        reference: name.to_owned(),
    }
}
