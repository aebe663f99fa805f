use super::*;

const PRIVATE: &str = "\
    127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 \
    100.127.255.255 198.18.0.1 ::1 fc00::1 fd12:3456::1 fec0::1 ::ffff:127.0.0.1 ::ffff:10.1.2.3 \
    ::ffff:0:10.1.2.3 64:ff9b::c0a8:101 64:ff9b:1::1 2002:7f00:1:: 2002:c0a8:101::1 ::7f00:1";

const NEVER: &str = "\
    0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
    192.0.2.1 192.0.0.8 198.51.100.7 203.0.113.9 :: fe80::1 febf::1 ff02::1 fd00:ec2::254 \
    2001:db8::1 2001::1 ::ffff:169.254.169.254 2002:a9fe:a9fe:: 64:ff9b::a9fe:a9fe 4000::1 100::1";

const PUBLIC: &str = "\
    1.1.1.1 9.9.9.9 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 169.253.1.1 192.0.1.1 \
    198.17.255.255 198.20.0.1 223.255.255.255 2606:4700:4700::1111 2a00:1450:4001::200e \
    2001:4860:4860::8888 ::ffff:9.9.9.9 64:ff9b::909:909";

#[test]
fn each_address_lies_where_it_does() {
    for text in PRIVATE.split_whitespace() {
        let address = text.parse().expect("an address");
        assert!(matches!(reach(address), Reach::Private(_)), "{text}: {:?}", reach(address));
    }
    for text in NEVER.split_whitespace() {
        let address = text.parse().expect("an address");
        assert!(matches!(reach(address), Reach::Never(_)), "{text}: {:?}", reach(address));
    }
    for text in PUBLIC.split_whitespace() {
        let address = text.parse().expect("an address");
        assert_eq!(reach(address), Reach::Public, "{text}");
    }
}

#[test]
fn a_private_address_is_asked_for_one_host_and_one_purpose_and_some_never() {
    let policy = Policy::public_only().allow_private(Purpose::Feed, "Cal.Internal.");
    let home: IpAddr = "10.0.0.7".parse().expect("an address");
    let metadata: IpAddr = "169.254.169.254".parse().expect("an address");
    let public: IpAddr = "9.9.9.9".parse().expect("an address");
    assert_eq!(policy.check(Purpose::Feed, "cal.internal", home), Ok(()));
    assert_eq!(policy.check(Purpose::Notification, "elsewhere", public), Ok(()));
    let refused = |purpose, host, address| {
        policy.check(purpose, host, address).expect_err("it must not be asked").to_string()
    };
    let text = refused(Purpose::Notification, "cal.internal", home);
    assert!(text.contains("cal.internal") && text.contains("10.0.0.7"), "{text}");
    assert!(text.contains("allow_private"), "{text}");
    assert!(refused(Purpose::Feed, "other.internal", home).contains("allow_private"));
    let text = refused(Purpose::Feed, "cal.internal", metadata);
    assert!(text.contains("never") && !text.contains("allow_private"), "{text}");
}

#[test]
fn what_is_allowed_for_other_hosts_does_not_count_on_the_way() {
    let policy = Policy::public_only()
        .allow_private(Purpose::Feed, "a")
        .allow_private(Purpose::Feed, "b")
        .allow_private(Purpose::Notification, "a");
    let home: IpAddr = "10.0.0.7".parse().expect("an address");
    let only = policy.only(Purpose::Feed, "a");
    assert!(only.check(Purpose::Feed, "a", home).is_ok());
    assert!(only.check(Purpose::Feed, "b", home).is_err());
    assert!(policy.only(Purpose::Feed, "c").check(Purpose::Feed, "a", home).is_err());
}
