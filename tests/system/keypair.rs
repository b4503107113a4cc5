//! Key pairs: which public keys are taken, that a private one is kept nowhere, and who deletes one.

use berth_testkit::{Host, Libvirt};
use serde_json::json;

use crate::people::{ANN, MEL, STRANGER, daemon, member, project, token};
use crate::token::is_kept_nowhere;

/// Keys of security keys, which only such a key makes: their two algorithms (OpenSSH, PROTOCOL.u2f) around points that
/// ssh-keygen has made.
const SK: [&str; 2] = [
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIIr3oGpTCujAZIFypvZe8o+PMZB25G7UQgOIsbbdH3CjAAAABHNzaDo= me@token",
    "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBHODc179ifIu33yxhIV7SLib1oJYCvNscBuW5OvqoneF0/EVdiaFh6AHsjXeirMtT+wrRdemY4yLdvoYONcRqsgAAAAEc3NoOg== me@token",
];

/// A DSA key, which ssh-keygen of today makes no more.
const DSA: &str = "ssh-dss AAAAB3NzaC1kc3MAAACBAMMssidUAaqKyEGv/HTHywYR/2UXJo3lXBHNhULwfYg5Tl+hZlpImHXn4dP6nVAutV9FIklw\
    h/lb7WnIJIm44pc4C2wCUBui96upc7uQHiZ0O2nmxpMSp+JrDn9lA7lhg2VI2kSZP3cSyl3Xvhu9ik7X2yJivJCidGZPOD2YzKj7\
    AAAAFQDKu4tn+VIAjVuZp3Tm8CvFnDvroQAAAIEAqo15yfhwofgJqWA5K6nFZD95PaciFFpkJDewSTjoaW4URfdljETTiedVXSy7\
    yWwAv+KNOXDr2/lCnaSqzLkdcfZnTCMUt+tCys1LPA7euwpcRCmUAQ8WHebuGLQXxqATocZ5fZamnIiM9A/FG9rnTUJY4b1oH0Th\
    hrgVYUCFh3QAAACAKTLvROOyVsMMKdxo8l1APUfthXuqT6aEhAhYjrC/bD6CN5K2ssD+HFvChk5ylZ0sdFhFrZs3uWe5gfjmk6X0\
    elyRkWV8q5FXhYpEH7zmQlny702PQYDx+FMf/GrJmAnhhX1j5CQvIJgUcdVXpmGQPa8dyOpZxchmcZymJgGKYbA=";

/// What ssh-keygen writes for a new key: the private half and the public one.
fn generate(host: &Host, kind: &str, bits: &str) -> (String, String) {
    let file = host.dir().join(format!("{kind}-{bits}")).display().to_string();
    let new = ["-q", "-t", kind, "-b", bits, "-N", "", "-C", "me@laptop", "-f", &file];
    host.run("ssh-keygen", new);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let found = (read(&file), read(&format!("{file}.pub")));
    // What is looked for later is not to be found here.
    std::fs::remove_file(&file).unwrap();
    found
}

/// The fingerprint of a public key, as ssh-keygen prints it.
fn fingerprint(host: &Host, public: &str) -> String {
    let file = host.dir().join("asked.pub");
    std::fs::write(&file, public).unwrap();
    let printed = host.run("ssh-keygen", ["-l", "-f", file.to_str().unwrap()]);
    printed.split(' ').nth(1).unwrap().to_owned()
}

/// The lines of a private key that are its own: the first one of its body is every key's.
fn own_lines(private: &str) -> Vec<&str> {
    let body = private.lines().filter(|line| !line.contains("---"));
    body.skip(1).collect()
}

#[test]
fn public_keys_that_sshd_takes_are_imported_as_they_are() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    let kinds = [
        ("ed25519", "256"),
        ("rsa", "2048"),
        ("rsa", "4096"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
    ];
    let mut publics: Vec<String> = kinds.map(|(kind, bits)| generate(&host, kind, bits).1).to_vec();
    publics.extend(SK.map(str::to_owned));
    for (number, public) in publics.iter().enumerate() {
        let answer = root.post(
            "/v1/keypairs",
            &json!({ "name": format!("k{number}"), "public_key": public }),
        );
        let made = answer.ok();
        assert_eq!(made["public_key"], public.trim());
        assert_eq!(made["fingerprint"], fingerprint(&host, public).as_str());
        assert_eq!(made["private_key"], json!(null));
    }
    assert_eq!(
        root.get("/v1/keypairs").ok()["items"].as_array().unwrap().len(),
        publics.len()
    );
}

#[test]
fn other_keys_are_refused_and_a_private_one_is_kept_nowhere() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    let (openssh, public) = generate(&host, "ed25519", "256");
    let body = openssh.lines().filter(|line| !line.contains("---")).collect::<String>();
    // What people have in their files: with Windows' line ends, in one line, without the lines around it, as PEM, as PuTTY.
    let pem = pem(&host);
    let one_line = openssh.replace('\n', " ");
    let putty = format!("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{body}\n");
    let private = [
        (&openssh, "private key"),
        (&openssh.replace('\n', "\r\n"), "private key"),
        (&one_line, "private key"),
        (&pem, "private key"),
        (&putty, "private key"),
        (&body, "not an OpenSSH public key"),
        (&format!("ssh-ed25519 {body}"), "not an OpenSSH public key"),
    ];
    let short = generate(&host, "rsa", "1024").1;
    let two = format!("{public}{public}");
    let other = [
        (&short, "1024 bits"),
        (&DSA.to_owned(), "DSA"),
        (&two, "more than one line"),
        (&"hello".to_owned(), "not an OpenSSH public key"),
        (&String::new(), "not an OpenSSH public key"),
        (&public[..60].to_owned(), "not an OpenSSH public key"),
        (&"x".repeat(1 << 16), "at most"),
    ];
    for (text, says) in private.into_iter().chain(other) {
        let answer = root.post("/v1/keypairs", &json!({ "name": "laptop", "public_key": text }));
        let problem = answer.json();
        assert_eq!(
            (answer.status / 100, &problem["field"]),
            (4, &json!("public_key")),
            "{text}: {}",
            answer.text
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says) && detail.len() < 400, "{text}: {detail}");
        for line in own_lines(&openssh).into_iter().chain(own_lines(&pem)) {
            assert!(!detail.contains(line), "{detail}");
        }
    }
    assert_eq!(root.get("/v1/keypairs").ok()["items"], json!([]));
    for line in own_lines(&openssh).into_iter().chain(own_lines(&pem)) {
        is_kept_nowhere(&daemon, line);
    }
}

/// A private key as PEM.
fn pem(host: &Host) -> String {
    let file = host.dir().join("pem").display().to_string();
    host.run(
        "ssh-keygen",
        ["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", &file],
    );
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    text
}

#[test]
fn a_pair_is_shown_once_and_deleted_by_its_maker_alone() {
    let host = Host::new(Libvirt::Absent);
    let daemon = daemon(&host);
    let root = daemon.caller();
    project(&root, "red", &[("local:ann", "admin"), ("local:mel", "member")]);
    let (ann, mel) = (root.as_user(ANN), root.as_user(MEL));
    let made = mel.post("/v1/keypairs", &json!({ "name": "laptop" })).ok();
    let private = made["private_key"].as_str().unwrap();
    // It is the private half of what is kept.
    let file = host.dir().join("private");
    std::fs::write(&file, private).unwrap();
    host.run("chmod", ["600", file.to_str().unwrap()]);
    let public = host.run("ssh-keygen", ["-y", "-f", file.to_str().unwrap()]);
    assert_eq!(public.trim(), made["public_key"].as_str().unwrap());
    std::fs::remove_file(&file).unwrap();
    for answer in [
        mel.get("/v1/keypairs"),
        mel.get("/v1/keypairs/laptop"),
        root.in_project("red").get("/v1/keypairs"),
    ] {
        assert!(
            answer.text.contains(made["fingerprint"].as_str().unwrap()),
            "{}",
            answer.text
        );
        assert!(
            !answer.text.contains("private_key") && !answer.text.contains("PRIVATE"),
            "{}",
            answer.text
        );
    }
    for line in own_lines(private) {
        is_kept_nowhere(&daemon, line);
    }

    // Not an admin, not the operator, in no way; its maker, as long as they may work in the project.
    let delete = |caller: &berth_testkit::Caller| {
        let by_name = caller.ask("DELETE", "/v1/keypairs/laptop", "");
        let by_id = caller.ask("DELETE", &format!("/v1/keypairs/{}", made["id"].as_str().unwrap()), "");
        assert_eq!(by_name.status, by_id.status);
        (by_name.status, by_name.code())
    };
    let forbidden = (403, "forbidden".to_owned());
    let everywhere = token(&root, &json!({ "name": "everywhere", "operator": true }));
    let everywhere = root.as_user(STRANGER).with_token(&everywhere.bearer);
    assert_eq!(delete(&ann), forbidden);
    assert_eq!(delete(&root.in_project("red")), forbidden);
    assert_eq!(delete(&everywhere.in_project("red")), forbidden);
    member(&root, "red", "local:mel", "reader");
    assert_eq!(delete(&mel), forbidden);
    member(&root, "red", "local:mel", "member");
    let theirs = token(&mel, &json!({ "name": "ci" }));
    let theirs = root.as_user(STRANGER).with_token(&theirs.bearer);
    assert_eq!(theirs.ask("DELETE", "/v1/keypairs/laptop", "").status, 204);
    assert_eq!(mel.get("/v1/keypairs").ok()["items"], json!([]));
}
