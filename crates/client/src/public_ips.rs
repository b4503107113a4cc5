//! Public IPs and their pools: one method a route. All of these are done when the answer is there.

use berth_api_types::{
    AllocatePublicIp, AttachPublicIp, ChangeLabels, GivePublicIp, PublicIpPoolView, PublicIpQuery, PublicIpView,
};
use reqwest::Method;

use crate::http::encoded;
use crate::networks::port;
use crate::resources::instance;
use crate::{Client, ClientError};

/// Public IPs.
impl Client {
    /// Lists public IPs of the project.
    pub async fn public_ips(&self, query: &PublicIpQuery) -> Result<Vec<PublicIpView>, ClientError> {
        self.listed("/v1/public-ips", query).await
    }

    /// Changes the labels of a public IP.
    pub async fn change_public_ip(&self, reference: &str, change: &ChangeLabels) -> Result<PublicIpView, ClientError> {
        self.json(self.request(Method::PATCH, &public_ip(reference, "")).json(change))
            .await
    }

    /// Shows a public IP, by its address or its id.
    pub async fn public_ip(&self, reference: &str) -> Result<PublicIpView, ClientError> {
        self.get(&public_ip(reference, "")).await
    }

    /// Takes a static public IP from a pool.
    pub async fn allocate_public_ip(&self, request: &AllocatePublicIp) -> Result<PublicIpView, ClientError> {
        self.post("/v1/public-ips", request).await
    }

    /// Attaches a static public IP to an instance's primary port, or to a port.
    pub async fn attach_public_ip(&self, reference: &str, how: &AttachPublicIp) -> Result<PublicIpView, ClientError> {
        self.post(&public_ip(reference, "/actions/attach"), how).await
    }

    /// Detaches a public IP from its port; an ephemeral one goes back to its pool.
    pub async fn detach_public_ip(&self, reference: &str) -> Result<PublicIpView, ClientError> {
        self.json(self.request(Method::POST, &public_ip(reference, "/actions/detach")))
            .await
    }

    /// Gives a static public IP back to its pool.
    pub async fn release_public_ip(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&public_ip(reference, "")).await.map(drop)
    }

    /// Gives an instance's primary port an ephemeral public IP.
    pub async fn give_instance_public_ip(
        &self,
        reference: &str,
        request: &GivePublicIp,
    ) -> Result<PublicIpView, ClientError> {
        self.post(&instance(reference, "/public-ip"), request).await
    }

    /// Gives a port an ephemeral public IP.
    pub async fn give_port_public_ip(
        &self,
        reference: &str,
        request: &GivePublicIp,
    ) -> Result<PublicIpView, ClientError> {
        self.post(&port(reference, "/public-ip"), request).await
    }

    /// Lists the pools that public IPs are taken from.
    pub async fn public_ip_pools(&self) -> Result<Vec<PublicIpPoolView>, ClientError> {
        self.get("/v1/public-ip-pools").await
    }
}

fn public_ip(reference: &str, rest: &str) -> String {
    format!("/v1/public-ips/{}{rest}", encoded(reference))
}
