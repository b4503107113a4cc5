//! The crash matrix of volumes: for every action and every step, the daemon is killed before the effect, after it, and
//! after it was written down; the step fails, before and after its effect; and the daemon dies while that is undone.
//! Afterwards the volume is where the volume table says, its guest has it or hasn't, with the data that was written to
//! it, and once it is deleted no file is left.
//!
//! The cases are made from the table, so that a new action is in it without being asked. The guest is one that runs
//! through all cases of an action, the volumes are new in each.

mod cases;
mod check;
mod scene;

use berth_model::VolumeAction;
use berth_testkit::{Daemon, Guest, Host, Key, Libvirt};

use self::cases::cases;
use self::scene::Scene;
use crate::matrix::each;

fn matrix(action: VolumeAction) {
    let host = Host::new(Libvirt::Started);
    let mut daemon = Daemon::start(&host);
    let key = Key::create(&daemon, "laptop");
    crate::volume::web(&daemon, &key, &[]);
    Guest::of(&daemon, "web").ssh(&key, "true");
    let before = check::held(&daemon);
    let cases = cases(action);
    for (number, case) in cases.iter().enumerate() {
        let scene = Scene::new(number, case, &key);
        scene.arrange(&daemon);
        let faults: Vec<_> = case.faults.iter().map(String::as_str).collect();
        daemon.faults(&faults);
        scene.ask(&daemon);
        if case.dies {
            daemon.wait_until_it_dies();
            daemon.faults(&[]);
            daemon.start_again();
        } else {
            check::rests(&daemon, &scene.subject());
            daemon.faults(&[]);
        }
        check::check(&daemon, &scene);
        scene::clear(&daemon);
        check::comes_to(&daemon, &before, &case.told());
    }
    println!("volume {action}: {} cases", cases.len());
    daemon.ok(["instance", "delete", "web"]);
    let left = daemon.inventory();
    assert!(!left.iter().any(|line| line.contains("/volumes/")), "{left:?}");
    assert!(daemon.terminate().success());
}

each! {
    VolumeAction, every_action_on_volumes_is_in_the_matrix:
    create = Create;
    attach = Attach;
    detach = Detach;
    extend = Extend;
    snapshot = Snapshot;
    save_as_image = SaveAsImage;
    delete = Delete;
}
