use proptest::prelude::*;

use super::*;

#[test]
fn only_64_lower_case_hexadecimal_digits_are_a_digest() {
    let good = "0123456789abcdef".repeat(4);
    assert_eq!(good.parse::<Digest>().expect("a digest").to_string(), good);
    let upper = good.to_uppercase();
    let (short, long) = (&good[1..], format!("{good}0"));
    let wide = "é".repeat(32);
    for wrong in ["", "0", short, &long, &upper, &good.replace('0', "g"), &wide] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_long_wrong_text_is_cut_in_the_message() {
    let error = "x".repeat(10_000).parse::<Digest>().expect_err("wrong");
    assert!(error.to_string().len() < 200);
}

proptest! {
    #[test]
    fn a_digest_survives_text_and_json(bytes in any::<[u8; 32]>()) {
        let id = ReleaseId(Digest(bytes));
        prop_assert_eq!(id.to_string().parse::<Digest>(), Ok(Digest(bytes)));
        let json = serde_json::to_string(&id).expect("plain data");
        prop_assert_eq!(&json, &format!("\"{id}\""));
        prop_assert_eq!(serde_json::from_str::<ReleaseId>(&json).expect("read"), id);
        prop_assert_eq!(id.short().len(), 12);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}") {
        let _ = text.parse::<Digest>();
    }
}
