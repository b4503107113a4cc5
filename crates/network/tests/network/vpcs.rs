//! A VPC is made whole from any state it may be in, and leaves nothing behind.

use std::time::Instant;

use berth_network::{Inventory, Network, Settings, Vpc};

use crate::guest::Guest;
use crate::lab::{Lab, lab, run, try_run};

fn dnsmasq(lab: &Lab) -> Vec<i32> {
    lab.network
        .inventory()
        .unwrap()
        .dnsmasq
        .iter()
        .map(|found| found.pid)
        .collect()
}

/// Everything that a second run must not change: links, addresses, routes and rules, inside and on the host. The
/// kernel's own numbers of links are left out.
fn picture(lab: &Lab, vpc: &Vpc) -> Vec<String> {
    let look = [
        "sh",
        "-c",
        "ip -4 -br address; ip -4 route; bridge -d link; nft --stateless list ruleset",
    ];
    let text = lab.inside(vpc, &look) + &run(&look);
    let number = |word: &&str| word.strip_suffix(':').is_none_or(|word| word.parse::<u32>().is_err());
    let word = |word: &str| match word.split_once('@') {
        Some((name, _)) if !name.is_empty() => name.to_owned(),
        _ => word.trim_end_matches(':').to_owned(),
    };
    let line = |line: &str| {
        line.split_whitespace()
            .filter(number)
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn ensuring_twice_changes_nothing() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 2);
        let started = Instant::now();
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        eprintln!("the first VPC of a host, two subnets: {:?}", started.elapsed());
        let started = Instant::now();
        lab.network.ensure_vpc(&Lab::vpc(2, 1), &[]).unwrap();
        eprintln!("another VPC, one subnet: {:?}", started.elapsed());

        let ports = [Lab::port(&vpc, 0, 10), Lab::port(&vpc, 1, 10)];
        lab.network.ensure_vpc(&vpc, &ports).unwrap();
        let (before, pids) = (picture(lab, &vpc), dnsmasq(lab));
        let started = Instant::now();
        lab.network.ensure_vpc(&vpc, &ports).unwrap();
        eprintln!("ensure_vpc, nothing to do: {:?}", started.elapsed());
        // A daemon that was restarted knows nothing of the first.
        Network::open(lab.settings.clone())
            .unwrap()
            .ensure_vpc(&vpc, &ports)
            .unwrap();
        assert_eq!(picture(lab, &vpc), before);
        assert_eq!((dnsmasq(lab), pids.len()), (pids, 2));
    });
}

#[test]
fn what_was_taken_away_is_put_back() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        let port = Lab::port(&vpc, 0, 10);
        lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
        let guest = Guest::boot(lab, &vpc, port.clone());
        assert!(guest.dhcp().is_some());
        let before = picture(lab, &vpc);
        let (prefix, inside) = (&lab.prefix, lab.network.namespace_name(&vpc));
        let pid = dnsmasq(lab)[0];
        let ways = [
            format!("kill -9 {pid}"),
            format!("ip -n {inside} link del br7"),
            format!("ip -n {inside} link del ext"),
            format!("ip -n {inside} route del default"),
            format!("ip -n {inside} address flush dev br7"),
            format!("ip -n {inside} address add 10.200.0.1/24 dev br7"),
            format!("ip netns exec {inside} nft flush ruleset"),
            "nft flush ruleset".to_owned(),
            format!("ip link del {prefix}-ext"),
            format!("ip link del {prefix}v1"),
        ];
        for way in &ways {
            run(&way.split(' ').collect::<Vec<_>>());
            lab.network.ensure_vpc(&vpc, std::slice::from_ref(&port)).unwrap();
            assert_eq!(picture(lab, &vpc), before, "after {way}");
            assert_eq!(dnsmasq(lab).len(), 1, "after {way}");
            assert!(guest.dhcp().is_some(), "no lease after {way}");
        }
    });
}

#[test]
fn a_lost_pid_file_or_namespace_leaves_no_second_dnsmasq() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        std::fs::remove_file(lab.dhcp_dir(&vpc).join("pid")).unwrap();
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        assert_eq!(dnsmasq(lab).len(), 1);

        // The name goes, the namespace lives on with dnsmasq in it.
        run(&["ip", "netns", "del", &lab.network.namespace_name(&vpc)]);
        assert_eq!(dnsmasq(lab).len(), 1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        assert_eq!(dnsmasq(lab).len(), 1);
        let guest = Guest::boot(lab, &vpc, Lab::port(&vpc, 0, 10));
        assert!(guest.dhcp().is_some());
    });
}

#[test]
fn a_subnet_that_is_gone_is_removed() {
    lab(|lab| {
        let mut vpc = Lab::vpc(1, 2);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        vpc.subnets.truncate(1);
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        assert_eq!(dnsmasq(lab).len(), 1);
        assert!(!lab.inside(&vpc, &["ip", "-br", "link"]).contains("br8"));
    });
}

#[test]
fn nothing_is_left_of_removed_vpcs() {
    lab(|lab| {
        let (one, other) = (Lab::vpc(1, 2), Lab::vpc(2, 1));
        for vpc in [&one, &other] {
            let port = Lab::port(vpc, 0, 10);
            lab.network.ensure_vpc(vpc, std::slice::from_ref(&port)).unwrap();
            lab.network.ensure_port(vpc, &port).unwrap();
            lab.network.plug_port(vpc, &port).unwrap();
        }
        let full = lab.network.inventory().unwrap();
        assert_eq!(
            (full.namespaces.len(), full.taps.len(), full.dnsmasq.len()),
            (2, 2, 2),
            "{full:?}"
        );
        let started = Instant::now();
        lab.network.remove_vpc(&one).unwrap();
        eprintln!("remove_vpc: {:?}", started.elapsed());
        assert!(
            run(&["ip", "link"]).contains("-ext"),
            "the other VPC still needs the provider bridge"
        );
        lab.network.remove_vpc(&one).unwrap();
        lab.network
            .remove_namespace(&lab.network.namespace_name(&other))
            .unwrap();
        assert_eq!(lab.network.inventory().unwrap(), Inventory::default());
        assert_eq!(
            run(&["ip", "-br", "link"]).lines().count(),
            1,
            "only lo is left on the host"
        );
        assert_eq!(run(&["nft", "list", "ruleset"]), "");
        assert_eq!(
            std::fs::read_dir(lab.settings.state_dir.join("network"))
                .unwrap()
                .count(),
            0
        );
    });
}

#[test]
fn a_file_in_place_of_the_namespace_is_no_namespace() {
    lab(|lab| {
        let vpc = Lab::vpc(1, 1);
        let name = lab.network.namespace_name(&vpc);
        std::fs::write(format!("/run/netns/{name}"), "").unwrap();
        assert_eq!(lab.network.inventory().unwrap().namespaces, std::slice::from_ref(&name));
        lab.network.ensure_vpc(&vpc, &[]).unwrap();
        lab.network.remove_vpc(&vpc).unwrap();
        std::fs::write(format!("/run/netns/{name}"), "").unwrap();
        lab.network.remove_namespace(&name).unwrap();
        assert_eq!(lab.network.inventory().unwrap(), Inventory::default());
    });
}

#[test]
fn settings_that_cannot_work_are_refused() {
    lab(|lab| {
        let open = |change: &dyn Fn(&mut Settings)| {
            let mut settings = lab.settings.clone();
            change(&mut settings);
            Network::open(settings)
        };
        assert!(open(&|settings| settings.prefix = "toolong".to_owned()).is_err());
        assert!(open(&|settings| settings.prefix = "A b".to_owned()).is_err());
        assert!(open(&|settings| settings.provider = "100.64.0.1/20".parse().unwrap()).is_err());

        let tiny = open(&|settings| settings.provider = "100.64.0.0/29".parse().unwrap()).unwrap();
        assert_eq!(
            tiny.ensure_vpc(&Lab::vpc(5, 1), &[]).unwrap_err().code().as_str(),
            "no_capacity"
        );
        let over = open(&|settings| settings.provider = "10.0.0.0/16".parse().unwrap()).unwrap();
        assert_eq!(
            over.ensure_vpc(&Lab::vpc(1, 1), &[]).unwrap_err().code().as_str(),
            "invalid_argument"
        );

        run(&["ip", "address", "add", "100.64.3.4/24", "dev", "lo"]);
        let taken = lab.network.ensure_vpc(&Lab::vpc(1, 1), &[]).unwrap_err().to_string();
        assert!(taken.contains("lo") && taken.contains("100.64.3.4"), "{taken}");
        run(&["ip", "address", "flush", "dev", "lo"]);

        run(&["chmod", "700", lab.settings.state_dir.to_str().unwrap()]);
        let closed = lab.network.ensure_vpc(&Lab::vpc(1, 1), &[]).unwrap_err().to_string();
        assert!(closed.contains("chmod o+x"), "{closed}");
        assert!(
            try_run(&["chmod", "755", lab.settings.state_dir.to_str().unwrap()])
                .status
                .success()
        );
        lab.network.ensure_vpc(&Lab::vpc(1, 1), &[]).unwrap();
    });
}
