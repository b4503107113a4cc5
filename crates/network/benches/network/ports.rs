//! A port comes and goes: its tap, its rules, its DHCP entry.

use crate::fleet::{BRIDGE, Fleet};
use crate::{RUNS, bare, medians, row, timed};

pub(crate) fn measure(fleet: &Fleet<'_>) {
    let (network, vpc) = (&fleet.lab.network, &fleet.vpc);
    let [create, create_floor, remove, remove_floor] = medians(RUNS, || {
        let port = fleet.another_port();
        let create = timed(|| {
            network.ensure_port(vpc, &port).unwrap();
            network.plug_port(vpc, &port).unwrap();
        });
        let remove = timed(|| network.remove_port(vpc, &port).unwrap());
        [create, timed(|| make_tap(fleet)), remove, timed(|| delete_tap(fleet))]
    });
    let size = fleet.size();
    let floor = "ip tuntap add, ip link set";
    row(
        &format!("port made and plugged, {size} ports"),
        create,
        create_floor,
        floor,
    );
    row(
        &format!("port removed, {size} ports"),
        remove,
        remove_floor,
        "ip link del",
    );
}

/// A tap on the host that is moved into the namespace and onto its bridge.
fn make_tap(fleet: &Fleet<'_>) {
    let namespace = &fleet.namespace;
    bare::ip(&[
        "tuntap add dev floor0 mode tap vnet_hdr".to_owned(),
        "link set dev floor0 mtu 1450".to_owned(),
        format!("link set dev floor0 netns {namespace}"),
    ]);
    let plug = [format!("link set dev floor0 master {BRIDGE} up")];
    bare::inside(namespace, || bare::ip(&plug));
}

fn delete_tap(fleet: &Fleet<'_>) {
    let delete = ["link del dev floor0".to_owned()];
    bare::inside(&fleet.namespace, || bare::ip(&delete));
}
