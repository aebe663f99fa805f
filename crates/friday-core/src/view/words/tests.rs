use super::*;

#[test]
fn one_is_not_many() {
    assert_eq!(count(0, "host"), "0 hosts");
    assert_eq!(count(1, "host"), "1 host");
    assert_eq!(count(2, "host"), "2 hosts");
}

#[test]
fn durations_have_at_most_two_parts() {
    for (ms, says) in [
        (0, "0 s"),
        (400, "0.4 s"),
        (2_000, "2 s"),
        (1, "0.1 s"),
        (9_940, "9.9 s"),
        (61_200, "61 s"),
        (300_000, "5 min"),
        (125_000, "2 min 5 s"),
        (3_900_000, "1 h 5 min"),
        (266_400_000, "3 d 2 h"),
    ] {
        assert_eq!(duration(ms), says, "{ms}");
    }
}

#[test]
fn sizes_keep_two_digits() {
    for (bytes, says) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (1_440_000, "1.4 MB"),
        (23_400_000_000, "23 GB"),
        (u64::MAX, "18446 PB"),
    ] {
        assert_eq!(size(bytes), says, "{bytes}");
    }
}

#[test]
fn long_lists_are_cut() {
    assert_eq!(names(["a", "b"], 3), "`a`, `b`");
    assert_eq!(names(["a", "b", "c", "d"], 2), "`a`, `b` and 2 more");
}
