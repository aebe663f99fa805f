use super::*;

const PROGRAM: usize = 3_000_000;

/// A line that carries so many bytes a second and has a delay: how long the program takes, and the most
/// bytes that were under way.
fn carry(rate: usize, delay: Duration) -> (Duration, usize) {
    let begin = Instant::now();
    let (mut now, mut free, mut most, mut expected) = (begin, begin, 0, 0);
    let mut pace = Pace::new(PROGRAM);
    let mut arriving = VecDeque::new();
    while !pace.is_over() {
        while let Some(piece) = pace.next(now) {
            assert_eq!(piece.start, expected, "in order, each byte once");
            expected = piece.end;
            free = free.max(now) + Duration::from_secs_f64(piece.len() as f64 / rate as f64);
            arriving.push_back(free + delay);
            most = most.max(pace.sent - pace.taken);
        }
        now = arriving.pop_front().expect("something is under way while it is not over");
        pace.got(now);
    }
    assert_eq!(expected, PROGRAM);
    (now - begin, most)
}

#[test]
fn a_slow_line_holds_what_it_carries_in_seconds() {
    for rate in [8_000, 16_000, 100_000] {
        let (took, most) = carry(rate, Duration::from_millis(50));
        let floor = Duration::from_secs_f64(PROGRAM as f64 / rate as f64);
        assert!(took < floor.mul_f64(1.1), "{rate}: {took:?} of {floor:?}");
        assert!(most <= (8 * rate).max(3 * PIECE_LEN_MIN), "{rate}: {most} under way");
    }
}

#[test]
fn a_fast_line_is_filled_within_a_few_round_trips() {
    for delay in [1, 20, 300].map(Duration::from_millis) {
        let (took, _) = carry(125_000_000, delay);
        assert!(took < 6 * delay + Duration::from_millis(60), "{delay:?}: {took:?}");
    }
}
