//! What instances use.

use berth_api_types::StatsView;

use crate::{Client, ClientError};

impl Client {
    /// What each instance uses, at most a second old.
    pub async fn stats(&self) -> Result<StatsView, ClientError> {
        self.get("/v1/stats").await
    }
}
