//! The Debian package, in a Debian that knows nothing of Berth: installed, booted, used and purged, under its systemd.
//!
//! ```text
//!   scripts/package ─▶ berth.deb ─▶ package/tree: a fresh Debian, dependencies in apt's cache
//!                          │              │ package/boot: a layer over it, in namespaces of its own, without a network
//!                          └─── apt-get install ─▶ systemd: berthd.socket, berthd.service ─▶ a guest ─▶ purge
//! ```
//!
//! So the units are held to what they promise: what they leave to the daemon (capabilities, system calls, devices) has
//! to be enough for all that is done here, and a guest's network has to outlive the daemon.

mod machine;

use machine::Machine;

#[test]
fn the_package_is_installed_into_a_fresh_debian_starts_and_is_purged() {
    let machine = Machine::boot();
    is_as_promised(&machine);
    the_socket_starts_the_daemon_for_root_and_the_group(&machine);
    a_guest_has_all_it_may_have(&machine);
    its_network_outlives_the_daemon(&machine);
    what_ends_is_taken_away(&machine);

    machine.sh("systemctl stop berthd.socket berthd.service; berthd clean; apt-get -q -y purge berth");
    // Caches are caches, and of guests libvirt keeps logs of its own.
    let others = "-path /root -o -path /var/cache -o -path /var/log/libvirt";
    let left = format!("find / /run -xdev '(' {others} ')' -prune -o -name '*berth*' -print");
    assert_eq!(machine.sh(&left), "", "the purge has left something");
    // It fails when it has nothing to list.
    let units = machine.sh("systemctl list-unit-files 'berth*' --no-legend || true");
    assert_eq!(units, "");
}

/// Who is there, what modes things have, what systemd, man, bash and logrotate make of what they find.
fn is_as_promised(machine: &Machine) {
    assert!(machine.sh("getent group berth").starts_with("berth:x:"));
    let files = "/run/berth /run/berth/berth.sock /var/lib/berth /var/log/berth /etc/berth/berthd.toml /usr/bin/berthd";
    assert_eq!(
        machine.sh(&format!("stat -c '%A %U %G %n' {files}")),
        "drwxr-xr-x root root /run/berth\n\
         srw-rw---- root berth /run/berth/berth.sock\n\
         drwx--x--x root root /var/lib/berth\n\
         drwxr-x--- root adm /var/log/berth\n\
         -rw-r--r-- root root /etc/berth/berthd.toml\n\
         -rwxr-xr-x root root /usr/bin/berthd"
    );
    assert_eq!(
        machine.sh("systemctl is-enabled berthd.socket berthd.service"),
        "enabled\nenabled"
    );
    assert_eq!(
        machine.sh("systemd-analyze verify berthd.socket berthd.service 2>&1"),
        ""
    );
    let man = machine.sh("man -P cat 5 berthd.toml; man -P cat 8 berthd; man -P cat 1 berth");
    assert!(man.contains("BERTHD_STATE_DIR") && man.contains("--check"), "{man}");
    for program in ["berth", "berthd"] {
        let complete = format!(". /usr/share/bash-completion/completions/{program}; complete -p {program}");
        machine.sh(&format!("bash -c '{complete}'"));
        machine.sh(&format!("test -s /usr/share/zsh/vendor-completions/_{program}"));
        machine.sh(&format!("test -s /usr/share/fish/vendor_completions.d/{program}.fish"));
    }
    machine.sh("echo line >/var/log/berth/berthd.log; logrotate --force /etc/logrotate.d/berth");
    machine.sh("test -f /var/log/berth/berthd.log.1; test ! -s /var/log/berth/berthd.log");
    assert_eq!(machine.sh("berthd --check"), "/etc/berth/berthd.toml is right");
}

fn the_socket_starts_the_daemon_for_root_and_the_group(machine: &Machine) {
    machine.sh("systemctl stop berthd.service");
    let shown = machine.sh("berth host show");
    assert!(shown.contains("qemu:///system"), "{shown}");
    assert_eq!(machine.sh("systemctl is-active berthd.service"), "active");
    // What it was left: the unit's capabilities, no more by any program it runs, and only some system calls.
    let limits = "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/$(pidof berthd)/status | tr -d '\\t\\n'";
    assert_eq!(machine.sh(limits), "CapBnd:00000000002034ebNoNewPrivs:1Seccomp:2");
    machine.sh("useradd member -G berth; useradd stranger");
    let as_user = |name: &str| format!("HOME=/tmp setpriv --reuid={name} --regid={name} --init-groups berth host show");
    machine.sh(&as_user("member"));
    let refused = machine.try_sh(&as_user("stranger"));
    assert!(!refused.status.success(), "a stranger is served");
}

/// A guest as Debian's own QEMU user, with Debian's own libvirt, and a public IP that its neighbours are told of.
fn a_guest_has_all_it_may_have(machine: &Machine) {
    machine.sh("ip link add up0 type veth peer name out0; ip link set up0 up; ip link set out0 up");
    let pool = "[[public_ip_pools]]\nname = \"office\"\ninterface = \"up0\"\nranges = [\"203.0.113.16/28\"]\n";
    machine.sh(&format!(
        "printf '{pool}' >>/etc/berth/berthd.toml; systemctl reload berthd"
    ));
    machine.wait_for("berth public-ip pools | grep -q office");

    machine.sh("berth image import /root/tiny.qcow2 --name tiny");
    machine.sh("berth keypair create laptop --out /root/laptop");
    machine.sh("berth instance create web --image tiny --type t1.nano --key laptop --public-ip");
    let user = machine.sh("stat -c %U /proc/$(pidof qemu-system-x86_64)");
    assert_eq!(user, "libvirt-qemu");
    machine.wait_for("test \"$(berth instance ssh web -i /root/laptop -- hostname)\" = web");
    machine.sh("berth volume create data --size 1; berth volume attach data web");
    machine.sh("berth volume extend data 2; berth snapshot create monday --volume data");
    machine.sh("berth image create-from-volume data --name saved; berth volume detach data");
}

/// The namespace is a mount: a daemon in a mount namespace of its own would take it along.
fn its_network_outlives_the_daemon(machine: &Machine) {
    let network = "ip netns list; pgrep -x dnsmasq; pgrep -x qemu-system-x86";
    let before = machine.sh(network);
    assert!(before.starts_with("berth-"), "no namespace is seen: {before}");
    machine.sh("systemctl stop berthd.service berthd.socket");
    assert_eq!(machine.sh(network), before);
    machine.sh("systemctl start berthd.service");
    assert_eq!(machine.sh(network), before);
    let hostname = machine.sh("berth instance ssh web -i /root/laptop -- hostname");
    assert_eq!(hostname, "web");
}

fn what_ends_is_taken_away(machine: &Machine) {
    machine.sh("berth instance stop web; berth instance shelve web; berth instance unshelve web");
    machine.sh("berth instance delete web");
    assert_eq!(machine.sh("berth host check"), "all is as the records have it");
    assert_eq!(machine.sh("systemctl --failed --no-legend"), "");
    let log = machine.sh("journalctl --unit berthd.service --no-pager");
    for line in log.lines() {
        assert!(!line.contains("not permitted") && !line.contains("denied"), "{line}");
    }
}
