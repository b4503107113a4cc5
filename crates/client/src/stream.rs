//! Connections that turn into raw streams of bytes.

use berth_api_types::STREAM_PROTOCOL;
use reqwest::{Method, Upgraded, header};

use crate::resources::instance;
use crate::{Client, ClientError};

/// Bytes both ways.
pub type ByteStream = Upgraded;

impl Client {
    /// The serial console of an instance.
    pub async fn console(&self, reference: &str) -> Result<ByteStream, ClientError> {
        self.stream(&instance(reference, "/console")).await
    }

    /// A TCP connection to a port of an instance, made from within its VPC.
    pub async fn connect(&self, reference: &str, port: u16) -> Result<ByteStream, ClientError> {
        self.stream(&instance(reference, &format!("/tcp/{port}"))).await
    }

    async fn stream(&self, path: &str) -> Result<ByteStream, ClientError> {
        let request = self.request(Method::GET, path);
        let request = request
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, STREAM_PROTOCOL);
        let response = self.send(request).await?;
        response
            .upgrade()
            .await
            .map_err(|error| ClientError::Protocol(error.to_string()))
    }
}
