use super::*;

#[test]
fn the_back_off_doubles_and_ends() {
    let waits: Vec<u128> = (1..8).map(|failures| back_off(failures).as_millis()).collect();
    assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    assert_eq!(back_off(u32::MAX), BACK_OFF.1);
}
