//! The form's fields: `application/x-www-form-urlencoded`, as a browser sends it.

/// The most bytes a form may have. A name and a message need less; the rest is not meant well.
pub const BODY_LEN_MAX: usize = 16 * 1024;

/// The value of a field, decoded; `None` where it is missing.
pub fn field(body: &str, name: &str) -> Option<String> {
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| decode(value))
}

/// What somebody gives, in cents: `12`, `12.5` or `12,50`; nothing is 0. `None`: it is no amount.
pub fn cents(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() {
        return Some(0);
    }
    if whole.is_empty() || part.len() > 2 || !is_number(whole) || !is_number(part) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(part)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_a_browser_sends() {
        let body = "name=J%C3%BCrgen+K.&words=100%25%21";
        assert_eq!(field(body, "name").as_deref(), Some("Jürgen K."));
        assert_eq!(field(body, "words").as_deref(), Some("100%!"));
        assert_eq!(field(body, "other"), None);
    }

    #[test]
    fn reads_amounts() {
        let read = ["", "12", "12.5", "12,50", "0.07"].map(cents);
        assert_eq!(read, [Some(0), Some(1200), Some(1250), Some(1250), Some(7)]);
        for wrong in ["-1", ".5", "1.234", "ten", "1.2.3", "99999999999999999999"] {
            assert_eq!(cents(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bears_broken_escapes() {
        assert_eq!(field("name=%", "name").as_deref(), Some("%"));
        assert_eq!(field("name=%zz%4", "name").as_deref(), Some("%zz%4"));
        assert_eq!(field("name=%ff", "name").as_deref(), Some("\u{fffd}"));
    }
}
