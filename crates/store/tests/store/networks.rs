//! VPCs, subnets, security groups, ports, public IPs: what may be made, what is in the way of what, what goes with what.

use berth_model::{
    Action, Code, Direction, InstanceId, InstanceType, LabelPatch, Labels, Mac, PortId, PortState, Protocol, Remote,
    Rule, SecurityGroupId, SubnetId,
};
use berth_store::{
    ChangePort, ChangeSubnet, NewInstance, NewPort, NewSubnet, NicOfNew, Page, PortFilter, PortRecord, StoreError,
};

use crate::support::*;

on_both! {
    a_vpc_goes_when_nothing_is_in_it
    subnets_of_a_vpc_never_overlap
    a_name_of_two_vpcs_has_to_be_told_apart
    groups_are_made_changed_and_go_when_nobody_needs_them
    a_port_has_the_address_it_is_told
    a_port_comes_to_an_instance_and_goes
    an_instance_leaves_the_ports_that_are_not_its_own
}

pub(crate) fn all<Id>() -> Page<Id> {
    Page {
        limit: 100,
        after: None,
    }
}

fn new_subnet(bed: &Bed, named: &str, cidr: &str) -> NewSubnet {
    NewSubnet {
        vpc: bed.vpc.id,
        name: name(named),
        cidr: cidr.parse().unwrap(),
        dns: Vec::new(),
        ntp: Vec::new(),
        nat: true,
        labels: Labels::default(),
    }
}

pub(crate) fn new_port(subnet: SubnetId) -> NewPort {
    NewPort {
        id: PortId::new(),
        project: "default".to_owned(),
        name: None,
        subnet,
        mac: Mac::random(),
        address: None,
        groups: None,
        pairs: Vec::new(),
        labels: Labels::default(),
    }
}

fn ssh(remote: Remote) -> Rule {
    Rule {
        direction: Direction::Ingress,
        protocol: Protocol::Tcp,
        ports: Some("22".parse().unwrap()),
        remote,
    }
}

async fn a_vpc_goes_when_nothing_is_in_it(bed: Bed) {
    let (called, none) = (name("blue"), Labels::default());
    let blue = bed.store.create_vpc("default", &called, &none).await.unwrap();
    assert_ne!(blue.index, bed.vpc.index);
    assert!(blue.default_group().is_some() && blue.subnets.is_empty());
    let twice = bed.store.create_vpc("default", &called, &none).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert!(bed.store.create_vpc("other", &called, &none).await.is_ok());
    let taken = bed
        .store
        .change_vpc(blue.id, Some(&name("default")), &LabelPatch::default())
        .await
        .unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    bed.store
        .change_vpc(blue.id, Some(&name("green")), &LabelPatch::default())
        .await
        .unwrap();
    let found = bed.store.find_vpc("default", "green").await.unwrap();
    assert_eq!(found.id, blue.id);
    assert!(bed.store.find_vpc("other", &blue.id.to_string()).await.is_err());
    assert_eq!(bed.store.list_vpcs("default", &oldest()).await.unwrap().items.len(), 2);

    let refused = bed.store.delete_vpc(bed.vpc.id).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the VPC is in use by subnet 'default': delete that first"
    );
    assert!(bed.store.check_vpc_unused(bed.vpc.id).await.is_err());
    bed.store.check_vpc_unused(blue.id).await.unwrap();
    bed.store.delete_vpc(blue.id).await.unwrap();
    assert_eq!(bed.store.vpc(blue.id).await.unwrap(), None);
    let group = blue.groups[0].id.to_string();
    assert!(bed.store.find_group("default", &group, None).await.is_err());
}

async fn subnets_of_a_vpc_never_overlap(bed: Bed) {
    for (cidr, code) in [
        ("10.0.0.128/25", Code::AlreadyExists),
        ("10.0.0.0/16", Code::AlreadyExists),
        ("10.1.0.0/8", Code::InvalidArgument),
        ("169.254.0.0/20", Code::InvalidArgument),
    ] {
        let refused = bed.store.create_subnet(new_subnet(&bed, "b", cidr)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{cidr}: {refused}");
    }
    let subnet = bed
        .store
        .create_subnet(new_subnet(&bed, "b", "10.7.0.0/24"))
        .await
        .unwrap();
    assert_eq!((subnet.index, subnet.gateway.to_string().as_str()), (2, "10.7.0.1"));
    let twice = bed
        .store
        .create_subnet(new_subnet(&bed, "b", "10.8.0.0/24"))
        .await
        .unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    let change = ChangeSubnet {
        dns: Some(vec!["9.9.9.9".parse().unwrap()]),
        nat: Some(false),
        ..ChangeSubnet::default()
    };
    let changed = bed.store.change_subnet(subnet.id, change).await.unwrap();
    assert_eq!(bed.store.subnet(subnet.id).await.unwrap(), Some(changed.clone()));
    assert!(!changed.nat && changed.dns.len() == 1 && changed.name == subnet.name);
    // Another VPC may have the same range.
    let blue = bed
        .store
        .create_vpc("default", &name("blue"), &Labels::default())
        .await
        .unwrap();
    let same = NewSubnet {
        vpc: blue.id,
        ..new_subnet(&bed, "b", "10.7.0.0/24")
    };
    bed.store.create_subnet(same).await.unwrap();

    let port = bed.store.create_port(new_port(subnet.id)).await.unwrap();
    let refused = bed.store.delete_subnet(subnet.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::InUse);
    assert!(refused.to_string().contains(&port.id.to_string()), "{refused}");
    bed.store.delete_port(port.id).await.unwrap();
    bed.store.delete_subnet(subnet.id).await.unwrap();
    assert_eq!(
        bed.store
            .list_subnets("default", Some(bed.vpc.id), &oldest())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

async fn a_name_of_two_vpcs_has_to_be_told_apart(bed: Bed) {
    let blue = bed
        .store
        .create_vpc("default", &name("blue"), &Labels::default())
        .await
        .unwrap();
    let other = NewSubnet {
        vpc: blue.id,
        ..new_subnet(&bed, "default", "10.0.0.0/24")
    };
    let other = bed.store.create_subnet(other).await.unwrap();
    let find = async |reference: &str, vpc| bed.store.find_subnet("default", reference, vpc).await;
    let refused = find("default", None).await.unwrap_err();
    assert!(matches!(refused, StoreError::Ambiguous { .. }), "{refused}");
    assert_eq!(find("blue/default", None).await.unwrap().id, other.id);
    assert_eq!(
        find("default", Some(bed.vpc.id)).await.unwrap().id,
        bed.vpc.subnets[0].id
    );
    assert_eq!(find(&other.id.to_string(), None).await.unwrap().id, other.id);
    assert!(find("blue/none", None).await.is_err());
    assert!(
        bed.store
            .find_subnet("other", &other.id.to_string(), None)
            .await
            .is_err()
    );
    let group = bed.store.find_group("default", "blue/default", None).await.unwrap();
    assert_eq!(group.vpc, blue.id);
}

async fn groups_are_made_changed_and_go_when_nobody_needs_them(bed: Bed) {
    let (vpc, default) = (bed.vpc.id, bed.vpc.groups[0].clone());
    assert_eq!(default.rules[1].rule.remote, Remote::Group(default.id));
    let web = bed
        .store
        .create_group(vpc, (name("web"), "serves".to_owned()), &Labels::default())
        .await
        .unwrap();
    assert_eq!((web.index, web.rules.len()), (2, 1));
    let (web, rule) = bed.store.add_rule(web.id, ssh(Remote::ANYWHERE)).await.unwrap();
    assert_eq!(bed.store.find_group("default", "web", None).await.unwrap(), web);
    let twice = bed.store.add_rule(web.id, ssh(Remote::ANYWHERE)).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    let senseless = Rule {
        protocol: Protocol::Icmp,
        ..ssh(Remote::ANYWHERE)
    };
    assert_eq!(
        bed.store.add_rule(web.id, senseless).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let blue = bed
        .store
        .create_vpc("default", &name("blue"), &Labels::default())
        .await
        .unwrap();
    let foreign = bed.store.add_rule(web.id, ssh(Remote::Group(blue.groups[0].id))).await;
    assert_eq!(foreign.unwrap_err().code(), Code::NotFound);

    let db = bed
        .store
        .create_group(vpc, (name("db"), String::new()), &Labels::default())
        .await
        .unwrap();
    bed.store.add_rule(db.id, ssh(Remote::Group(web.id))).await.unwrap();
    let named = bed.store.delete_group(web.id).await.unwrap_err();
    assert!(named.to_string().contains("a rule of security group 'db'"), "{named}");
    let member = NewPort {
        groups: Some(vec![db.id, db.id]),
        ..new_port(bed.vpc.subnets[0].id)
    };
    let member = bed.store.create_port(member).await.unwrap();
    assert_eq!(member.groups, [db.id]);
    assert_eq!(bed.store.delete_group(db.id).await.unwrap_err().code(), Code::InUse);
    bed.store.delete_port(member.id).await.unwrap();
    bed.store.delete_group(db.id).await.unwrap();
    let web = bed.store.remove_rule(web.id, rule).await.unwrap();
    assert_eq!(web.rules.len(), 1);
    assert_eq!(
        bed.store.remove_rule(web.id, rule).await.unwrap_err().code(),
        Code::NotFound
    );
    bed.store.delete_group(web.id).await.unwrap();
    for refused in [
        bed.store.delete_group(default.id).await.unwrap_err(),
        bed.store
            .change_group(default.id, Some(name("mine")), None, &LabelPatch::default())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::ActionNotAllowed, "{refused}");
    }
}

async fn a_port_has_the_address_it_is_told(bed: Bed) {
    let subnet = bed.vpc.subnets[0].id;
    let told = |address: &str| NewPort {
        address: Some(address.parse().unwrap()),
        ..new_port(subnet)
    };
    let port = bed.store.create_port(told("10.0.0.3")).await.unwrap();
    assert_eq!(
        (port.state, port.groups.as_slice()),
        (PortState::Available, &[bed.vpc.groups[0].id][..])
    );
    for (address, code) in [
        ("10.0.0.3", Code::AlreadyExists),
        ("10.0.0.1", Code::InvalidArgument),
        ("10.9.0.3", Code::InvalidArgument),
    ] {
        let refused = bed.store.create_port(told(address)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{address}: {refused}");
    }
    let pairs = ChangePort {
        pairs: Some(vec!["10.0.0.9".parse().unwrap()]),
        name: Some(name("vip")),
        ..ChangePort::default()
    };
    let port = bed.store.change_port(port.id, pairs).await.unwrap();
    assert_eq!(bed.store.find_port("default", "vip").await.unwrap(), port);
    // What a port may send from is no other port's address.
    assert_eq!(
        bed.store.create_port(told("10.0.0.9")).await.unwrap_err().code(),
        Code::AlreadyExists
    );
    let own = ChangePort {
        pairs: Some(vec![port.address]),
        ..ChangePort::default()
    };
    let other = bed.store.create_port(new_port(subnet)).await.unwrap();
    assert_eq!(other.address.to_string(), "10.0.0.2");
    assert_eq!(
        bed.store.change_port(other.id, own).await.unwrap_err().code(),
        Code::AlreadyExists
    );
    let foreign = NewPort {
        groups: Some(vec![SecurityGroupId::new()]),
        ..new_port(subnet)
    };
    assert_eq!(bed.store.create_port(foreign).await.unwrap_err().code(), Code::NotFound);
    let filter = PortFilter {
        subnet: Some(subnet),
        ..PortFilter::default()
    };
    assert_eq!(
        bed.store.list_ports("default", filter, &oldest()).await.unwrap().items,
        [port, other]
    );
}

/// An instance of a type that may have that many NICs, Active.
pub(crate) async fn active(bed: &Bed, nics: u32, new: impl FnOnce(NewInstance) -> NewInstance) -> InstanceId {
    let made = bed.new_instance("web");
    let instance_type = InstanceType {
        nics,
        ..made.instance_type.clone()
    };
    let new = new(NewInstance { instance_type, ..made });
    let claim = bed
        .store
        .create_instances(vec![new], &by())
        .await
        .unwrap()
        .pop()
        .unwrap();
    let id = claim.instance();
    finish(claim).await;
    id
}

async fn get(bed: &Bed, id: PortId) -> PortRecord {
    bed.store.port(id).await.unwrap().unwrap()
}

async fn a_port_comes_to_an_instance_and_goes(bed: Bed) {
    let web = active(&bed, 2, |new| new).await;
    let primary = bed.store.ports_of_instance(web).await.unwrap().pop().unwrap();
    let subnet = bed.vpc.subnets[0].id;
    let port = bed.store.create_port(new_port(subnet)).await.unwrap().id;
    let attaching = bed.store.begin_attach_port(port, web, false).await.unwrap();
    assert_eq!(
        (attaching.state, attaching.slot, attaching.instance),
        (PortState::Attaching, 1, Some(web))
    );
    assert_eq!(bed.store.ports_under_way().await.unwrap(), [attaching]);
    assert!(bed.store.begin_attach_port(port, web, false).await.is_err());
    bed.store.port_attached(port).await.unwrap();
    assert_eq!(get(&bed, port).await.state, PortState::InUse);
    assert_eq!(bed.store.served_ports_of_vpc(bed.vpc.id).await.unwrap().len(), 2);
    let third = bed.store.create_port(new_port(subnet)).await.unwrap().id;
    let full = bed.store.begin_attach_port(third, web, false).await.unwrap_err();
    assert!(full.to_string().contains("may have (2)"), "{full}");
    assert_eq!(bed.store.delete_port(port).await.unwrap_err().code(), Code::InUse);

    let kept = bed.store.begin_detach_port(primary.id).await.unwrap_err();
    assert!(kept.to_string().contains("primary"), "{kept}");
    bed.store.begin_detach_port(port).await.unwrap();
    bed.store.port_kept(port).await.unwrap();
    assert_eq!(get(&bed, port).await.state, PortState::InUse);
    bed.store.begin_detach_port(port).await.unwrap();
    bed.store.port_free(port).await.unwrap();
    assert_eq!(
        (get(&bed, port).await.state, get(&bed, port).await.instance),
        (PortState::Available, None)
    );
    bed.store.port_attached(port).await.unwrap();
    assert_eq!(get(&bed, port).await.state, PortState::Available);
    let _moving = bed.claim(web, Action::Stop).await;
    let refused = bed.store.begin_attach_port(port, web, false).await.unwrap_err();
    assert_eq!(refused.code(), Code::ActionNotAllowed, "{refused}");
}

async fn an_instance_leaves_the_ports_that_are_not_its_own(bed: Bed) {
    let subnet = bed.vpc.subnets[0].id;
    let port = bed.store.create_port(new_port(subnet)).await.unwrap().id;
    let nics = vec![bed.nic(), NicOfNew::Existing(port)];
    let web = active(&bed, 2, |new| NewInstance { nics, ..new }).await;
    let own = bed.store.ports_of_instance(web).await.unwrap()[0].id;
    assert_eq!(get(&bed, port).await.slot, 1);
    let twice = NewInstance {
        nics: vec![NicOfNew::Existing(port)],
        ..bed.new_instance("other")
    };
    let refused = bed.store.create_instances(vec![twice], &by()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ActionNotAllowed, "{refused}");
    finish(bed.claim(web, Action::Delete).await).await;
    assert_eq!(bed.store.port(own).await.unwrap(), None);
    assert_eq!(get(&bed, port).await.state, PortState::Available);
}
