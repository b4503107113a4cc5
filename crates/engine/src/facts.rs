//! What a guest is told about itself, from the records.

use berth_model::InstanceType;
use berth_model::metadata::{GuestFacts, GuestKey, GuestNic};
use berth_network::GUEST_MTU;
use berth_store::{PortRecord, VpcRecord};

use crate::context::Subject;

/// What an instance's guest may know of itself, as that type.
pub(crate) fn facts(subject: &Subject, kind: &InstanceType) -> GuestFacts {
    let instance = &subject.instance;
    let key = instance.key.iter().map(|key| GuestKey {
        name: key.name.to_string(),
        public_key: key.public_key.clone(),
    });
    let ports = subject.ports.iter().enumerate();
    let nics = ports.filter_map(|(slot, port)| nic(subject.vpc.as_ref()?, port, slot == 0));
    GuestFacts {
        id: instance.id,
        name: instance.name.to_string(),
        hostname: instance.name.hostname(),
        project: instance.project.clone(),
        instance_type: kind.name.clone(),
        image: instance.image,
        keys: key.collect(),
        user_data: subject.user_data.clone(),
        nics: nics.collect(),
    }
}

fn nic(vpc: &VpcRecord, port: &PortRecord, primary: bool) -> Option<GuestNic> {
    let subnet = vpc.subnets.iter().find(|subnet| subnet.id == port.subnet)?;
    Some(GuestNic {
        mac: port.mac,
        address: port.address,
        cidr: subnet.cidr,
        gateway: subnet.gateway,
        mtu: GUEST_MTU,
        primary,
        public: None,
        port: port.id,
        subnet: port.subnet,
        vpc: port.vpc,
        security_groups: Vec::new(),
    })
}
