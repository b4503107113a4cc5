//! Devices that come to a guest that runs, and go: disks and NICs.
//!
//! libvirt's own definition of the domain is not changed: the engine defines the domain anew from its records.

use berth_domain_xml::{Observed, ObservedNic, observe};
use berth_model::{GuestStatus, InstanceId};
use virt_sys as sys;

use crate::error::is;
use crate::verbs::{find, look, there};
use crate::{Hypervisor, HypervisorError};

impl Hypervisor {
    /// A guest as QEMU has it now; none if there is no QEMU.
    pub(crate) fn live(&self, id: InstanceId) -> Result<Option<Observed>, HypervisorError> {
        let xml = self.pool.call("tell the devices of a domain", move |connection| {
            let Some(domain) = find(connection, id)? else {
                return Ok(None);
            };
            let Some(status) = there(look(&domain))? else {
                return Ok(None);
            };
            if matches!(status, GuestStatus::Off(_)) {
                return Ok(None);
            }
            there(domain.xml_desc(0))
        })?;
        Ok(xml.map(|xml| observe(&xml)).transpose()?)
    }

    /// What a domain is defined as, whether its guest runs or not; none if libvirt knows no such domain.
    pub fn definition(&self, id: InstanceId) -> Result<Option<String>, HypervisorError> {
        self.pool.call("tell the definition of a domain", move |connection| {
            match find(connection, id)? {
                Some(domain) => there(domain.xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)),
                None => Ok(None),
            }
        })
    }

    /// The NICs of a guest that QEMU has now; none if there is no QEMU.
    pub fn live_nics(&self, id: InstanceId) -> Result<Option<Vec<ObservedNic>>, HypervisorError> {
        Ok(self.live(id)?.map(|guest| guest.nics))
    }

    /// Plugs a device into a guest that runs and hasn't got it.
    pub fn plug(&self, id: InstanceId, xml: String) -> Result<(), HypervisorError> {
        self.on(id, "plug a device", move |domain| {
            domain.attach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE)
        })
    }

    /// Asks a guest that runs to let go of a device. Whether it does is told by an event, or seen among its devices.
    pub fn unplug(&self, id: InstanceId, xml: String) -> Result<(), HypervisorError> {
        self.on(id, "unplug a device", move |domain| {
            match domain.detach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE) {
                // It is gone already.
                Err(error) if is(&error, sys::VIR_ERR_DEVICE_MISSING) => Ok(()),
                // The guest was asked already, and hasn't answered.
                Err(error) if is(&error, sys::VIR_ERR_OPERATION_FAILED) => Ok(()),
                other => other,
            }
        })
    }
}
