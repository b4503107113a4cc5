//! A group is given a rule, and has it taken away while a flow lives by it.

use std::process::{Command, Stdio};

use crate::fleet::{Fleet, OPEN, lets_in};
use crate::tcp::Flow;
use crate::{RUNS, bare, medians, row, timed};

/// The TCP port that the rule is about.
const CHANGED: u16 = 80;

pub(crate) fn measure(fleet: &Fleet<'_>) {
    let [asks, serves] = &fleet.guests;
    // A chain in the same table, that nothing leads to.
    let chain = ["add chain inet vpc floor".to_owned()];
    bare::inside(&fleet.namespace, || bare::nft(&chain));
    let with = {
        let mut vpc = fleet.vpc.clone();
        vpc.groups[0].rules.push(lets_in(CHANGED));
        vpc
    };
    let set = |vpc| fleet.lab.network.set_group(vpc, &fleet.ports, fleet.group()).unwrap();
    let mut checked = false;
    let [add, add_floor, remove, remove_floor] = medians(RUNS, || {
        let add = timed(|| set(&with));
        let mut flow = Flow::begin(asks, serves, CHANGED);
        let remove = timed(|| set(&fleet.vpc));
        // Silence takes long to hear.
        assert!(checked || !flow.lives(), "the flow lives on");
        checked = true;
        let _another = Flow::begin(asks, serves, OPEN);
        let (mut add_floor, mut end_floor) = Default::default();
        bare::inside(&fleet.namespace, || {
            add_floor = timed(write_chain);
            end_floor = timed(end_flows);
        });
        [add, add_floor, remove, add_floor + end_floor]
    });
    let size = fleet.size();
    row(&format!("rule added, {size} ports"), add, add_floor, "nft -f -");
    let what = format!("rule removed, {size} ports, live flow");
    row(&what, remove, remove_floor, "nft -f -, conntrack -D");
}

/// What a change of a rule is at the least: its chain anew.
fn write_chain() {
    let rule = |port: u16| format!("add rule inet vpc floor tcp dport {port} accept");
    bare::nft(&["flush chain inet vpc floor".to_owned(), rule(OPEN), rule(CHANGED)]);
}

fn end_flows() {
    let mut conntrack = Command::new("conntrack");
    conntrack.args(["-D", "-p", "tcp", "--dport", &OPEN.to_string()]);
    let ended = conntrack.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(ended.unwrap().success(), "conntrack found no flow");
}
