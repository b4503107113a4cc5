//! The verbs: what is asked of one domain, each *make sure it is so*.
//!
//! A domain is found by its UUID, which is its instance's id, anew for each verb: nothing is kept that could be stale.

use berth_domain_xml::{Identity, NAMESPACE, observe};
use berth_model::{GuestStatus, InstanceId};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

use crate::error::is;
use crate::ffi;
use crate::status::status;
use crate::{Hypervisor, HypervisorError};

/// A domain among all that libvirt has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSummary {
    /// Its UUID.
    pub id: InstanceId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub status: GuestStatus,
    /// Whose it is, if it is ours.
    pub identity: Option<Identity>,
}

/// What is removed together with a definition: all that libvirt keeps for the domain.
const UNDEFINE: sys::virDomainUndefineFlagsValues = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | sys::VIR_DOMAIN_UNDEFINE_NVRAM;

impl Hypervisor {
    /// What the guest does; none if libvirt knows no such domain.
    pub fn status(&self, id: InstanceId) -> Result<Option<GuestStatus>, HypervisorError> {
        self.pool.call("tell the state of a domain", move |connection| {
            match find(connection, id)? {
                Some(domain) => there(look(&domain)),
                None => Ok(None),
            }
        })
    }

    /// Every domain there is, ours or not.
    pub fn domains(&self) -> Result<Vec<DomainSummary>, HypervisorError> {
        self.pool.call("list the domains", |connection| {
            let mut all = Vec::new();
            for domain in connection.list_all_domains(0)? {
                // One that went away since it was listed is not missed.
                all.extend(there(summary(&domain))?);
            }
            Ok(all)
        })
    }

    /// Makes sure the domain is defined as this XML has it. A guest that runs takes it when it is started next. One that
    /// somebody renamed gets its name back.
    pub fn define(&self, xml: &str) -> Result<(), HypervisorError> {
        let wanted = observe(xml)?;
        let xml = xml.to_owned();
        self.pool.call("define a domain", move |connection| {
            let define = || connection.define_domain_xml(&xml).map(drop);
            match define() {
                Err(error) if is(&error, sys::VIR_ERR_OPERATION_FAILED) => match find(connection, wanted.id)? {
                    Some(domain) if domain.name()? != wanted.name => {
                        domain.rename(&wanted.name, 0)?;
                        define()
                    }
                    Some(_) | None => Err(error),
                },
                other => other,
            }
        })
    }

    /// Makes sure there is no definition, nor what libvirt keeps with it. A guest that runs stays: destroy it first.
    pub fn undefine(&self, id: InstanceId) -> Result<(), HypervisorError> {
        self.pool.call("undefine a domain", move |connection| {
            let Some(domain) = find(connection, id)? else {
                return Ok(());
            };
            let undefined = or_plainly(domain.undefine_flags(UNDEFINE), || domain.undefine());
            there(undefined).map(|_| ())
        })
    }

    /// Makes sure QEMU runs, its virtual CPUs held if it was started only now: `Paused(Asked)` until [`Self::resume`].
    pub fn start_paused(&self, id: InstanceId) -> Result<(), HypervisorError> {
        self.verb(
            "start a domain",
            id,
            |domain| {
                let held = domain.create_with_flags(sys::VIR_DOMAIN_START_PAUSED);
                or_plainly(held, || domain.create())
            },
            |status| !matches!(status, GuestStatus::Off(_)),
        )
    }

    /// Makes sure the virtual CPUs run.
    pub fn resume(&self, id: InstanceId) -> Result<(), HypervisorError> {
        self.verb("resume a domain", id, Domain::resume, |status| {
            status == GuestStatus::Running
        })
    }

    /// Presses the power button. A guest that is off, or going off, needs no press.
    pub fn shutdown(&self, id: InstanceId) -> Result<(), HypervisorError> {
        let press = |domain: &Domain| domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
        self.verb("shut a domain down", id, press, |status| {
            matches!(status, GuestStatus::Off(_) | GuestStatus::ShuttingDown)
        })
    }

    /// Presses the power button, and has the guest started again once it has shut down.
    pub fn reboot(&self, id: InstanceId) -> Result<(), HypervisorError> {
        let press = |domain: &Domain| domain.reboot(sys::VIR_DOMAIN_REBOOT_ACPI_POWER_BTN);
        self.verb("reboot a domain", id, press, |status| {
            status == GuestStatus::ShuttingDown
        })
    }

    /// Makes sure there is no QEMU: pulls the plug.
    pub fn destroy(&self, id: InstanceId) -> Result<(), HypervisorError> {
        let off = |status| matches!(status, GuestStatus::Off(_));
        self.pool.call("destroy a domain", move |connection| {
            let Some(domain) = find(connection, id)? else {
                return Ok(());
            };
            there(unless(domain.destroy(), &domain, off)).map(|_| ())
        })
    }

    /// Asks something of a domain that must be there. That it is refused because the domain is as wanted already is
    /// no error.
    fn verb(
        &self,
        call: &'static str,
        id: InstanceId,
        ask: impl FnOnce(&Domain) -> Result<(), Error> + Send + 'static,
        wanted: impl Fn(GuestStatus) -> bool + Send + 'static,
    ) -> Result<(), HypervisorError> {
        self.pool.call(call, move |connection| {
            let domain = lookup(connection, id)?;
            unless(ask(&domain), &domain, wanted)
        })
    }
}

pub(crate) fn lookup(connection: &Connect, id: InstanceId) -> Result<Domain, Error> {
    connection.lookup_domain_by_uuid(id.as_uuid())
}

pub(crate) fn find(connection: &Connect, id: InstanceId) -> Result<Option<Domain>, Error> {
    there(lookup(connection, id))
}

/// What was found; none if libvirt says that there is no such domain (any more).
pub(crate) fn there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is(&error, sys::VIR_ERR_NO_DOMAIN) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Passes over the refusal of what is so already: each driver has its own error for it, so the state decides.
fn unless(asked: Result<(), Error>, domain: &Domain, wanted: impl Fn(GuestStatus) -> bool) -> Result<(), Error> {
    asked.or_else(|error| match look(domain) {
        Ok(status) if wanted(status) => Ok(()),
        Ok(_) | Err(_) => Err(error),
    })
}

/// What was asked with flags, or without them from a driver that takes none: libvirt's test driver, on which thousands
/// of domains are cheap.
fn or_plainly(asked: Result<(), Error>, plainly: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    match asked {
        Err(error) if is(&error, sys::VIR_ERR_INVALID_ARG) => plainly(),
        other => other,
    }
}

pub(crate) fn look(domain: &Domain) -> Result<GuestStatus, Error> {
    ffi::state(domain).map(|(state, reason)| status(state, reason))
}

fn summary(domain: &Domain) -> Result<DomainSummary, Error> {
    Ok(DomainSummary {
        id: InstanceId::from(domain.uuid()?),
        name: domain.name()?,
        status: look(domain)?,
        identity: identity(domain)?,
    })
}

/// Whose a domain is. Metadata that can't be read is not ours: what isn't plainly ours is not touched.
fn identity(domain: &Domain) -> Result<Option<Identity>, Error> {
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed();
    match domain.metadata(kind, Some(NAMESPACE), 0) {
        Ok(xml) => Ok(Identity::from_metadata(&xml).ok().flatten()),
        Err(error) if is(&error, sys::VIR_ERR_NO_DOMAIN_METADATA) => Ok(None),
        Err(error) => Err(error),
    }
}
