use proptest::prelude::*;

use super::*;

fn any_item() -> impl Strategy<Value = (u8, Vec<u32>, u64, u64, Vec<u8>)> {
    (
        1_u8..=8,
        proptest::collection::vec(any::<u32>(), 0..5),
        any::<u64>(),
        any::<u64>(),
        proptest::collection::vec(any::<u8>(), 0..300),
    )
}

fn item((kind, files, offset, length, packed): &(u8, Vec<u32>, u64, u64, Vec<u8>)) -> Item<'_> {
    let file = files.first().copied().unwrap_or(7);
    match *kind {
        GROUP => Item::Group { files: files.clone(), packed },
        FILE => Item::File { file, offset: *offset },
        BASE => Item::Base { file },
        PIECE => Item::Piece { packed },
        COPY => Item::Copy { offset: *offset, length: *length },
        PATCH => {
            let length = u32::try_from(*length % PATCH_BASE_MAX as u64).expect("bounded");
            Item::Patch { offset: *offset, length, packed }
        }
        ZEROS => Item::Zeros { length: *length },
        _ => Item::End,
    }
}

proptest! {
    #[test]
    fn items_come_out_as_they_went_in(seeds in proptest::collection::vec(any_item(), 0..8)) {
        let items: Vec<Item<'_>> = seeds.iter().map(item).collect();
        let mut bytes = Vec::new();
        items.iter().for_each(|item| item.write_to(&mut bytes));
        let mut at = 0;
        for wanted in &items {
            let (found, length) = read_item(&bytes[at..]).expect("right").expect("whole");
            prop_assert_eq!(&found, wanted);
            for cut in 0..length {
                prop_assert_eq!(read_item(&bytes[at..at + cut]), Ok(None));
            }
            at += length;
        }
        prop_assert_eq!(at, bytes.len());
    }

    #[test]
    fn no_bytes_make_it_panic_or_read_beyond(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(Some((item, length))) = read_item(&bytes) {
            prop_assert!(length <= bytes.len());
            let mut again = Vec::new();
            item.write_to(&mut again);
            prop_assert_eq!(&again[..], &bytes[..length]);
        }
    }
}

#[test]
fn lengths_beyond_the_limits_are_refused_before_they_arrive() {
    let mut bytes = vec![PIECE];
    write_number(&mut bytes, PACKED_LEN_MAX as u64 + 1);
    assert_eq!(read_item(&bytes), Err(PackError::Length));
    let mut bytes = vec![GROUP];
    write_number(&mut bytes, GROUP_FILES_MAX as u64 + 1);
    assert_eq!(read_item(&bytes), Err(PackError::Length));
    assert_eq!(read_item(&[0]), Err(PackError::Kind(0)));
    assert_eq!(read_item(&[ZEROS, 0x80, 0x00]), Err(PackError::Length));
    assert_eq!(read_item(&[0xff; 12][..0]), Ok(None));
}
