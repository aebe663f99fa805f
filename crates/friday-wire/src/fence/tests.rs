use super::*;

fn fence(number: u64, start: &str, kind: FenceKind) -> Fence {
    Fence { number, start: StartId::new(start), kind }
}

#[test]
fn number_goes_before_start_and_the_kind_does_not_count() {
    let push = fence(2, "b", FenceKind::Push);
    assert_eq!(push, fence(2, "b", FenceKind::Rollback));
    assert!(push > fence(1, "z", FenceKind::Rollback));
    assert!(push > fence(2, "a", FenceKind::Rollback));
    assert!(push < fence(2, "c", FenceKind::Sweep));
    assert!(Fence::zero() < fence(0, "a", FenceKind::Push));
}

#[test]
fn it_names_its_kind_to_people() {
    assert_eq!(fence(7, "x", FenceKind::Rollback).to_string(), "7 (rollback x)");
}
