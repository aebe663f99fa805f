use proptest::prelude::*;

use super::*;

/// What nobody may read; no word of any message has it.
const HIDDEN: &str = "Zq9";

#[test]
fn of_a_url_scheme_and_host_are_seen() {
    let url =
        SecretUrl::parse(" HTTPS://user:hunter2@Hooks.Example.org:8443/services/T0/B0/x?k=v#f\n")
            .expect("a URL");
    assert_eq!(url.to_string().to_lowercase(), "https://hooks.example.org:8443/…");
    assert_eq!(format!("{url:?}"), url.to_string());
    assert_eq!(url.host(), "hooks.example.org");
    assert!(url.is_tls());
    assert!(url.expose().contains("/services/T0/B0/x?k=v"));
    assert_eq!(SecretUrl::parse("http://[::1]:80/x").expect("a URL").host(), "::1");
}

#[test]
fn other_schemes_and_no_urls_are_refused_without_their_text() {
    for (text, wanted) in [
        ("ftp://hidden.example/Zq9", UrlError::Scheme),
        ("file:///etc/Zq9", UrlError::Scheme),
        ("webcal://example.org/Zq9", UrlError::Webcal),
        ("Zq9", UrlError::NoUrl),
        ("", UrlError::NoUrl),
        ("https://", UrlError::NoUrl),
        ("https:///Zq9", UrlError::NoUrl),
        ("https://exa mple/Zq9", UrlError::NoUrl),
        ("javascript:Zq9", UrlError::NoUrl),
    ] {
        let error = SecretUrl::parse(text).expect_err("no URL");
        assert_eq!(error, wanted, "{text}");
        assert!(!format!("{error} {error:?}").contains(HIDDEN), "{error}");
    }
}

#[test]
fn a_service_that_repeats_what_it_was_asked_tells_no_secret() {
    let url =
        SecretUrl::parse("https://u:pw9@h.example/services/T00000000/B%2F1234567?sig=abcdefgh1")
            .expect("a URL");
    let says = "no /services/T00000000/B%2F1234567 with sig=abcdefgh1, B/1234567, or u:pw9, send";
    let clean = url.redact(says);
    for part in ["T00000000", "1234567", "abcdefgh1", "pw9"] {
        assert!(!clean.contains(part), "{clean}");
    }
    assert!(clean.contains("send") && clean.contains("[secret]"), "{clean}");
}

proptest! {
    #[test]
    fn no_text_about_a_url_has_its_secret_parts(
        host in "[a-y]{1,8}\\.invalid",
        user in "[a-z0-9]{0,6}",
        segment in "[a-zA-Z0-9%~._-]{0,12}",
        status in 100_u16..600,
    ) {
        // Wherever it stands, the mark is in what must not be seen.
        let text = format!("https://{user}{HIDDEN}:{HIDDEN}@{host}/{segment}{HIDDEN}?{HIDDEN}={HIDDEN}");
        let url = match SecretUrl::parse(&text) {
            Ok(url) => url,
            Err(error) => {
                let told = format!("{error} {error:?}");
                prop_assert!(!told.contains(HIDDEN));
                return Ok(());
            }
        };
        let told = format!("{url} {url:?}");
        prop_assert!(!told.contains(HIDDEN));
        let raw = url.expose();
        let io = || std::io::Error::other("it ended");
        let errors = [
            ureq::Error::BadUri(raw.clone()),
            ureq::Error::RequireHttpsOnly(raw.clone()),
            ureq::Error::StatusCode(status),
            ureq::Error::Io(io()),
            ureq::Error::Timeout(ureq::Timeout::Global),
            ureq::Error::HostNotFound,
            ureq::Error::TooManyRedirects,
            ureq::Error::RedirectFailed,
            ureq::Error::ConnectionFailed,
            ureq::Error::Other(raw.clone().into()),
        ];
        for stage in [Stage::Turn, Stage::Name, Stage::Connection, Stage::Answer, Stage::Body] {
            for error in &errors {
                let error = error::meant(error, &url.host(), stage, Duration::from_secs(1));
                let told = format!("{error} {error:?}");
                prop_assert!(!told.contains(HIDDEN), "{}", told);
            }
        }
        let answer = format!("cannot find {raw}");
        prop_assert!(!url.redact(&answer).contains(HIDDEN) || segment.len() + HIDDEN.len() < 6);
    }
}
