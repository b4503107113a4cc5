//! A port's tap: made on the host, plugged in, deleted, each as often as one likes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use berth_model::PortId;
use berth_network::{NetworkError, Port, Tap, Vpc};

use crate::lab::{Lab, lab, run, try_run};

fn vpc_with_port(lab: &Lab) -> (Vpc, Port, String) {
    let vpc = Lab::vpc(1, 1);
    lab.network.ensure_vpc(&vpc, &[]).unwrap();
    let port = Lab::port(&vpc, 0, 10);
    let tap = lab.network.tap_name(port.id);
    (vpc, port, tap)
}

fn taps(lab: &Lab) -> Vec<Tap> {
    lab.network.inventory().unwrap().taps
}

#[test]
fn a_port_goes_also_from_a_vpc_that_is_not_whole() {
    lab(|lab| {
        let (vpc, port, _) = vpc_with_port(lab);
        lab.network.ensure_port(&vpc, &port).unwrap();
        lab.inside(&vpc, &["ip", "link", "del", "br7"]);
        lab.network.remove_port(&vpc, &port).unwrap();
        assert_eq!(taps(lab), []);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        assert_eq!(lab.network.inventory().unwrap().dnsmasq.len(), 1);
    });
}

#[test]
fn a_port_that_is_unplugged_is_reached_at_no_public_address() {
    lab(|lab| {
        let (vpc, port, _) = vpc_with_port(lab);
        let public = Port {
            public: Some(berth_network::PublicAddress {
                address: "203.0.113.9".parse().unwrap(),
                interface: None,
            }),
            ..port.clone()
        };
        lab.network.ensure_port(&vpc, &public).unwrap();
        assert_eq!(lab.network.inventory().unwrap().public.len(), 1);
        // As the records have it by then: an ephemeral one is back in its pool.
        lab.network.unplug_port(&vpc, &port).unwrap();
        assert_eq!(lab.network.inventory().unwrap().public.len(), 0);
    });
}

#[test]
fn nothing_stays_on_a_host_whose_namespaces_went_by_themselves() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        let port = Port {
            public: Some(berth_network::PublicAddress {
                address: "203.0.113.9".parse().unwrap(),
                interface: None,
            }),
            ..Lab::port(&vpc, 0, 10)
        };
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
        run(&["ip", "netns", "del", &lab.network.namespace_name(&vpc)]);
        run(&["ip", "link", "del", &format!("{}v1", lab.prefix)]);
        lab.network.remove_namespace(&lab.network.namespace_name(&vpc)).unwrap();
        lab.network.remove_host().unwrap();
        let left = run(&["sh", "-c", "ip link; ip route; nft list ruleset"]);
        assert!(!left.contains(&lab.prefix) && !left.contains("203.0.113.9"), "{left}");
    });
}

#[test]
fn a_port_comes_and_goes() {
    lab(|lab| {
        let (vpc, port, name) = vpc_with_port(lab);
        let namespace = Some(lab.network.namespace_name(&vpc));
        for _ in 0..2 {
            lab.network.ensure_port(&vpc, &port).unwrap();
            assert_eq!(
                taps(lab),
                [Tap {
                    name: name.clone(),
                    namespace: None
                }]
            );
        }
        for _ in 0..2 {
            lab.network.plug_port(&vpc, &port).unwrap();
            assert_eq!(
                taps(lab),
                [Tap {
                    name: name.clone(),
                    namespace: namespace.clone()
                }]
            );
        }
        let link = lab.inside(&vpc, &["ip", "-d", "link", "show", &name]);
        assert!(
            link.contains("master br7") && link.contains("mtu 1450") && !link.contains("multi_queue"),
            "{link}"
        );
        for _ in 0..2 {
            lab.network.unplug_port(&vpc, &port).unwrap();
            assert!(taps(lab).is_empty());
        }
        assert!(
            lab.dhcp_dir(&vpc).join("hosts").join(&name).exists(),
            "the address stays with the port"
        );
        lab.network.ensure_port(&vpc, &port).unwrap();
        for _ in 0..2 {
            lab.network.remove_port(&vpc, &port).unwrap();
            assert!(taps(lab).is_empty());
        }
        assert!(
            !lab.inside(&vpc, &["nft", "list", "ruleset"]).contains(&name),
            "the guard still knows it"
        );
        assert!(!lab.dhcp_dir(&vpc).join("hosts").join(&name).exists());
    });
}

#[test]
fn a_tap_nobody_holds_is_made_anew_on_the_host() {
    lab(|lab| {
        let (vpc, port, name) = vpc_with_port(lab);
        lab.network.ensure_port(&vpc, &port).unwrap();
        lab.network.plug_port(&vpc, &port).unwrap();
        lab.network.ensure_port(&vpc, &port).unwrap();
        assert_eq!(taps(lab), [Tap { name, namespace: None }]);
    });
}

#[test]
fn a_tap_a_guest_holds_stays_plugged() {
    lab(|lab| {
        if try_run(&["sh", "-c", "command -v qemu-system-x86_64"])
            .stdout
            .is_empty()
        {
            eprintln!("SKIPPED: qemu-system-x86_64 is not installed");
            return;
        }
        let (vpc, port, name) = vpc_with_port(lab);
        lab.network.ensure_port(&vpc, &port).unwrap();
        let _qemu = Qemu::holding(&name);
        lab.network.plug_port(&vpc, &port).unwrap();
        for _ in 0..2 {
            lab.network.ensure_port(&vpc, &port).unwrap();
            lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
        }
        let link = lab.inside(&vpc, &["ip", "link", "show", &name]);
        assert!(link.contains("master br7") && link.contains("LOWER_UP"), "{link}");
    });
}

#[test]
fn a_port_without_its_parts_says_what_is_missing() {
    lab(|lab| {
        let (vpc, port, _) = vpc_with_port(lab);
        let missing = lab.network.plug_port(&vpc, &port).unwrap_err();
        assert!(matches!(missing, NetworkError::NoTap { .. }), "{missing}");

        let elsewhere = Port {
            address: "10.0.9.10".parse().unwrap(),
            ..port.clone()
        };
        let evil = Port {
            hostname: "a,set:b".to_owned(),
            ..port.clone()
        };
        for wrong in [elsewhere, evil] {
            assert_eq!(
                lab.network.ensure_port(&vpc, &wrong).unwrap_err().code().as_str(),
                "invalid_argument"
            );
        }
        lab.network.remove_vpc(&vpc).unwrap();
        let missing = lab.network.ensure_port(&vpc, &port).unwrap_err();
        assert!(matches!(missing, NetworkError::NoNamespace(_)), "{missing}");
        lab.network.remove_port(&vpc, &port).unwrap();
        lab.network.unplug_port(&vpc, &port).unwrap();
    });
}

#[test]
fn forty_ports_of_one_vpc() {
    lab(|lab| {
        let (vpc, port, _) = vpc_with_port(lab);
        let ports: Vec<Port> = (100..140)
            .map(|octet| Port {
                id: PortId::new(),
                ..Lab::port(&vpc, 0, octet)
            })
            .collect();
        let started = Instant::now();
        std::thread::scope(|scope| {
            for half in ports.chunks(20) {
                let (lab, vpc) = (&lab, &vpc);
                scope.spawn(move || {
                    for port in half {
                        lab.network.ensure_port(vpc, port).unwrap();
                        lab.network.plug_port(vpc, port).unwrap();
                    }
                });
            }
        });
        eprintln!("a port, made and plugged: {:?}", started.elapsed() / 40);
        let started = Instant::now();
        lab.network.ensure_vpc(&vpc, &ports).unwrap();
        eprintln!("ensure_vpc with 40 ports, nothing to do: {:?}", started.elapsed());
        let started = Instant::now();
        lab.network.ensure_port(&vpc, &port).unwrap();
        lab.network.remove_port(&vpc, &port).unwrap();
        eprintln!("a port, made and removed: {:?}", started.elapsed());
        assert_eq!(taps(lab).len(), 40);
        assert_eq!(lab.inside(&vpc, &["bridge", "link"]).lines().count(), 40);
    });
}

/// A QEMU with no guest in it that holds a tap open.
struct Qemu(Child);

impl Qemu {
    fn holding(tap: &str) -> Self {
        let net = format!("tap,id=n,ifname={tap},script=no,downscript=no");
        let mut command = Command::new("qemu-system-x86_64");
        command.args([
            "-machine",
            "none",
            "-S",
            "-nodefaults",
            "-display",
            "none",
            "-netdev",
            &net,
        ]);
        let qemu = Self(command.stdin(Stdio::null()).spawn().unwrap());
        run(&["ip", "link", "set", tap, "up"]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !run(&["ip", "link", "show", tap]).contains("LOWER_UP") {
            assert!(Instant::now() < deadline, "QEMU does not open the tap");
            std::thread::sleep(Duration::from_millis(10));
        }
        qemu
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
