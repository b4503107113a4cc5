//! Quotas: one method a route.

use berth_api_types::{ChangeQuota, QuotaView};
use reqwest::Method;

use crate::http::encoded;
use crate::{Client, ClientError};

impl Client {
    /// Shows the quotas of a project with what it uses.
    pub async fn quota(&self, project: &str) -> Result<QuotaView, ClientError> {
        self.get(&path(project)).await
    }

    /// Changes limits of a project.
    pub async fn change_quota(&self, project: &str, change: &ChangeQuota) -> Result<QuotaView, ClientError> {
        self.json(self.request(Method::PATCH, &path(project)).json(change))
            .await
    }
}

fn path(project: &str) -> String {
    format!("/v1/projects/{}/quota", encoded(project))
}
