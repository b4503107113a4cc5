//! Volumes and snapshots: one method a route.

use berth_api_types::{
    AttachVolume, ChangeLabels, ChangeVolume, CreateSnapshot, CreateVolume, DetachVolume, ExtendVolume, OperationView,
    SaveVolume, SnapshotInstance, SnapshotQuery, SnapshotView, VolumeQuery, VolumeTypeView, VolumeView,
};
use reqwest::Method;

use crate::http::encoded;
use crate::resources::instance;
use crate::{Client, ClientError};

/// Volumes.
impl Client {
    /// Lists volumes, the root volumes of instances too.
    pub async fn volumes(&self, query: &VolumeQuery) -> Result<Vec<VolumeView>, ClientError> {
        self.listed("/v1/volumes", query).await
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

    /// Changes what is given of a volume.
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
    /// Lists snapshots.
    pub async fn snapshots(&self, query: &SnapshotQuery) -> Result<Vec<SnapshotView>, ClientError> {
        self.listed("/v1/snapshots", query).await
    }

    /// Changes the labels of a snapshot.
    pub async fn change_snapshot(&self, reference: &str, change: &ChangeLabels) -> Result<SnapshotView, ClientError> {
        self.json(self.request(Method::PATCH, &snapshot(reference)).json(change))
            .await
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
