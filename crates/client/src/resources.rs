//! One method a route.

use berth_api_types::{
    CatalogEntryView, ChangeLabels, CreateInstances, CreateKeyPair, Created, CreatedKeyPair, HistoryEntry, HostCheck,
    HostView, ImageListQuery, ImageSettings, ImageView, InstanceQuery, InstanceView, KeyPairView, LifecycleView,
    NamedQuery, OperationQuery, OperationView, PullImage, RebootInstance, ResizeInstance, StopInstance,
};
use berth_model::{InstanceType, Labels, OperationId};
use futures::{Stream, TryStreamExt as _};
use reqwest::{Body, Method, header};
use tokio_util::bytes::Bytes;

use crate::http::{encoded, pairs};
use crate::{Client, ClientError};

/// Instances.
impl Client {
    /// Lists instances.
    pub async fn instances(&self, query: &InstanceQuery) -> Result<Vec<InstanceView>, ClientError> {
        self.listed("/v1/instances", query).await
    }

    /// Shows an instance.
    pub async fn instance(&self, reference: &str) -> Result<InstanceView, ClientError> {
        self.get(&instance(reference, "")).await
    }

    /// Changes the labels of an instance.
    pub async fn change_instance(&self, reference: &str, change: &ChangeLabels) -> Result<InstanceView, ClientError> {
        self.json(self.request(Method::PATCH, &instance(reference, "")).json(change))
            .await
    }

    /// Asks for new instances.
    pub async fn create_instances(&self, request: &CreateInstances) -> Result<Created, ClientError> {
        self.begin(self.request(Method::POST, "/v1/instances").json(request))
            .await
    }

    /// Switches an instance on.
    pub async fn start_instance(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, &instance(reference, "/actions/start")))
            .await
    }

    /// Shuts an instance down.
    pub async fn stop_instance(&self, reference: &str, how: &StopInstance) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &instance(reference, "/actions/stop"))
                .json(how),
        )
        .await
    }

    /// Reboots an instance.
    pub async fn reboot_instance(&self, reference: &str, how: &RebootInstance) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &instance(reference, "/actions/reboot"))
                .json(how),
        )
        .await
    }

    /// Changes an instance's type.
    pub async fn resize_instance(&self, reference: &str, how: &ResizeInstance) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &instance(reference, "/actions/resize"))
                .json(how),
        )
        .await
    }

    /// Keeps the new type of a resized instance.
    pub async fn confirm_resize(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, &instance(reference, "/actions/confirm_resize")))
            .await
    }

    /// Goes back to the old type of a resized instance.
    pub async fn revert_resize(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, &instance(reference, "/actions/revert_resize")))
            .await
    }

    /// Saves an instance as an image and gives back all that it holds of the host.
    pub async fn shelve_instance(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, &instance(reference, "/actions/shelve")))
            .await
    }

    /// Makes a shelved instance anew and starts it.
    pub async fn unshelve_instance(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, &instance(reference, "/actions/unshelve")))
            .await
    }

    /// Deletes an instance.
    pub async fn delete_instance(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::DELETE, &instance(reference, ""))).await
    }

    /// What happened to an instance, oldest first; one that is gone is found by its id.
    pub async fn history(&self, reference: &str) -> Result<Vec<HistoryEntry>, ClientError> {
        self.all(&instance(reference, "/history"), &[]).await
    }

    /// The states of an instance and the action table.
    pub async fn lifecycle(&self) -> Result<LifecycleView, ClientError> {
        self.get("/v1/lifecycle").await
    }

    /// What an instance wrote to its serial console: the last lines, or all that is kept.
    pub async fn console_log(&self, reference: &str, lines: Option<usize>) -> Result<Vec<u8>, ClientError> {
        let query = lines.map(|lines| format!("?lines={lines}")).unwrap_or_default();
        let response = self
            .send(self.request(Method::GET, &instance(reference, &format!("/console/log{query}"))))
            .await?;
        let bytes = response
            .bytes()
            .await
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        Ok(bytes.to_vec())
    }
}

/// Images.
impl Client {
    /// Imports an image from its bytes.
    pub async fn import_image(
        &self,
        settings: &ImageSettings,
        labels: &Labels,
        (bytes, length): (Body, Option<u64>),
    ) -> Result<ImageView, ClientError> {
        let mut path = format!("/v1/images?{}", query(settings));
        for (key, value) in labels.iter() {
            path.push_str(&format!("&label={}", encoded(&format!("{key}={value}"))));
        }
        let mut request = self
            .request(Method::POST, &path)
            .header(header::CONTENT_TYPE, "application/octet-stream");
        if self.tries(&Method::POST) {
            // Its bytes aren't looked at.
            return self.json(request).await;
        }
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        self.json(request.body(bytes)).await
    }

    /// Lists images.
    pub async fn images(&self, query: &ImageListQuery) -> Result<Vec<ImageView>, ClientError> {
        self.listed("/v1/images", query).await
    }

    /// Changes what is given of an image.
    pub async fn change_image(&self, reference: &str, settings: &ImageSettings) -> Result<ImageView, ClientError> {
        let path = format!("/v1/images/{}", encoded(reference));
        self.json(self.request(Method::PATCH, &path).json(settings)).await
    }

    /// Has the daemon fetch an image.
    pub async fn pull_image(&self, request: &PullImage) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, "/v1/images/pull").json(request))
            .await
    }

    /// The file of an image, piece by piece, and how many bytes there are if that is known.
    pub async fn export_image(
        &self,
        reference: &str,
    ) -> Result<(impl Stream<Item = std::io::Result<Bytes>> + use<>, Option<u64>), ClientError> {
        let path = format!("/v1/images/{}/file", encoded(reference));
        let response = self.send(self.request(Method::GET, &path)).await?;
        let length = response.content_length();
        Ok((response.bytes_stream().map_err(std::io::Error::other), length))
    }

    /// Shows an image.
    pub async fn image(&self, reference: &str) -> Result<ImageView, ClientError> {
        self.get(&format!("/v1/images/{}", encoded(reference))).await
    }

    /// Lists the images that are known by name.
    pub async fn catalog(&self) -> Result<Vec<CatalogEntryView>, ClientError> {
        self.get("/v1/catalog").await
    }

    /// Shows an image that is known by name.
    pub async fn catalog_entry(&self, name: &str) -> Result<CatalogEntryView, ClientError> {
        self.get(&format!("/v1/catalog/{}", encoded(name))).await
    }

    /// Deletes an image.
    pub async fn delete_image(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&format!("/v1/images/{}", encoded(reference)))
            .await
            .map(drop)
    }
}

/// Key pairs.
impl Client {
    /// Imports a public key, or has a pair made.
    pub async fn create_keypair(&self, request: &CreateKeyPair) -> Result<CreatedKeyPair, ClientError> {
        self.post("/v1/keypairs", request).await
    }

    /// Lists key pairs.
    pub async fn keypairs(&self, query: &NamedQuery) -> Result<Vec<KeyPairView>, ClientError> {
        self.listed("/v1/keypairs", query).await
    }

    /// Changes the labels of a key pair.
    pub async fn change_keypair(&self, reference: &str, change: &ChangeLabels) -> Result<KeyPairView, ClientError> {
        let path = format!("/v1/keypairs/{}", encoded(reference));
        self.json(self.request(Method::PATCH, &path).json(change)).await
    }

    /// Shows a key pair.
    pub async fn keypair(&self, reference: &str) -> Result<KeyPairView, ClientError> {
        self.get(&format!("/v1/keypairs/{}", encoded(reference))).await
    }

    /// Deletes a key pair.
    pub async fn delete_keypair(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&format!("/v1/keypairs/{}", encoded(reference)))
            .await
            .map(drop)
    }
}

/// Operations, instance types, the host.
impl Client {
    /// Lists operations.
    pub async fn operations(&self, query: &OperationQuery) -> Result<Vec<OperationView>, ClientError> {
        self.listed("/v1/operations", query).await
    }

    /// Shows an operation.
    pub async fn operation(&self, id: &str) -> Result<OperationView, ClientError> {
        self.get(&format!("/v1/operations/{}", encoded(id))).await
    }

    /// Cancels an operation in flight.
    pub async fn cancel_operation(&self, id: &str) -> Result<OperationView, ClientError> {
        let path = format!("/v1/operations/{}/actions/cancel", encoded(id));
        self.json(self.request(Method::POST, &path)).await
    }

    /// An operation once it has ended.
    pub async fn wait_operation(&self, id: OperationId) -> Result<OperationView, ClientError> {
        loop {
            let path = format!("/v1/operations/{id}/wait?timeout_seconds=60");
            let operation: OperationView = self.get(&path).await?;
            if operation.outcome.is_final() {
                return Ok(operation);
            }
        }
    }

    /// Lists the catalog of instance types.
    pub async fn types(&self) -> Result<Vec<InstanceType>, ClientError> {
        self.get("/v1/types").await
    }

    /// Shows an instance type.
    pub async fn instance_type(&self, name: &str) -> Result<InstanceType, ClientError> {
        self.get(&format!("/v1/types/{}", encoded(name))).await
    }

    /// Shows the host.
    pub async fn host(&self) -> Result<HostView, ClientError> {
        self.get("/v1/host").await
    }

    /// Compares the records with what is really there.
    pub async fn check_host(&self) -> Result<HostCheck, ClientError> {
        self.get("/v1/host/check").await
    }

    /// Compares likewise, and puts right what can be.
    pub async fn fix_host(&self) -> Result<HostCheck, ClientError> {
        self.json(self.request(Method::POST, "/v1/host/check")).await
    }
}

pub(crate) fn instance(reference: &str, rest: &str) -> String {
    format!("/v1/instances/{}{rest}", encoded(reference))
}

/// The fields of something flat as a query string; what isn't given is left out.
pub(crate) fn query(of: &impl serde::Serialize) -> String {
    let pair = |(key, value): (String, String)| format!("{key}={}", encoded(&value));
    pairs(of).into_iter().map(pair).collect::<Vec<_>>().join("&")
}
