use super::*;

fn argv(address: &Address, login: &LoginSettings, route: Route) -> Vec<String> {
    let program = HostProgram::new(&b"abc"[..]);
    let (fleet, host) = (FleetName::new("shop"), HostName::new("web-1"));
    let called = Called {
        conversation: Conversation::Connect,
        fleet: &fleet,
        host: &host,
        program: &program,
    };
    let command = command(address, login, Path::new("/srv/shop"), &called, route).expect("fine");
    let mut words = vec![command.program.to_owned()];
    words.extend(command.args);
    words
}

fn ssh(user: &str, host: &str, port: Option<u16>) -> Address {
    Address::Ssh { user: user.into(), host: host.into(), port }
}

#[test]
fn ssh_is_asked_strictly_and_the_destination_comes_last() {
    let login = LoginSettings { ssh_config: Some("ssh_config".into()), ..LoginSettings::default() };
    let words = argv(&ssh("deploy", "web-1", Some(2222)), &login, Route::Usual);
    let (command, before) = words.split_last().expect("words");
    assert_eq!(
        before.join(" "),
        "ssh -F /srv/shop/ssh_config -T -oBatchMode=yes -oStrictHostKeyChecking=yes \
         -oConnectTimeout=10 -oServerAliveInterval=5 -oServerAliveCountMax=3 \
         -oClearAllForwardings=yes -oRemoteCommand=none -oEscapeChar=none -p 2222 -- deploy@web-1"
    );
    let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let machine = std::env::consts::ARCH;
    assert!(command.starts_with("exec /bin/sh -c 'd=$1; h=$2; "), "{command}");
    assert!(
        command.ends_with(&format!(
            " 'friday' '.friday-host/shop' '{sha}' '3' '{machine}' 'shop' 'web-1' 'friday-host' 'connect'"
        )),
        "{command}"
    );
}

#[test]
fn a_key_exchange_and_ciphers_that_were_chosen_are_asked_for() {
    let login = LoginSettings {
        key_exchange: Some("curve25519-sha256".into()),
        ciphers: Some("^aes128-gcm@openssh.com".into()),
        ..LoginSettings::default()
    };
    let words = argv(&ssh("deploy", "web-1", None), &login, Route::Usual).join(" ");
    let chosen = " -oKexAlgorithms=curve25519-sha256 -oCiphers=^aes128-gcm@openssh.com -- ";
    assert!(words.contains(chosen), "{words}");
}

#[test]
fn a_new_connection_shares_none() {
    let words = argv(&ssh("a", "b", None), &LoginSettings::default(), Route::New);
    assert!(words.contains(&"-oControlPath=none".to_owned()), "{words:?}");
}

#[test]
fn a_local_host_is_the_same_script_in_a_shell() {
    let local = Address::Local { dir: ".friday/hosts/local-1".into() };
    let words = argv(&local, &LoginSettings::default(), Route::Usual);
    assert_eq!(words[..3], ["/bin/sh", "-c", SCRIPT]);
    assert_eq!(words[4], "/srv/shop/.friday/hosts/local-1");
}

#[test]
fn what_stands_beside_a_database_lies_apart_from_the_host() {
    let place = |dir| HostProgram::beside_databases(&b"abc"[..]).place(dir);
    assert_eq!(place(".friday/hosts/local-1"), ".friday/databases/local-1");
    assert_eq!(place(".friday/env/x/hosts/local-1"), ".friday/env/x/databases/local-1");
    assert_eq!(place("elsewhere/a"), "elsewhere-databases/a");
    assert_eq!(
        HostProgram::new(&b"abc"[..]).place(".friday/hosts/local-1"),
        ".friday/hosts/local-1"
    );
}

#[test]
fn any_login_shell_can_hand_the_script_on() {
    assert!(!SCRIPT.contains(['\'', '!', '\n']), "{SCRIPT}");
    assert_eq!(quoted("it's"), "'it'\\''s'");
}

#[test]
fn a_destination_is_never_an_option_or_a_command() {
    for (user, host) in [
        ("-oProxyCommand=x", "h"),
        ("u", "-oProxyCommand=x"),
        ("", "h"),
        ("u", ""),
        ("u", "h;x"),
        ("u", "$(x)"),
        ("u", "h x"),
        ("u@v", "h"),
        ("u", "h\n"),
    ] {
        assert!(destination(user, host).is_err(), "{user}@{host}");
    }
    assert_eq!(destination("deploy", "fe80::1%eth0").expect("fine"), "deploy@fe80::1%eth0");
}
