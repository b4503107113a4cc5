//! The log on a real disk: numbered, rotated, read backwards, whole after a crash.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use uuid::Uuid;

use super::*;
use crate::audit::AuditSettings;
use crate::audit::file::Files;

fn settings(dir: &tempfile::TempDir, file_size: u64, files: usize) -> AuditSettings {
    AuditSettings {
        dir: dir.path().join("audit"),
        file_size,
        files,
    }
}

fn entry(who: &str, decision: Decision) -> Entry {
    Entry {
        number: 0,
        at: Timestamp::now(),
        request: Uuid::nil(),
        decision,
        who: Some(who.parse().unwrap()),
        via: None,
        role: None,
        from: "uid 0".to_owned(),
        project: Some("default".to_owned()),
        what: "POST /v1/instances".to_owned(),
        on: "/v1/instances".to_owned(),
        status: None,
        code: None,
        dry_run: false,
        operations: Vec::new(),
    }
}

fn numbers(files: &Files, wanted: &Wanted) -> Vec<u64> {
    let found = read(&files.newest_first().unwrap(), wanted).unwrap();
    found.iter().map(|entry| entry.number).collect()
}

#[test]
fn entries_are_numbered_on_over_files_and_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::open(settings(&dir, 1000, 100)).unwrap();
    for _ in 0..20 {
        files.append(entry("alice", Decision::Allowed)).unwrap();
    }
    assert!(files.newest_first().unwrap().len() > 3);
    drop(files);
    let mut files = Files::open(settings(&dir, 1000, 100)).unwrap();
    files.append(entry("bob", Decision::Denied)).unwrap();
    let all: Vec<_> = (1..=21).rev().collect();
    assert_eq!(numbers(&files, &Wanted::newest(100)), all);
    assert_eq!(numbers(&files, &Wanted::newest(2)), [21, 20]);
}

#[test]
fn what_fits_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::open(settings(&dir, 700, 100)).unwrap();
    for number in 0..10 {
        let (who, decision) = if number % 2 == 0 {
            ("alice", Decision::Allowed)
        } else {
            ("bob", Decision::Denied)
        };
        files.append(entry(who, decision)).unwrap();
    }
    let wanted = |change: fn(&mut Wanted)| {
        let mut wanted = Wanted::newest(100);
        change(&mut wanted);
        wanted
    };
    let bob = wanted(|wanted| wanted.who = Some("bob".parse().unwrap()));
    assert_eq!(numbers(&files, &bob), [10, 8, 6, 4, 2]);
    let allowed = wanted(|wanted| (wanted.decision, wanted.before) = (Some(Decision::Allowed), Some(6)));
    assert_eq!(numbers(&files, &allowed), [5, 3, 1]);
    let elsewhere = wanted(|wanted| wanted.project = Some("other".to_owned()));
    assert!(numbers(&files, &elsewhere).is_empty());
    let later = wanted(|wanted| wanted.since = Some(Timestamp::now()));
    assert!(numbers(&files, &later).is_empty());
}

#[test]
fn the_oldest_files_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::open(settings(&dir, 1, 3)).unwrap();
    for _ in 0..10 {
        files.append(entry("alice", Decision::Allowed)).unwrap();
    }
    assert_eq!(files.newest_first().unwrap().len(), 3);
    assert_eq!(numbers(&files, &Wanted::newest(100)), [10, 9, 8]);
}

#[test]
fn a_line_that_a_crash_cut_off_harms_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::open(settings(&dir, 1 << 20, 3)).unwrap();
    files.append(entry("alice", Decision::Allowed)).unwrap();
    drop(files);
    let path = dir.path().join("audit/audit.log");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"number\":2,\"at\":").unwrap();
    let mut files = Files::open(settings(&dir, 1 << 20, 3)).unwrap();
    files.append(entry("alice", Decision::Done)).unwrap();
    assert_eq!(numbers(&files, &Wanted::newest(100)), [2, 1]);
}

#[test]
fn lines_longer_than_a_block_are_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let long = "x".repeat(usize::try_from(BLOCK).unwrap() + 17);
    std::fs::write(&path, format!("first\n{long}\n\nlast\n")).unwrap();
    let lines: Vec<_> = Lines::new(File::open(&path).unwrap())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        lines,
        [b"last".to_vec(), Vec::new(), long.into_bytes(), b"first".to_vec()]
    );
}

#[test]
fn nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    Files::open(settings(&dir, 1, 3)).unwrap();
    let mode = |path: &str| std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("audit"), mode("audit/audit.log")), (0o700, 0o600));
}
