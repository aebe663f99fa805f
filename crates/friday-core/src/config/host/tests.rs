//! Names of hosts and their ranges, and what is said about what is none.

use proptest::prelude::*;

use super::{HOSTS_MAX, WrittenHost, expand};

fn names(text: &str) -> Vec<String> {
    expand(text).expect(text).iter().map(WrittenHost::name).collect()
}

#[test]
fn ranges_are_written_out_in_order() {
    assert_eq!(names("web"), ["web"]);
    assert_eq!(names("web-[1-3]"), ["web-1", "web-2", "web-3"]);
    assert_eq!(
        names("web-[08-11].example.com"),
        ["web-08.example.com", "web-09.example.com", "web-10.example.com", "web-11.example.com",]
    );
    assert_eq!(names("[1-2]-[01-02]"), ["1-01", "1-02", "2-01", "2-02"]);
    assert_eq!(names("a[0-1]"), ["a0", "a1"]);
    assert_eq!(names("local:[1-3]"), ["local-1", "local-2", "local-3"]);
    assert_eq!(names("x[1-1000]").len(), HOSTS_MAX);
}

#[test]
fn user_port_and_ipv6() {
    let ssh = |user: Option<&str>, host: &str, port| WrittenHost::Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
    };
    assert_eq!(expand("deploy@web:2222"), Ok(vec![ssh(Some("deploy"), "web", Some(2222))]));
    assert_eq!(
        expand("deploy@web-[1-2]:22"),
        Ok(vec![ssh(Some("deploy"), "web-1", Some(22)), ssh(Some("deploy"), "web-2", Some(22))])
    );
    assert_eq!(expand("10.0.0.1"), Ok(vec![ssh(None, "10.0.0.1", None)]));
    assert_eq!(
        expand("deploy@[2001:DB8:0::1]:22"),
        Ok(vec![ssh(Some("deploy"), "2001:db8::1", Some(22))])
    );
    assert_eq!(expand("[::1]"), Ok(vec![ssh(None, "::1", None)]));
}

#[test]
fn the_same_host_has_one_identity() {
    let identity = |text| expand(text).expect(text)[0].identity();
    assert_eq!(identity("a@Web.example.com."), identity("b@web.example.com:22"));
    assert_eq!(identity("[2001:db8::1]"), identity("[2001:0db8:0:0::1]"));
    assert_ne!(identity("web-1"), identity("web-01"));
}

#[test]
fn each_mistake_is_named() {
    for (text, message) in [
        ("", "the name is empty"),
        ("deploy@", "the name is empty"),
        ("@web", "the name is empty"),
        ("local:", "the name is empty"),
        ("-oProxyCommand=x", "a host or user does not begin with a dash"),
        ("deploy@-web", "a host or user does not begin with a dash"),
        ("-l@web", "a host or user does not begin with a dash"),
        ("local:-x", "a host or user does not begin with a dash"),
        ("local:../up", "`.` is in no name of a host"),
        ("web 1", "` ` is in no name of a host"),
        ("web\n1", "`\\n` is in no name of a host"),
        ("web\u{1b}", "`\\u{1b}` is in no name of a host"),
        ("wéb", "`\\u{e9}` is in no name of a host"),
        ("a@b@c", "`@` is in no name of a host"),
        ("web:", "`` is not a port from 1 to 65535"),
        ("web:0", "`0` is not a port from 1 to 65535"),
        ("web:+22", "`+22` is not a port from 1 to 65535"),
        ("web:65536", "`65536` is not a port from 1 to 65535"),
        ("2001:db8::1", "there is more than one colon"),
        ("[1:2]", "`1:2` is not an IPv6 address"),
        ("web-[1-3", "`[1-3` is not a range"),
        ("web-1-3]", "`]` is not a range"),
        ("web-[1]", "`[1]` is not a range"),
        ("web-[a-c]", "`[a-c]` is not a range"),
        ("web-[3-1]", "the range `[3-1]` ends before it begins"),
        ("web-[1-1001]", "that would be more than 1000 hosts"),
        ("web-[1-99][1-99]", "that would be more than 1000 hosts"),
        ("web-[0-18446744073709551616]", "that would be more than 1000 hosts"),
        ("ssh://web", "this is a URL, not a host"),
    ] {
        let error = expand(text).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
        assert!(!error.hint().is_empty());
    }
}

proptest! {
    #[test]
    fn no_text_breaks_it_and_no_name_is_an_option(
        text in ".{0,30}|(local:)?[a-c@:.\\-\\[\\]0-9]{0,24}",
    ) {
        if let Ok(hosts) = expand(&text) {
            prop_assert!(!hosts.is_empty() && hosts.len() <= HOSTS_MAX);
            for host in hosts {
                let name = host.name();
                prop_assert!(!name.starts_with('-') && !name.contains(char::is_whitespace));
            }
        }
    }
}
