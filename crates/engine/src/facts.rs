//! What a guest is told about itself, from the records.

use berth_model::InstanceType;
use berth_model::metadata::{GuestFacts, GuestKey, GuestNic};
use berth_network::GUEST_MTU;
use berth_store::PortRecord;

use crate::context::Subject;

/// What an instance's guest may know of itself, as that type.
pub(crate) fn facts(subject: &Subject, kind: &InstanceType) -> GuestFacts {
    let instance = &subject.instance;
    let key = instance.key.iter().map(|key| GuestKey {
        name: key.name.to_string(),
        public_key: key.public_key.clone(),
    });
    let ports = subject.ports.iter().enumerate();
    let nics = ports.filter_map(|(slot, port)| nic(subject, port, slot == 0));
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

fn nic(subject: &Subject, port: &PortRecord, primary: bool) -> Option<GuestNic> {
    let vpc = subject.vpc.as_ref()?;
    let groups = vpc.groups.iter().filter(|group| port.groups.contains(&group.id));
    let subnet = vpc.subnets.iter().find(|subnet| subnet.id == port.subnet)?;
    Some(GuestNic {
        mac: port.mac,
        address: port.address,
        cidr: subnet.cidr,
        gateway: subnet.gateway,
        mtu: GUEST_MTU,
        primary,
        public: subject.public_of(port).map(|public| public.address),
        port: port.id,
        subnet: port.subnet,
        vpc: port.vpc,
        security_groups: groups.map(|group| group.name.to_string()).collect(),
    })
}
