//! Signed releases, with the system's own `ssh-keygen`.

use std::process::Command;

use crate::sandbox::{Sandbox, config};

/// Makes a key; returns its public half.
pub fn key(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.path().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(&path)
        .status();
    assert!(made.expect("ssh-keygen").success());
    std::fs::read_to_string(path.with_extension("pub")).expect("its public half")
}

fn signing_with(key: &str) -> String {
    let signed = format!("run = \"./app\"\nsign = {{ key = \"{key}\" }}");
    config("local:[1-3]").replace("run = \"./app\"", &signed)
}

/// A fleet on `v1`, unsigned, whose hosts take only what anna has signed from now on.
fn wary() -> Sandbox {
    let sandbox = Sandbox::fleet();
    assert_eq!(sandbox.friday(&["push"]).exit, 0);
    let public = key(&sandbox, "anna");
    let signers = format!("anna@example.com namespaces=\"friday-release\" {public}");
    for host in 1..=3 {
        sandbox.write(&format!(".friday/hosts/local-{host}/allowed_signers"), &signers);
    }
    sandbox
}

#[test]
fn what_nobody_signed_is_not_taken_and_nothing_is_changed() {
    let sandbox = wary();
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 4, "{}", push.all());
    for says in [
        "the push was refused; nothing was changed",
        "`local-1` does not take release",
        "it is not signed",
        "local-1/allowed_signers` there says who may sign",
        "`[release.sign]`",
    ] {
        assert!(push.stderr.contains(says), "{says}: {}", push.all());
    }
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
    // Nothing is wrong with the release: it is not quarantined, and signed it is taken.
    sandbox.write("friday.toml", &signing_with("anna"));
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 0, "{}", push.all());
}

#[test]
fn what_an_allowed_signer_signed_is_taken_and_the_way_back_needs_no_signature() {
    let sandbox = wary();
    sandbox.write("friday.toml", &signing_with("anna"));
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    assert!(push.stderr.contains("Signing with"), "{}", push.all());
    let back = sandbox.friday(&["rollback"]);
    assert_eq!(back.exit, 0, "{}", back.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn another_key_and_another_namespace_are_not_taken() {
    let sandbox = wary();
    let public = key(&sandbox, "bela");
    sandbox.write("friday.toml", &signing_with("bela"));
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 4, "{}", push.all());
    let signed = push.stderr.contains("signed with the key `SHA256:");
    assert!(signed && push.stderr.contains("its key is not listed there"), "{}", push.all());
    let signers = format!("bela@example.com namespaces=\"git\" {public}");
    for host in 1..=3 {
        sandbox.write(&format!(".friday/hosts/local-{host}/allowed_signers"), &signers);
    }
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 4, "{}", push.all());
    assert_eq!(sandbox.runs(), ["v1", "v1", "v1"]);
}

#[test]
fn a_signature_for_another_fleet_is_none() {
    let sandbox = wary();
    // The same key and release, signed for the fleet `shop-staging`.
    let staging = signing_with("anna") + "\n[env.staging.hosts]\nweb = [\"local:9\"]\n";
    sandbox.write("friday.toml", &staging);
    assert_eq!(sandbox.friday(&["push", "v2", "--env", "staging"]).exit, 0);
    let signatures = sandbox.path().join(".friday/env/staging/signatures");
    let to = sandbox.path().join(".friday/signatures");
    std::fs::rename(signatures, to).expect("moved");
    sandbox.write("friday.toml", &config("local:[1-3]"));
    let push = sandbox.friday(&["push", "v2"]);
    assert_eq!(push.exit, 4, "{}", push.all());
    assert!(push.stderr.contains("does not take release"), "{}", push.all());
}

#[test]
fn a_key_that_is_not_there_refuses_the_push_before_anything() {
    let sandbox = Sandbox::fleet();
    sandbox.write("friday.toml", &signing_with("missing"));
    let push = sandbox.friday(&["push"]);
    assert_eq!(push.exit, 4, "{}", push.all());
    assert!(push.stderr.contains("could not be signed; nothing was changed"), "{}", push.all());
}
