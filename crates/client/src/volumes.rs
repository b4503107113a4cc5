//! Volumes and snapshots: one method a route.

use berth_api_types::{
    AttachVolume, ChangeVolume, CreateSnapshot, CreateVolume, DetachVolume, ExtendVolume, OperationView, SaveVolume,
    SnapshotInstance, SnapshotView, VolumeTypeView, VolumeView,
};
use reqwest::Method;

use crate::http::encoded;
use crate::resources::instance;
use crate::{Client, ClientError};

/// Volumes.
impl Client {
    /// Lists all volumes, the root volumes of instances too.
    pub async fn volumes(&self) -> Result<Vec<VolumeView>, ClientError> {
        self.all("/v1/volumes", &[]).await
    }

    /// Shows a volume.
    pub async fn volume(&self, reference: &str) -> Result<VolumeView, ClientError> {
        self.get(&volume(reference, "")).await
    }

    /// Asks for a new volume.
    pub async fn create_volume(&self, request: &CreateVolume) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, "/v1/volumes").json(request))
            .await
    }

    /// Gives a volume another name, or says whether it goes with its instance.
    pub async fn change_volume(&self, reference: &str, change: &ChangeVolume) -> Result<VolumeView, ClientError> {
        self.json(self.request(Method::PATCH, &volume(reference, "")).json(change))
            .await
    }

    /// Attaches a volume to an instance.
    pub async fn attach_volume(&self, reference: &str, how: &AttachVolume) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &volume(reference, "/actions/attach"))
                .json(how),
        )
        .await
    }

    /// Detaches a volume from its instance.
    pub async fn detach_volume(&self, reference: &str, how: &DetachVolume) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &volume(reference, "/actions/detach"))
                .json(how),
        )
        .await
    }

    /// Makes a volume larger.
    pub async fn extend_volume(&self, reference: &str, how: &ExtendVolume) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &volume(reference, "/actions/extend"))
                .json(how),
        )
        .await
    }

    /// Saves a volume as an image.
    pub async fn save_volume(&self, reference: &str, how: &SaveVolume) -> Result<OperationView, ClientError> {
        self.begin(
            self.request(Method::POST, &volume(reference, "/actions/save_as_image"))
                .json(how),
        )
        .await
    }

    /// Deletes a volume.
    pub async fn delete_volume(&self, reference: &str) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::DELETE, &volume(reference, ""))).await
    }

    /// Lists the catalog of volume types.
    pub async fn volume_types(&self) -> Result<Vec<VolumeTypeView>, ClientError> {
        self.get("/v1/volume-types").await
    }
}

/// Snapshots.
impl Client {
    /// Lists all snapshots, or those of one volume.
    pub async fn snapshots(&self, volume: Option<&str>) -> Result<Vec<SnapshotView>, ClientError> {
        let query: Vec<_> = volume.map(|reference| ("volume", reference)).into_iter().collect();
        self.all("/v1/snapshots", &query).await
    }

    /// Shows a snapshot.
    pub async fn snapshot(&self, reference: &str) -> Result<SnapshotView, ClientError> {
        self.get(&snapshot(reference)).await
    }

    /// Takes a snapshot of a volume.
    pub async fn create_snapshot(&self, request: &CreateSnapshot) -> Result<OperationView, ClientError> {
        self.begin(self.request(Method::POST, "/v1/snapshots").json(request))
            .await
    }

    /// Takes snapshots of all volumes of an instance at one instant.
    pub async fn snapshot_instance(
        &self,
        reference: &str,
        request: &SnapshotInstance,
    ) -> Result<OperationView, ClientError> {
        let path = instance(reference, "/snapshots");
        self.begin(self.request(Method::POST, &path).json(request)).await
    }

    /// Deletes a snapshot.
    pub async fn delete_snapshot(&self, reference: &str) -> Result<(), ClientError> {
        self.delete(&snapshot(reference)).await.map(drop)
    }
}

fn volume(reference: &str, rest: &str) -> String {
    format!("/v1/volumes/{}{rest}", encoded(reference))
}

fn snapshot(reference: &str) -> String {
    format!("/v1/snapshots/{}", encoded(reference))
}
