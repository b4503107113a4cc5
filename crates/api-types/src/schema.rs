//! How the document describes what the model parses: the words that there are, and the patterns that texts follow.
//!
//! The model knows nothing of OpenAPI, so each of its types that is written as a text has a namesake here, which is only
//! named in `#[schema(value_type = …)]` and never made. What a pattern can't say (that a range ends after it begins),
//! the field's own words do.

use berth_model as model;
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// Types that are one of some words: the words are the model's own.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident = $all:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = $all.iter().map(word).collect::<Vec<_>>();
                described(concat!($($doc),+)).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

/// Types that are texts which follow a pattern, as ECMA-262 has them.
macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident = $pattern:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                described(concat!($($doc),+)).pattern(Some($pattern)).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

/// Types that are texts of a format that everybody knows.
macro_rules! formats {
    ($($(#[doc = $doc:literal])+ $name:ident = $format:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let format = SchemaFormat::KnownFormat(KnownFormat::$format);
                described(concat!($($doc),+)).format(Some(format)).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

fn described(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(about.trim()))
}

/// A word as it is on the wire.
fn word(of: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(of).unwrap_or_default()
}

words! {
    /// The documented state of an instance.
    InstanceState = model::InstanceState::ALL.iter().map(ToString::to_string).collect::<Vec<_>>();
    /// The documented state of a volume.
    VolumeState = model::VolumeState::ALL.iter().map(ToString::to_string).collect::<Vec<_>>();
    /// The state of a port.
    PortState = model::PortState::ALL.iter().map(ToString::to_string).collect::<Vec<_>>();
    /// What can be asked of an instance.
    Action = model::Action::ALL.iter().map(ToString::to_string).collect::<Vec<_>>();
    /// What can be asked of a volume.
    VolumeAction = model::VolumeAction::ALL.iter().map(ToString::to_string).collect::<Vec<_>>();
    /// What went wrong, in a word that stays the same for ever: match on this.
    Code = model::Code::ALL;
    /// What a user is in a project, the least first.
    Role = model::Role::ALL;
    /// What a quota is of.
    Resource = model::Resource::ALL;
    /// `ingress`: flows towards the port; `egress`: flows from it.
    Direction = model::Direction::ALL;
    /// What a flow speaks.
    Protocol = model::Protocol::ALL;
    /// `static`: the project's until it is released; `ephemeral`: as long as a port has it.
    PublicIpKind = model::PublicIpKind::ALL;
    /// What became of a request: `unknown` if it isn't known who asked, `done` once it has an outcome.
    Decision = ["allowed", "unknown", "denied", "done"];
    /// `default`: every project's; `private`: one project's own.
    Visibility = [model::Visibility::Private, model::Visibility::Default];
    /// The family of an operating system.
    OsFamily = [model::OsFamily::Linux, model::OsFamily::Windows, model::OsFamily::Other];
    /// What starts a guest.
    Firmware = [model::Firmware::Bios, model::Firmware::Uefi, model::Firmware::UefiSecureBoot];
    /// What disks hang on; `scsi` is virtio-scsi.
    DiskBus = [model::DiskBus::Virtio, model::DiskBus::Sata, model::DiskBus::Scsi];
    /// What NICs look like.
    NicModel = [model::NicModel::Virtio, model::NicModel::E1000e];
    /// What the hardware clock of a guest shows.
    GuestClock = [model::GuestClock::Utc, model::GuestClock::Localtime];
    /// What becomes of an instance whose guest crashed.
    OnCrash = [model::OnCrash::Stay, model::OnCrash::Reboot];
    /// What becomes of an instance that was Active when its host was rebooted.
    OnBoot = [model::OnBoot::Start, model::OnBoot::Stay];
}

texts! {
    /// A name: 1 to 63 letters, digits, `.`, `_` and `-`; it begins and ends with a letter or a digit, and is no UUID.
    Name = concat!(
        r"^(?![0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$)",
        r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
    );
    /// The key of a label: 1 to 63 letters, digits, `.`, `_`, `-` and `/`; it begins and ends with a letter or a digit.
    LabelKey = r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$";
    /// The value of a label: at most 255 characters, none of them a control character.
    LabelValue = r"^[^\x00-\x1f\x7f-\x9f]{0,255}$";
    /// The name of a user: 1 to 255 visible ASCII characters; it says who vouches for it, as in `local:alice`.
    User = r"^[!-~]{1,255}$";
    /// A network: an IPv4 address and the length of its prefix.
    Cidr = r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$";
    /// The range of a subnet: a network of a /16 to a /28, with no bits beyond its prefix.
    SubnetRange =
        r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(1[6-9]|2[0-8])$";
    /// A port, or a range of ports whose last is not below its first.
    PortRange = r"^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$";
    /// The MAC address of one NIC.
    Mac = r"^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$";
    /// An amount of money: a decimal number as text, so that nothing is rounded on its way.
    Amount = r"^-?[0-9]+(\.[0-9]+)?$";
    /// What an hour of something costs: a decimal number as text.
    Price = r"^[0-9]+(\.[0-9]+)?$";
    /// Words about something: at most 255 characters, none of them a control character.
    Description = r"^[^\x00-\x1f\x7f-\x9f]{0,255}$";
    /// Who logs in: 1 to 32 letters, digits, `_`, `-` and `.`; it begins with a letter or `_`.
    Login = r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$";
    /// A word for a table: at most 64 characters, no control characters, no blanks at its ends.
    Word = r"^([^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,62}[^\s\x00-\x1f\x7f-\x9f])?)?$";
    /// `sha256:` and 64, or `sha512:` and 128 hexadecimal digits; the digits alone will do.
    Checksum = r"^((sha256:)?[0-9a-fA-F]{64}|(sha512:)?[0-9a-fA-F]{128})$";
    /// Bytes in base64, with padding: at most 16 KiB of them.
    UserData = r"^([A-Za-z0-9+/]{4}){0,5461}([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
}

formats! {
    /// An id: a UUID, later ones of later things.
    Id = Uuid;
    /// An IPv4 address.
    Address = Ipv4;
}

/// What an instance gets, and what an hour of it costs.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it describes what the model reads and writes")]
pub struct InstanceType {
    /// Its name, `family.size`.
    name: String,
    /// Virtual CPUs.
    vcpus: u32,
    /// Memory in MiB.
    memory: u64,
    /// The least size of the root volume in GB; an image that needs more gets more.
    storage: u64,
    /// The most NICs an instance of it may have.
    nics: u32,
    /// Network bandwidth in Mbit/s, each way.
    bandwidth: u32,
    /// What an hour costs, in the currency of the price list.
    #[schema(value_type = Price)]
    price_per_hour: String,
}

/// The new value of a label; null takes it away.
#[derive(Debug)]
pub enum LabelChange {}

impl PartialSchema for LabelChange {
    fn schema() -> RefOr<Schema> {
        described("The new value of a label, of at most 255 characters; null takes it away.")
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]{0,255}$"))
            .into()
    }
}

impl ToSchema for LabelChange {}
