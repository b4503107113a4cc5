//! What may be said of an image: the flags of `import` and `set`, and how it is shown.

use berth_api_types::{ImageSettings, ImageView, PropertiesView};
use berth_model::{DiskBus, Firmware, Gib, GuestClock, Mib, Name, NicModel, OsFamily, Visibility};
use clap::{Args, ValueEnum};
use serde::Serialize;

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The operating system's family [default: linux]
    #[arg(long, value_enum)]
    os: Option<Os>,
    /// The distribution or product, such as ubuntu
    #[arg(long, value_name = "WORD")]
    os_name: Option<String>,
    /// Its version, such as 24.04
    #[arg(long, value_name = "WORD")]
    os_version: Option<String>,
    /// Who logs in over ssh [default: root]
    #[arg(long)]
    user: Option<String>,
    /// The least root volume; an instance type that gives less gives this much instead
    #[arg(long, value_name = "GIB")]
    min_disk: Option<u64>,
    /// The least memory; instance types with less are refused
    #[arg(long, value_name = "MIB")]
    min_memory: Option<u64>,
    /// The largest volume that can be made of it [default: 5120]
    #[arg(long, value_name = "GIB")]
    max_volume_size: Option<u64>,
    /// What starts the guest [default: bios]
    #[arg(long, value_enum)]
    firmware: Option<Starts>,
    /// Whether the guest has a TPM 2.0 [default: with secure boot]
    #[arg(long, value_enum)]
    tpm: Option<Switch>,
    /// What its disks hang on; nothing on SATA can be attached while the guest runs [default: virtio]
    #[arg(long, value_enum)]
    disk_bus: Option<Bus>,
    /// What its NICs look like [default: virtio]
    #[arg(long, value_enum)]
    nic_model: Option<Nic>,
    /// What its hardware clock shows [default: local time for Windows, UTC otherwise]
    #[arg(long, value_enum)]
    clock: Option<Clock>,
    /// Whether the guest may speak with Hyper-V's interfaces [default: Windows]
    #[arg(long, value_enum)]
    hyperv: Option<Switch>,
    /// Seconds it may take to shut down, or 'default': as the host has it
    #[arg(long, value_name = "SECONDS", value_parser = grace)]
    stop_grace: Option<Grace>,
    /// Make it a default image: every project's
    #[arg(long, conflicts_with = "mine")]
    default: bool,
    /// Make it the project's own
    #[arg(long)]
    mine: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Os {
    Linux,
    Windows,
    Other,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Starts {
    Bios,
    Uefi,
    UefiSecureBoot,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bus {
    Virtio,
    Sata,
    Scsi,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Nic {
    Virtio,
    E1000e,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Clock {
    Utc,
    Localtime,
    Default,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
    Default,
}

/// A grace time in seconds, or the host's.
#[derive(Debug, Clone, Copy)]
struct Grace(Option<u32>);

fn grace(text: &str) -> Result<Grace, String> {
    if text == "default" {
        return Ok(Grace(None));
    }
    let seconds = text
        .parse()
        .map_err(|_| "not a number of seconds, nor 'default'".to_owned());
    seconds.map(|seconds| Grace(Some(seconds)))
}

impl Switch {
    fn given(self) -> Option<bool> {
        match self {
            Self::On => Some(true),
            Self::Off => Some(false),
            Self::Default => None,
        }
    }
}

impl Settings {
    /// What was typed, as the API takes it.
    pub(crate) fn given(self, name: Option<Name>) -> ImageSettings {
        let mine = self.mine.then_some(Visibility::Private);
        ImageSettings {
            name,
            visibility: self.default.then_some(Visibility::Default).or(mine),
            os: self.os.map(|os| match os {
                Os::Linux => OsFamily::Linux,
                Os::Windows => OsFamily::Windows,
                Os::Other => OsFamily::Other,
            }),
            os_name: self.os_name,
            os_version: self.os_version,
            user: self.user,
            min_disk: self.min_disk.map(Gib),
            min_memory: self.min_memory.map(Mib),
            max_volume_size: self.max_volume_size.map(Gib),
            firmware: self.firmware.map(|firmware| match firmware {
                Starts::Bios => Firmware::Bios,
                Starts::Uefi => Firmware::Uefi,
                Starts::UefiSecureBoot => Firmware::UefiSecureBoot,
            }),
            tpm: self.tpm.map(Switch::given),
            disk_bus: self.disk_bus.map(|bus| match bus {
                Bus::Virtio => DiskBus::Virtio,
                Bus::Sata => DiskBus::Sata,
                Bus::Scsi => DiskBus::Scsi,
            }),
            nic_model: self.nic_model.map(|model| match model {
                Nic::Virtio => NicModel::Virtio,
                Nic::E1000e => NicModel::E1000e,
            }),
            clock: self.clock.map(|clock| match clock {
                Clock::Utc => Some(GuestClock::Utc),
                Clock::Localtime => Some(GuestClock::Localtime),
                Clock::Default => None,
            }),
            hyperv: self.hyperv.map(Switch::given),
            stop_grace: self.stop_grace.map(|grace| grace.0),
            ..ImageSettings::default()
        }
    }
}

/// Whose an image is.
pub(crate) fn whose(image: &ImageView) -> &'static str {
    match image.visibility {
        Visibility::Default => "default",
        Visibility::Private => "mine",
    }
}

/// The system in a few words: its name and version, or the family if neither is known.
pub(crate) fn system(of: &PropertiesView) -> String {
    let known = format!("{} {}", of.os_name, of.os_version);
    match known.trim() {
        "" => word(&of.os),
        known => known.to_owned(),
    }
}

/// What an instance of it needs at least.
pub(crate) fn needs(of: &PropertiesView) -> String {
    if of.min_memory == Mib(0) {
        return of.min_disk.to_string();
    }
    format!("{}, {}", of.min_disk, of.min_memory)
}

/// A line for each property.
pub(crate) fn rows(of: &PropertiesView) -> [(&'static str, String); 13] {
    let or_host = |seconds: Option<u32>| seconds.map_or_else(|| "as the host has it".to_owned(), |s| format!("{s} s"));
    let yes = |yes| if yes { "yes" } else { "no" }.to_owned();
    [
        ("system", system(of)),
        ("os", word(&of.os)),
        ("user", of.user.clone()),
        ("min disk", of.min_disk.to_string()),
        ("min memory", of.min_memory.to_string()),
        ("max volume size", of.max_volume_size.to_string()),
        ("firmware", word(&of.firmware)),
        ("tpm", yes(of.tpm)),
        ("disk bus", word(&of.disk_bus)),
        ("nic model", word(&of.nic_model)),
        ("clock", word(&of.clock)),
        ("hyperv", yes(of.hyperv)),
        ("stop grace", or_host(of.stop_grace)),
    ]
}

/// One of several cases in the API's own word.
fn word(of: &impl Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}
