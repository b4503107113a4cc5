//! Addresses come from DHCP, names from DNS.

use berth_model::{Mac, PortId};
use berth_network::Port;

use crate::guest::Guest;
use crate::lab::{Lab, lab};

#[test]
fn a_guest_gets_its_own_address_and_knows_the_others() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 2);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let one = Guest::boot(lab, &vpc, Lab::port(&vpc, 0, 10));
        let said = "10.0.0.10/24 via 10.0.0.1 dns 10.0.0.1 ntp  mtu 1450 name guest-0-10.berth.internal";
        assert_eq!(one.dhcp().as_deref(), Some(said));
        let second = Guest::boot(lab, &vpc, Lab::port(&vpc, 1, 10));
        assert!(second.dhcp().unwrap().starts_with("10.0.1.10/24 via 10.0.1.1"));

        // Names are known in every subnet, by every gateway, whether their guests have asked for an address or not.
        let other = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 11));
        let far = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 1, 11));
        for asking in [&other, &far] {
            for gateway in ["10.0.0.1", "10.0.1.1"] {
                for (name, address) in [
                    ("guest-0-10.berth.internal", "10.0.0.10"),
                    ("guest-1-10.berth.internal", "10.0.1.10"),
                    ("guest-0-11.berth.internal", "10.0.0.11"),
                ] {
                    let asked = asking.run(&["busybox", "nslookup", name, gateway]);
                    assert!(asked.contains(address), "{asked}");
                }
            }
        }
    });
}

#[test]
fn a_second_nic_gets_no_default_route_and_every_subnet_its_own_servers() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 2);
        vpc.subnets[1].dns = vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        vpc.subnets[1].ntp = vec![[192, 0, 2, 3].into(), [192, 0, 2, 4].into()];
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let secondary = |subnet, octet| Port {
            primary: false,
            ..Lab::port(&vpc, subnet, octet)
        };
        let said = |port: Port| Guest::boot(lab, &vpc, port).dhcp().unwrap();
        let name = |name: &str| format!("mtu 1450 name {name}.berth.internal");
        let mine = name("guest-0-10");
        assert_eq!(
            said(secondary(0, 10)),
            format!("10.0.0.10/24 via  dns 10.0.0.1 ntp  {mine}")
        );
        let servers = "dns 192.0.2.1 192.0.2.2 ntp 192.0.2.3 192.0.2.4";
        let mine = name("guest-1-10");
        assert_eq!(said(secondary(1, 10)), format!("10.0.1.10/24 via  {servers} {mine}"));
        let mine = name("guest-1-11");
        assert_eq!(
            said(Lab::port(&vpc, 1, 11)),
            format!("10.0.1.11/24 via 10.0.1.1 {servers} {mine}")
        );
    });
}

#[test]
fn a_name_that_is_gone_is_not_known_any_more() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 2);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let asking = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 1, 10));
        let gone = Guest::boot_static(lab, &vpc, Lab::port(&vpc, 0, 10));
        let known = || asking.can(&["busybox", "nslookup", "guest-0-10.berth.internal", "10.0.1.1"]);
        assert!(known());
        lab.network.remove_port(&vpc, &gone.port).unwrap();
        assert!(!known());
    });
}

#[test]
fn a_freed_address_goes_to_another_mac() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        let old = Lab::port(&vpc, 0, 10);
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&old)).unwrap();
        let guest = Guest::boot(lab, &vpc, old.clone());
        assert!(guest.dhcp().is_some());
        drop(guest);
        let started = std::time::Instant::now();
        lab.network.remove_port(&vpc, &old).unwrap();
        eprintln!("remove_port with a lease: {:?}", started.elapsed());

        let new = Port {
            id: PortId::new(),
            mac: Mac::random(),
            hostname: "heir".to_owned(),
            ..old.clone()
        };
        let heir = Guest::boot(lab, &vpc, new);
        let said = heir.dhcp().expect("no lease for the address's new owner");
        assert!(
            said.starts_with("10.0.0.10/24") && said.ends_with("heir.berth.internal"),
            "{said}"
        );
        let leases = std::fs::read_to_string(lab.dhcp_dir(&vpc).join("leases")).unwrap();
        assert!(!leases.contains(&old.mac.to_string()), "{leases}");
    });
}

#[test]
fn an_address_changes_hands_by_ensure_vpc_alone() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        let old = Lab::port(&vpc, 0, 10);
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&old)).unwrap();
        assert!(Guest::boot(lab, &vpc, old.clone()).dhcp().is_some());
        let new = Port {
            id: PortId::new(),
            mac: Mac::random(),
            ..old
        };
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&new)).unwrap();
        assert!(Guest::boot(lab, &vpc, new).dhcp().is_some());
    });
}

#[test]
fn an_unknown_guest_gets_nothing() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        let port = Lab::port(&vpc, 0, 10);
        let guest = Guest::boot(lab, &vpc, port.clone());
        // Its entry and its pin are gone; its link is not.
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        assert_eq!(guest.dhcp(), None);
        lab.network.ensure_vpc(&vpc, &[port]).unwrap();
        assert!(guest.dhcp().is_some());
    });
}
