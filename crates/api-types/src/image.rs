//! Images on the wire. The bytes of an import are the body of the request; what is known of them is its query.

use berth_model::{
    DiskBus, Firmware, Gib, GuestClock, ImageId, ImageProperties, LabelPatch, Labels, Mib, Name, NicModel, OsFamily,
    Visibility,
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::page::list_query;
use crate::{object, schema};

/// What may be said of an image: the query of `POST /v1/images` and the body of `PATCH /v1/images/{image}`. What isn't
/// given is as an ordinary Linux image has it, or stays as it is; in the body, `null` goes back to the default where
/// there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImageSettings {
    /// Its name; an import has to give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::Name>)]
    #[schema(value_type = Option<schema::Name>)]
    pub name: Option<Name>,
    /// `private` (if not given): one project's own; `default`: every project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::Visibility>)]
    #[schema(value_type = Option<schema::Visibility>)]
    pub visibility: Option<Visibility>,
    /// `linux` (if not given), `windows` or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::OsFamily>)]
    #[schema(value_type = Option<schema::OsFamily>)]
    pub os: Option<OsFamily>,
    /// The distribution or product, e.g. `ubuntu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::Word>)]
    #[schema(value_type = Option<schema::Word>)]
    pub os_name: Option<String>,
    /// Its version, e.g. `24.04`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::Word>)]
    #[schema(value_type = Option<schema::Word>)]
    pub os_version: Option<String>,
    /// Who logs in over ssh, `root` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::Login>)]
    #[schema(value_type = Option<schema::Login>)]
    pub user: Option<String>,
    /// The least root volume in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    pub min_disk: Option<Gib>,
    /// The least memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<u64>, minimum = 0, maximum = 16_777_216)]
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 16_777_216)]
    pub min_memory: Option<Mib>,
    /// The largest volume in GiB, 5120 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 5120)]
    pub max_volume_size: Option<Gib>,
    /// `bios` (if not given), `uefi` or `uefi_secure_boot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::Firmware>)]
    #[schema(value_type = Option<schema::Firmware>)]
    pub firmware: Option<Firmware>,
    /// Whether the guest has a TPM 2.0; by default only with secure boot.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<bool>)]
    #[schema(value_type = Option<bool>)]
    pub tpm: Option<Option<bool>>,
    /// `virtio` (if not given), `sata` or `scsi` (virtio-scsi).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::DiskBus>)]
    #[schema(value_type = Option<schema::DiskBus>)]
    pub disk_bus: Option<DiskBus>,
    /// `virtio` (if not given) or `e1000e`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::NicModel>)]
    #[schema(value_type = Option<schema::NicModel>)]
    pub nic_model: Option<NicModel>,
    /// `utc` or `localtime`; by default local time for Windows only.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schema::GuestClock>)]
    #[schema(value_type = Option<schema::GuestClock>)]
    pub clock: Option<Option<GuestClock>>,
    /// Whether the guest may speak with Hyper-V's interfaces; by default Windows only.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<bool>)]
    #[schema(value_type = Option<bool>)]
    pub hyperv: Option<Option<bool>>,
    /// Seconds a guest may take to shut down; by default as the host has it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 3600)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3600)]
    pub stop_grace: Option<Option<u32>>,
    /// Labels to set, of an image that is there; `null` takes one away, and those that aren't named stay.
    #[serde(default, skip_serializing_if = "LabelPatch::is_empty")]
    #[param(ignore)]
    #[schema(value_type = Option<HashMap<schema::LabelKey, schema::LabelChange>>)]
    pub labels: LabelPatch,
}

/// Tells what is given as `null` from what isn't given.
#[allow(clippy::option_option, reason = "not given, null, and a value are three things")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(field).map(Some)
}

impl ImageSettings {
    /// Puts the properties that are given in their place; the name and the visibility aren't among them.
    pub fn apply(self, to: &mut ImageProperties) {
        fn set<T>(place: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *place = given;
            }
        }
        set(&mut to.os, self.os);
        set(&mut to.os_name, self.os_name);
        set(&mut to.os_version, self.os_version);
        set(&mut to.user, self.user);
        set(&mut to.min_disk, self.min_disk);
        set(&mut to.min_memory, self.min_memory);
        set(&mut to.max_volume_size, self.max_volume_size);
        set(&mut to.firmware, self.firmware);
        set(&mut to.tpm, self.tpm);
        set(&mut to.disk_bus, self.disk_bus);
        set(&mut to.nic_model, self.nic_model);
        set(&mut to.clock, self.clock);
        set(&mut to.hyperv, self.hyperv);
        set(&mut to.stop_grace, self.stop_grace);
    }
}

list_query! {
    named
    /// Which images are wanted.
    ImageListQuery {
        /// Only `default` images, or only `private` ones.
        visibility: String,
        /// Only those of this family of operating systems: `linux`, `windows` or `other`.
        os: String,
    }
}

/// The properties of an image, with their defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PropertiesView {
    /// The operating system's family.
    #[schema(value_type = schema::OsFamily)]
    pub os: OsFamily,
    /// The distribution or product; may be empty.
    pub os_name: String,
    /// Its version; may be empty.
    pub os_version: String,
    /// Who logs in over ssh.
    pub user: String,
    /// The least root volume in GiB.
    #[schema(value_type = u64)]
    pub min_disk: Gib,
    /// The least memory in MiB.
    #[schema(value_type = u64)]
    pub min_memory: Mib,
    /// The largest volume in GiB.
    #[schema(value_type = u64)]
    pub max_volume_size: Gib,
    /// What starts the guest.
    #[schema(value_type = schema::Firmware)]
    pub firmware: Firmware,
    /// Whether the guest has a TPM 2.0.
    pub tpm: bool,
    /// What its disks hang on.
    #[schema(value_type = schema::DiskBus)]
    pub disk_bus: DiskBus,
    /// What its NICs look like.
    #[schema(value_type = schema::NicModel)]
    pub nic_model: NicModel,
    /// What its hardware clock shows.
    #[schema(value_type = schema::GuestClock)]
    pub clock: GuestClock,
    /// Whether it may speak with Hyper-V's interfaces.
    pub hyperv: bool,
    /// Seconds it may take to shut down, if the image says.
    pub stop_grace: Option<u32>,
}

impl From<&ImageProperties> for PropertiesView {
    fn from(properties: &ImageProperties) -> Self {
        Self {
            os: properties.os,
            os_name: properties.os_name.clone(),
            os_version: properties.os_version.clone(),
            user: properties.user.clone(),
            min_disk: properties.min_disk,
            min_memory: properties.min_memory,
            max_volume_size: properties.max_volume_size,
            firmware: properties.firmware,
            tpm: properties.has_tpm(),
            disk_bus: properties.disk_bus,
            nic_model: properties.nic_model,
            clock: properties.guest_clock(),
            hyperv: properties.speaks_hyperv(),
            stop_grace: properties.stop_grace,
        }
    }
}

/// The body of `POST /v1/images/pull`: either `catalog` or `url`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PullImage {
    /// An image of the catalog, by name: its address, its checksum and what has to be said of it come from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// Fetch it from this mirror instead of its official address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// An http or https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What its bytes have to hash to: `sha256:…` or `sha512:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Checksum>)]
    pub checksum: Option<String>,
    /// What else is to be said of it; the name is the catalog's if none is given.
    #[serde(default, deserialize_with = "object::one")]
    pub settings: ImageSettings,
    /// Its labels, at most 64: keys of 1 to 63 letters, digits, `.`, `_`, `-` and `/`, values of up to 255 characters.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageView {
    /// Its id.
    #[schema(value_type = schema::Id)]
    pub id: ImageId,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: Name,
    /// `default`: every project's; `private`: one project's own.
    #[schema(value_type = schema::Visibility)]
    pub visibility: Visibility,
    /// The format of what was imported: `qcow2` or `raw`.
    pub format: String,
    /// Bytes of the disk that the guest sees.
    pub virtual_size: u64,
    /// Bytes of the file.
    pub file_size: u64,
    /// SHA-256 of the bytes that were imported, in hexadecimal.
    pub sha256: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub properties: PropertiesView,
    /// Its labels.
    #[serde(default)]
    #[schema(value_type = HashMap<schema::LabelKey, schema::LabelValue>)]
    pub labels: Labels,
    /// When it was imported.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_null_goes_back_to_the_default_and_what_is_not_given_stays() {
        let mut properties = ImageProperties {
            tpm: Some(true),
            hyperv: Some(true),
            min_disk: Gib(7),
            ..ImageProperties::default()
        };
        let change = r#"{"tpm": null, "clock": "localtime", "user": "me"}"#;
        serde_json::from_str::<ImageSettings>(change)
            .unwrap()
            .apply(&mut properties);
        assert_eq!(
            properties,
            ImageProperties {
                tpm: None,
                hyperv: Some(true),
                min_disk: Gib(7),
                clock: Some(GuestClock::Localtime),
                user: "me".to_owned(),
                ..ImageProperties::default()
            }
        );
        assert!(serde_json::from_str::<ImageSettings>(r#"{"minimum": 1}"#).is_err());
    }
}
