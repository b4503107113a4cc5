//! One method a route.

use berth_api_types::{
    CatalogEntryView, CreateInstances, CreateKeyPair, Created, CreatedKeyPair, HistoryEntry, HostCheck, HostView,
    ImageSettings, ImageView, InstanceView, KeyPairView, LifecycleView, OperationView, PullImage, RebootInstance,
    ResizeInstance, StopInstance,
};
use berth_model::{InstanceType, OperationId, Visibility};
use futures::{Stream, TryStreamExt as _};
use reqwest::{Body, Method, header};
use tokio_util::bytes::Bytes;

use crate::http::encoded;
use crate::{Client, ClientError};

/// Instances.
impl Client {
    /// Lists all instances.
    pub async fn instances(&self) -> Result<Vec<InstanceView>, ClientError> {
        self.all("/v1/instances", &[]).await
    }

    /// Shows an instance.
    pub async fn instance(&self, reference: &str) -> Result<InstanceView, ClientError> {
        self.get(&instance(reference, "")).await
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
        bytes: Body,
        length: Option<u64>,
    ) -> Result<ImageView, ClientError> {
        let path = format!("/v1/images?{}", query(settings));
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

    /// Lists all images, or those that are default ones or the project's own.
    pub async fn images(&self, visibility: Option<Visibility>) -> Result<Vec<ImageView>, ClientError> {
        let word = visibility.map(|visibility| match visibility {
            Visibility::Default => "default",
            Visibility::Private => "private",
        });
        let query: Vec<_> = word.map(|word| ("visibility", word)).into_iter().collect();
        self.all("/v1/images", &query).await
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

    /// Lists all key pairs.
    pub async fn keypairs(&self) -> Result<Vec<KeyPairView>, ClientError> {
        self.all("/v1/keypairs", &[]).await
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
    /// Lists all operations, of one instance, of one volume, or of all.
    pub async fn operations(
        &self,
        instance: Option<&str>,
        volume: Option<&str>,
    ) -> Result<Vec<OperationView>, ClientError> {
        let instance = instance.map(|reference| ("instance", reference));
        let volume = volume.map(|reference| ("volume", reference));
        let query: Vec<_> = instance.into_iter().chain(volume).collect();
        self.all("/v1/operations", &query).await
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
    let fields = match serde_json::to_value(of) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let pair = |(key, value): (String, serde_json::Value)| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(format!("{key}={}", encoded(&text))),
        other => Some(format!("{key}={}", encoded(&other.to_string()))),
    };
    fields.into_iter().filter_map(pair).collect::<Vec<_>>().join("&")
}
