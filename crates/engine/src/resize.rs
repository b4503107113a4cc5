//! Resize, shelve and their ways back: admission of what is asked.

use berth_model::{Action, Gib, ImageId, InstanceId, InstanceType, LayerId, Misfit};
use berth_store::{InstanceRecord, OperationRecord, ROOT_LAYER, Requester, SHELF_IMAGE};
use serde_json::json;

use crate::{Engine, EngineError};

impl Engine {
    /// Changes an instance's type; with `confirm` it confirms itself once the guest runs on the new one.
    pub async fn resize_instance(
        &self,
        instance: &InstanceRecord,
        to: &str,
        confirm: bool,
        by: &Requester,
    ) -> Result<OperationRecord, EngineError> {
        let wanted = self.find_type(to)?;
        if wanted.name == instance.instance_type.name {
            return Err(EngineError::invalid(
                "type",
                format!("the instance is of type {to} already"),
            ));
        }
        let nics = self.world.store.ports_of_instance(instance.id).await?.len();
        if nics > wanted.nics as usize {
            let message = format!(
                "{to} may have {} NICs, and the instance has {nics}: detach some first",
                wanted.nics
            );
            return Err(EngineError::invalid("type", message));
        }
        let root_size = self.root_size(instance, to, wanted.storage).await?;
        self.check_image(instance, &wanted, root_size).await?;
        let params = json!({ "instance_type": wanted, "confirm": confirm, "root_size": root_size });
        self.act(instance.id, Action::Resize, params, by).await
    }

    /// Keeps the new type.
    pub async fn confirm_resize(&self, id: InstanceId, by: &Requester) -> Result<OperationRecord, EngineError> {
        self.act(id, Action::ConfirmResize, json!({}), by).await
    }

    /// Goes back to the old type.
    pub async fn revert_resize(&self, id: InstanceId, by: &Requester) -> Result<OperationRecord, EngineError> {
        self.act(id, Action::RevertResize, json!({}), by).await
    }

    /// Saves an instance as an image and gives back all that it holds of the host.
    pub async fn shelve_instance(&self, id: InstanceId, by: &Requester) -> Result<OperationRecord, EngineError> {
        // Chosen and written down before anything is made of it.
        let params = json!({ SHELF_IMAGE: ImageId::new() });
        self.act(id, Action::Shelve, params, by).await
    }

    /// Makes a shelved instance anew and starts it.
    pub async fn unshelve_instance(&self, id: InstanceId, by: &Requester) -> Result<OperationRecord, EngineError> {
        let params = json!({ ROOT_LAYER: LayerId::new() });
        self.act(id, Action::Unshelve, params, by).await
    }

    /// Refuses a type that the instance's image doesn't agree with.
    async fn check_image(
        &self,
        instance: &InstanceRecord,
        wanted: &InstanceType,
        grown: Option<Gib>,
    ) -> Result<(), EngineError> {
        let Some(image) = self.world.store.image(instance.image).await? else {
            return Ok(());
        };
        let misfit = |misfit: Misfit| EngineError::invalid("type", format!("{} has {misfit}", wanted.name));
        image.properties.check_memory(wanted.memory).map_err(misfit)?;
        match grown {
            Some(size) => image.properties.check_root(size, image.virtual_size).map_err(misfit),
            None => Ok(()),
        }
    }

    /// The size that the root volume has to grow to; none if it stays. It never shrinks: the guest's file system
    /// wouldn't survive that.
    async fn root_size(&self, instance: &InstanceRecord, to: &str, least: Gib) -> Result<Option<Gib>, EngineError> {
        let volumes = self.world.store.volumes_of_instance(instance.id).await?;
        let root = volumes.into_iter().find(|volume| volume.root);
        let root = root.ok_or_else(|| EngineError::Internal(format!("instance {} has no root volume", instance.id)))?;
        let old = instance.instance_type.storage;
        // A volume that an image made larger than its type asks for stays so on any type.
        if least < old && least < root.size {
            let message = format!(
                "{to} has a root volume of {least} and the instance has one of {}: a root volume never shrinks",
                root.size
            );
            return Err(EngineError::invalid("type", message));
        }
        Ok((least > root.size).then_some(least))
    }
}
