//! Weights in PyTorch pickles.

use super::*;

#[test]
fn a_wrapped_pickle_loads_like_its_safetensors_twin() {
    let (mut pickle, mut twin) = (Network::new(2), Network::new(2));
    let path = fixture("network.pth");
    let info = load(&mut pickle, Source::File(&path), &Mapping::PYTORCH).expect("its weights");
    let path = fixture("network.safetensors");
    load(&mut twin, Source::File(&path), &Mapping::PYTORCH).expect("its weights");
    assert_eq!(pickle.output(), twin.output());
    assert_eq!(info.n_tensors, 11);
}

/// As files of models in `channels_last` and with turned weights have them.
#[test]
fn views_are_read_by_their_strides() {
    let file = Checkpoint::open(Source::File(&fixture("strided.pth"))).expect("four views");
    let numbers = |key: &str| {
        let data = file.tensor(key).expect("it is in the file");
        (data.shape().to_vec(), data.iter::<f32>().map(|x| x as usize).collect::<Vec<_>>())
    };
    assert_eq!(numbers("plain"), (vec![2, 3, 2, 2], (0..24).collect()));
    let of = |n: usize| (0..3).flat_map(move |c| (0..4).map(move |at| 12 * n + 3 * at + c));
    assert_eq!(numbers("channels_last"), (vec![2, 3, 2, 2], (0..2).flat_map(of).collect()));
    let turned = (0..6).flat_map(|row| (0..4).map(move |column| 6 * column + row));
    assert_eq!(numbers("transposed"), (vec![6, 4], turned.collect()));
    assert_eq!(numbers("inner"), (vec![2, 2], vec![7, 8, 13, 14]));
}

#[test]
fn a_view_that_repeats_one_number_is_refused() {
    let path = fixture("repeated.pth");
    let error = load(&mut Network::new(2), Source::File(&path), &Mapping::PYTORCH);
    let message = error.expect_err("it would take 4 GB").to_string();
    assert!(message.contains("its tensors would take 4000000000 bytes"), "{message}");
}

#[test]
fn a_pickle_with_a_weight_too_many_is_refused() {
    let path = fixture("network.pth");
    let mapping = Mapping { ignored: &[], ..Mapping::PYTORCH };
    let error = load(&mut Network::new(2), Source::File(&path), &mapping);
    assert!(matches!(error, Err(Error::UnusedWeights { .. })));
}

#[test]
fn broken_pickles_are_refused() {
    let whole = std::fs::read(fixture("network.pth")).expect("the fixture is committed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("broken.pth");
    for bytes in [&whole[..whole.len() / 2], b"PK\x03\x04", b"\x80\x02cos\nsystem\nX"] {
        std::fs::write(&path, bytes).expect("the folder is writable");
        let error = load(&mut Network::new(2), Source::File(&path), &Mapping::PYTORCH);
        assert!(matches!(error, Err(Error::NotPytorch { .. })), "{error:?}");
    }
}

/// Four gigabytes of nothing, which are neither read nor copied.
#[test]
fn an_archive_without_a_directory_is_refused_unread() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sparse.pth");
    std::fs::write(&path, b"PK\x03\x04").expect("the folder is writable");
    let file = std::fs::File::options().write(true).open(&path).expect("it was written");
    file.set_len(4 << 30).expect("a file with a hole");
    let error = load(&mut Network::new(2), Source::File(&path), &Mapping::PYTORCH);
    let Err(Error::NotPytorch { source, .. }) = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("without a directory"), "{source}");
}
