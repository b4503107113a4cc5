//! Projects, members, tokens, and who one is: one method a route.

use berth_api_types::{
    AuditEntryView, AuditQuery, ChangeProject, CreateProject, CreateToken, CreatedToken, MemberView, NamedQuery, Page,
    ProjectView, SetMember, TokenView, WhoAmI,
};
use reqwest::Method;

use crate::http::encoded;
use crate::resources::query as fields;
use crate::{Client, ClientError};

/// Projects and their members.
impl Client {
    /// Lists the projects that one is in; for the operator all.
    pub async fn projects(&self, query: &NamedQuery) -> Result<Vec<ProjectView>, ClientError> {
        self.listed("/v1/projects", query).await
    }

    /// Shows a project.
    pub async fn project(&self, name: &str) -> Result<ProjectView, ClientError> {
        self.get(&project(name, "")).await
    }

    /// Makes a project.
    pub async fn create_project(&self, request: &CreateProject) -> Result<ProjectView, ClientError> {
        self.post("/v1/projects", request).await
    }

    /// Changes what is given of a project.
    pub async fn change_project(&self, name: &str, change: &ChangeProject) -> Result<ProjectView, ClientError> {
        self.json(self.request(Method::PATCH, &project(name, "")).json(change))
            .await
    }

    /// Deletes a project that has nothing left.
    pub async fn delete_project(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&project(name, "")).await.map(drop)
    }

    /// Lists the members of a project.
    pub async fn members(&self, of: &str) -> Result<Vec<MemberView>, ClientError> {
        self.all(&project(of, "/members"), &[]).await
    }

    /// Makes a user a member of a project, or gives a member another role.
    pub async fn set_member(&self, of: &str, user: &str, role: &SetMember) -> Result<MemberView, ClientError> {
        self.json(self.request(Method::PUT, &member(of, user)).json(role)).await
    }

    /// Takes a member from a project.
    pub async fn remove_member(&self, of: &str, user: &str) -> Result<(), ClientError> {
        self.delete(&member(of, user)).await.map(drop)
    }
}

/// Tokens, and who one is.
impl Client {
    /// Lists one's tokens; for the operator everybody's.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, ClientError> {
        self.all("/v1/tokens", &[]).await
    }

    /// Shows what is kept of a token.
    pub async fn token(&self, reference: &str) -> Result<TokenView, ClientError> {
        self.get(&token(reference)).await
    }

    /// Makes a token, which the answer shows this once.
    pub async fn create_token(&self, request: &CreateToken) -> Result<CreatedToken, ClientError> {
        self.post("/v1/tokens", request).await
    }

    /// Makes a token worth nothing from now on.
    pub async fn revoke_token(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&token(reference)).await.map(drop)
    }

    /// A page of the audit log, the newest entry first.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntryView>, ClientError> {
        let page: Page<AuditEntryView> = self
            .json(self.request(Method::GET, &format!("/v1/audit?{}", fields(query))))
            .await?;
        Ok(page.items)
    }

    /// Tells who one is, how that is known, and what one may.
    pub async fn whoami(&self) -> Result<WhoAmI, ClientError> {
        self.get("/v1/whoami").await
    }
}

fn project(name: &str, rest: &str) -> String {
    format!("/v1/projects/{}{rest}", encoded(name))
}

fn member(of: &str, user: &str) -> String {
    project(of, &format!("/members/{}", encoded(user)))
}

fn token(reference: &str) -> String {
    format!("/v1/tokens/{}", encoded(reference))
}
