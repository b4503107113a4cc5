//! The verbs, the events and the link against a real libvirtd with real QEMU, on a private host.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use berth_domain_xml::{Accel, DomainSpec, Paths};
use berth_hypervisor::{DomainEvent, Hypervisor, HypervisorError, Link, Notice, Settings};
use berth_model::{
    Code, Firmware, GuestClock, GuestEvent, GuestStatus, InstanceId, Mib, OffReason, OsFamily, OwnerId, PauseReason,
};
use berth_testkit::{Host, Libvirt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

/// How long libvirt may take for what is not measured here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hypervisor on a private host, and what it says by itself.
struct Bed {
    hypervisor: Hypervisor,
    notices: UnboundedReceiver<Notice>,
    host: Host,
}

impl Bed {
    fn new(libvirt: Libvirt, call_deadline: Duration) -> Self {
        let host = Host::new(libvirt);
        let socket = host.dir().join("run/libvirt-sock");
        let (hypervisor, notices) = Hypervisor::start(Settings {
            uri: format!("qemu+unix:///system?socket={}", socket.display()),
            call_deadline,
            threads: 4,
        })
        .unwrap();
        Self {
            hypervisor,
            notices,
            host,
        }
    }

    fn up() -> Self {
        let bed = Self::new(Libvirt::Started, PATIENCE);
        bed.hypervisor.wait_up(PATIENCE).unwrap();
        bed
    }

    /// A guest without disks: firmware that looks for something to boot, for as long as it is let.
    fn spec(&self, id: InstanceId) -> DomainSpec {
        let dir = self.host.dir().join("guest");
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        DomainSpec {
            id,
            owner: OwnerId::new(),
            name: format!("berth-{id}"),
            title: "web".to_owned(),
            project: "default".to_owned(),
            accel: Accel::Tcg,
            vcpus: 1,
            memory: Mib(64),
            firmware: Firmware::Bios,
            tpm: false,
            os: OsFamily::Linux,
            clock: GuestClock::Utc,
            hyperv: false,
            disks: Vec::new(),
            nics: Vec::new(),
            paths: Paths {
                console_socket: dir.join(format!("{id}.console")),
                console_log: dir.join(format!("{id}.log")),
                vnc_socket: dir.join(format!("{id}.vnc")),
                nvram: dir.join(format!("{id}.nvram")),
            },
        }
    }

    fn status(&self, id: InstanceId) -> Option<GuestStatus> {
        self.hypervisor.status(id).unwrap()
    }

    /// The next notice.
    fn next(&mut self) -> Notice {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.notices.try_recv() {
                Ok(notice) => return notice,
                Err(TryRecvError::Empty) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                Err(error) => panic!("no notice: {error}"),
            }
        }
    }

    /// Reads the events of a domain until that one; what comes in between is returned with it.
    fn events_until(&mut self, id: InstanceId, last: &GuestEvent) -> Vec<GuestEvent> {
        let mut seen = Vec::new();
        while seen.last() != Some(last) {
            if let Notice::Event(DomainEvent { domain, event, .. }) = self.next()
                && domain == id
            {
                seen.push(event);
            }
        }
        seen
    }
}

#[test]
fn each_verb_makes_sure_and_is_told_of() {
    let mut bed = Bed::up();
    let id = InstanceId::new();
    let spec = bed.spec(id);
    let xml = spec.to_xml().unwrap();
    let hypervisor = bed.hypervisor.clone();
    assert_eq!(bed.status(id), None);

    for _ in 0..2 {
        hypervisor.define(&xml).unwrap();
        assert!(matches!(bed.status(id), Some(GuestStatus::Off(_))));
    }
    for _ in 0..2 {
        hypervisor.start_paused(id).unwrap();
        assert_eq!(bed.status(id), Some(GuestStatus::Paused(PauseReason::Asked)));
    }
    for _ in 0..2 {
        hypervisor.resume(id).unwrap();
        assert_eq!(bed.status(id), Some(GuestStatus::Running));
    }
    hypervisor.start_paused(id).unwrap();
    assert_eq!(bed.status(id), Some(GuestStatus::Running), "a guest that runs was held");
    hypervisor.shutdown(id).unwrap();

    let [summary] = hypervisor.domains().unwrap().try_into().unwrap();
    assert_eq!(
        (summary.id, &summary.name, summary.status),
        (id, &spec.name, GuestStatus::Running)
    );
    let identity = summary.identity.unwrap();
    assert_eq!((identity.instance, identity.owner), (id, spec.owner));

    for _ in 0..2 {
        hypervisor.destroy(id).unwrap();
        assert_eq!(bed.status(id), Some(GuestStatus::Off(OffReason::Destroyed)));
    }
    hypervisor.shutdown(id).unwrap();
    for _ in 0..2 {
        hypervisor.undefine(id).unwrap();
        assert_eq!(bed.status(id), None);
    }
    hypervisor.destroy(id).unwrap();

    let seen = bed.events_until(id, &GuestEvent::Undefined);
    let expected = [
        GuestEvent::Defined,
        GuestEvent::Started,
        GuestEvent::Resumed,
        GuestEvent::Stopped(OffReason::Destroyed),
        GuestEvent::Undefined,
    ];
    let at = |event| seen.iter().position(|one| one == event);
    let order: Vec<_> = expected.iter().map(at).collect();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{seen:?}");
}

#[test]
fn what_libvirt_refuses_comes_with_its_own_words() {
    let bed = Bed::up();
    let error = bed.hypervisor.start_paused(InstanceId::new()).unwrap_err();
    assert_eq!(error.code(), Code::HypervisorError);
    let text = error.to_string();
    assert!(
        text.contains("start a domain") && text.contains("Domain not found") && text.contains("42"),
        "{text}"
    );

    let error = bed.hypervisor.define("<domain>").unwrap_err();
    assert!(matches!(error, HypervisorError::Xml(_)), "{error}");
}

#[test]
fn what_others_define_is_listed_and_is_not_ours() {
    let bed = Bed::up();
    let file = bed.host.dir().join("stranger.xml");
    let xml = "<domain type='qemu'><name>stranger</name><memory unit='MiB'>64</memory>\
               <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
    fs::write(&file, xml).unwrap();
    bed.host.virsh(["define", file.to_str().unwrap()]);
    let [stranger] = bed.hypervisor.domains().unwrap().try_into().unwrap();
    assert_eq!((stranger.name.as_str(), stranger.identity), ("stranger", None));
}

#[test]
fn the_host_is_described() {
    let bed = Bed::up();
    let facts = bed.hypervisor.host().unwrap();
    assert!(facts.cpus >= 1 && facts.memory.0 >= 256, "{facts:?}");
    let shown = bed.host.run("virsh", ["-q", "-c", "qemu:///system", "version"]);
    assert!(
        shown.contains(&facts.libvirt_version) && shown.contains(&facts.qemu_version),
        "{facts:?} {shown}"
    );
}

#[test]
fn libvirt_that_is_away_is_said_at_once_and_found_when_it_is_back() {
    let mut bed = Bed::new(Libvirt::Absent, PATIENCE);
    let begun = Instant::now();
    assert!(bed.hypervisor.wait_up(Duration::from_millis(50)).is_err());
    let error = bed.hypervisor.domains().unwrap_err();
    assert_eq!(error.code(), Code::HypervisorUnavailable);
    assert!(
        begun.elapsed() < PATIENCE / 2,
        "a call waited for a libvirt that is not there"
    );
    assert!(matches!(bed.next(), Notice::Down { .. }));

    bed.host.start_libvirt();
    bed.hypervisor.wait_up(PATIENCE).unwrap();
    assert_eq!(bed.next(), Notice::Up);
    let id = InstanceId::new();
    bed.hypervisor.define(&bed.spec(id).to_xml().unwrap()).unwrap();

    bed.host.signal_libvirtd("-KILL");
    while bed.next()
        != (Notice::Down {
            reason: "libvirt closed the connection".to_owned(),
        })
    {}
    assert!(matches!(bed.hypervisor.link(), Link::Down { .. }));
    assert_eq!(
        bed.hypervisor.status(id).unwrap_err().code(),
        Code::HypervisorUnavailable
    );

    bed.host.start_libvirt();
    while bed.next() != Notice::Up {}
    assert!(bed.status(id).is_some(), "the definition is lost");
    bed.hypervisor.start_paused(id).unwrap();
    bed.events_until(id, &GuestEvent::Started);
}

#[test]
fn a_libvirt_that_hangs_costs_a_call_its_deadline_and_no_more() {
    let bed = Bed::new(Libvirt::Started, Duration::from_secs(1));
    bed.hypervisor.wait_up(PATIENCE).unwrap();
    bed.hypervisor.domains().unwrap();
    bed.host.signal_libvirtd("-STOP");
    // More calls than there are threads: those that wait for a thread are given up as well.
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let hypervisor = bed.hypervisor.clone();
            std::thread::spawn(move || hypervisor.domains().unwrap_err().code())
        })
        .collect();
    for call in calls {
        let code = call.join().unwrap();
        assert!(
            matches!(code, Code::DeadlineExceeded | Code::HypervisorUnavailable),
            "{code}"
        );
    }
    bed.host.signal_libvirtd("-CONT");
    let deadline = Instant::now() + PATIENCE;
    while bed.hypervisor.domains().is_err() {
        assert!(Instant::now() < deadline, "the threads are stuck for good");
    }
}

#[test]
fn slow_calls_do_not_hold_up_others() {
    let bed = Bed::up();
    let ids: Vec<_> = (0..8).map(|_| InstanceId::new()).collect();
    let threads: Vec<_> = ids
        .iter()
        .map(|id| {
            let (hypervisor, id, xml) = (bed.hypervisor.clone(), *id, bed.spec(*id).to_xml().unwrap());
            std::thread::spawn(move || {
                hypervisor.define(&xml).unwrap();
                hypervisor.start_paused(id).unwrap();
                hypervisor.resume(id).unwrap();
                assert_eq!(hypervisor.status(id).unwrap(), Some(GuestStatus::Running));
                hypervisor.destroy(id).unwrap();
                hypervisor.undefine(id).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(bed.hypervisor.domains().unwrap(), []);
    assert_eq!(bed.hypervisor.link(), Link::Up);
}
