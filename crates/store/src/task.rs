//! What is asked of volumes and images, as the operations keep it: all ids chosen before anything is made of them.

use berth_model::{Gib, ImageAction, ImageId, InstanceId, Labels, LayerId, SnapshotId, VolumeAction, VolumeId, Work};
use serde::{Deserialize, Serialize};

use crate::ImageRecord;
use crate::layer::Base;

/// One operation on volumes or images: the params of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Make a volume.
    CreateVolume {
        /// The volume.
        volume: VolumeId,
        /// Its first layer.
        layer: LayerId,
        /// What that stands on.
        base: Base,
        /// Its size.
        size: Gib,
        /// The instant of another volume that it is made of.
        freeze: Option<Freeze>,
    },
    /// Attach a volume.
    AttachVolume {
        /// The volume.
        volume: VolumeId,
        /// To that instance.
        instance: InstanceId,
        /// Whether it goes when the instance does.
        delete_on_termination: bool,
    },
    /// Detach a volume.
    DetachVolume {
        /// The volume.
        volume: VolumeId,
        /// From that instance.
        instance: InstanceId,
        /// Seconds that the guest may take to let go of it.
        seconds: u32,
    },
    /// Make a volume larger.
    ExtendVolume {
        /// The volume.
        volume: VolumeId,
        /// Its size so far.
        from: Gib,
        /// The size it gets.
        size: Gib,
    },
    /// Take snapshots of volumes, all at one instant.
    SnapshotVolumes {
        /// Of which, and what becomes of their layers.
        freezes: Vec<Freeze>,
    },
    /// Save a volume as an image.
    SaveAsImage {
        /// The volume.
        volume: VolumeId,
        /// The layer that holds what is saved.
        layer: LayerId,
        /// The instant that is saved, of a volume that a guest may write to meanwhile.
        freeze: Option<Freeze>,
        /// The image, with what isn't known before it is made left empty.
        image: Box<ImageRecord>,
        /// The labels that the image gets.
        #[serde(default)]
        labels: Labels,
    },
    /// Delete a volume.
    DeleteVolume {
        /// The volume.
        volume: VolumeId,
    },
    /// Fetch an image.
    ImportImage {
        /// The image, with what isn't known before it is there left empty.
        image: Box<ImageRecord>,
        /// Where from.
        url: String,
        /// What its bytes have to hash to, if somebody said.
        expected: Option<Expected>,
        /// The labels that the image gets.
        #[serde(default)]
        labels: Labels,
    },
}

/// What the bytes of an image have to hash to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// This, as `sha256:…` or `sha512:…`.
    Checksum(String),
    /// What a checksum file says.
    File {
        /// What its download is called.
        id: ImageId,
        /// Where it is.
        url: String,
        /// What the image is called in it.
        name: String,
    },
}

/// One volume's instant: its newest layer is written no more, and a new one is put on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The volume.
    pub volume: VolumeId,
    /// The layer that is frozen.
    pub layer: LayerId,
    /// The layer that is put on it.
    pub onto: LayerId,
    /// The snapshot that the frozen layer is.
    pub snapshot: SnapshotId,
}

impl Task {
    /// What the operation does, at that step.
    pub fn work(&self, step: usize) -> Work {
        Work::Volume(
            match self {
                Self::CreateVolume { .. } => VolumeAction::Create,
                Self::AttachVolume { .. } => VolumeAction::Attach,
                Self::DetachVolume { .. } => VolumeAction::Detach,
                Self::ExtendVolume { .. } => VolumeAction::Extend,
                Self::SnapshotVolumes { .. } => VolumeAction::Snapshot,
                Self::SaveAsImage { .. } => VolumeAction::SaveAsImage,
                Self::DeleteVolume { .. } => VolumeAction::Delete,
                Self::ImportImage { .. } => return Work::Image(ImageAction::Import),
            },
            step,
        )
    }

    /// The instants that it takes, in its first step.
    pub fn freezes(&self) -> &[Freeze] {
        match self {
            Self::SnapshotVolumes { freezes } => freezes,
            Self::CreateVolume { freeze, .. } | Self::SaveAsImage { freeze, .. } => freeze.as_slice(),
            Self::AttachVolume { .. }
            | Self::DetachVolume { .. }
            | Self::ExtendVolume { .. }
            | Self::DeleteVolume { .. }
            | Self::ImportImage { .. } => &[],
        }
    }

    /// The volume that it makes or changes; none for an image, and for snapshots, which may be of several.
    pub fn volume(&self) -> Option<VolumeId> {
        match self {
            Self::CreateVolume { volume, .. }
            | Self::AttachVolume { volume, .. }
            | Self::DetachVolume { volume, .. }
            | Self::ExtendVolume { volume, .. }
            | Self::SaveAsImage { volume, .. }
            | Self::DeleteVolume { volume } => Some(*volume),
            Self::SnapshotVolumes { .. } | Self::ImportImage { .. } => None,
        }
    }

    /// The image that it makes.
    pub fn image(&self) -> Option<ImageId> {
        self.image_record().map(|image| image.id)
    }

    /// The image that it makes, with what isn't known before it is made left empty.
    pub(crate) fn image_record(&self) -> Option<&ImageRecord> {
        match self {
            Self::SaveAsImage { image, .. } | Self::ImportImage { image, .. } => Some(image),
            _ => None,
        }
    }
}
