//! Texts: vocabularies, windows, files.

use std::io::Write;

use castnet_runtime::data::{Batches, Text, Vocabulary};
use castnet_runtime::train::Fit;
use flate2::Compression;
use flate2::write::GzEncoder;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn numbers_are_places_in_the_order_of_unicode() {
    let vocabulary = Vocabulary::of("naïve\n");
    assert_eq!(vocabulary.encode("\naenvï").unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(vocabulary.decode(&[3, 1, 5, 4, 2]).unwrap(), "naïve");
    let error = vocabulary.encode("nave!").unwrap_err().to_string();
    assert!(error.contains("character 4 is '!', which is not among the 6 of the vocabulary"), "{error}");
    let error = vocabulary.decode(&[0, 6]).unwrap_err().to_string();
    assert!(error.contains("token 1 is 6, expected 0 to 5"), "{error}");
}

#[test]
fn a_vocabulary_comes_back_from_a_state() {
    let text = Text::new("in the beginning\n\"§\"").unwrap();
    let windows = text.windows(3).unwrap();
    let mut state = Fit::new(&windows, 2).unwrap().state();
    state.extend(text.vocabulary().state());
    assert_eq!(&Vocabulary::from_state(&state).unwrap(), text.vocabulary());
    state.remove("text.vocabulary");
    let error = Vocabulary::from_state(&state).unwrap_err().to_string();
    assert!(error.contains("no entry `text.vocabulary`"), "{error}");
}

#[test]
fn windows_lie_side_by_side_and_next_is_one_further() {
    let text = Text::new("abcdefgh").unwrap();
    let windows = text.windows(3).unwrap();
    assert_eq!(windows.len(), 2);
    let mut batches = Batches::new(&windows, 2).unwrap();
    let Some([tokens, next]) = batches.next_batch().unwrap() else { panic!("no batch") };
    assert_eq!((tokens.shape(), next.shape()), (&[2, 3][..], &[2, 3][..]));
    assert_eq!(tokens.as_slice::<u32>().unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(next.as_slice::<u32>().unwrap(), [1, 2, 3, 4, 5, 6]);
    // The last window may end one before the end, no later.
    assert_eq!(text.windows(7).unwrap().len(), 1);
    for length in [0, 8, usize::MAX] {
        let error = text.windows(length).unwrap_err().to_string();
        assert!(error.contains("in a text of 8"), "{error}");
    }
}

#[test]
fn a_split_keeps_order_and_vocabulary() {
    let text = Text::new("abcdefghij").unwrap();
    let (train, validation) = text.clone().split(0.25).unwrap();
    assert_eq!([train.tokens(), validation.tokens()].concat(), text.tokens());
    assert_eq!(train.len(), 7);
    assert_eq!(train.vocabulary(), validation.vocabulary());
    for share in [0.0, 1.0, -0.1, 2.0, f64::NAN] {
        assert!(text.clone().split(share).is_err(), "{share}");
    }
}

#[test]
fn files_are_plain_or_gzip_and_must_be_text() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all("Amen.\n".as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let plain = Text::read(file(b"Amen.\n")).unwrap();
    assert_eq!(plain.vocabulary().decode(plain.tokens()).unwrap(), "Amen.\n");
    assert_eq!(Text::read(file(&gzip)).unwrap(), plain);
    let error = Text::read(file(b"Am\xffen")).unwrap_err().to_string();
    assert!(error.contains("byte 2") && error.contains("the byte ff"), "{error}");
    assert!(Text::read(file(&gzip[..gzip.len() - 4])).is_err());
    assert!(Text::read(file(b"")).is_err());
    assert!(Text::read("no such file").unwrap_err().to_string().contains("no such file"));
}
