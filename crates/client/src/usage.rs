//! Usage: the report, and whether the ledger that it is made from is whole.

use berth_api_types::{UsageQuery, UsageVerifiedView, UsageView, VerifyUsageQuery};
use reqwest::Method;

use crate::{Client, ClientError};

/// Usage.
impl Client {
    /// Reports who held what for how long, in the client's project; if it has none, in the caller's, or for an operator
    /// in all.
    pub async fn usage(&self, wanted: &UsageQuery) -> Result<UsageView, ClientError> {
        self.json(self.request(Method::GET, "/v1/usage").query(wanted)).await
    }

    /// Has the ledger followed from its first entry to its last.
    pub async fn verify_usage(&self, wanted: &VerifyUsageQuery) -> Result<UsageVerifiedView, ClientError> {
        self.json(self.request(Method::GET, "/v1/usage/verify").query(wanted))
            .await
    }
}
