//! Data sets in folders and archives, well-formed or not.

use std::fs;
use std::path::Path;

use cifake::{
    Batches, Class, Dataset, DatasetError, Decoder, Error, ImageFolder, InputFit, Label,
    LabelNames, Split, Threads, find_images, image_files, load_pixels, open_dataset,
    open_dataset_named,
};
use tempfile::TempDir;

/// A PNG of 32x32 equal pixels.
fn png(level: u8) -> Vec<u8> {
    sized_png(level, 32)
}

fn sized_png(level: u8, side: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(side, side, image::Rgb([level, 1, 2]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("the encoder knows RGB");
    bytes.into_inner()
}

fn write(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("room");
    fs::write(path, content).expect("room");
}

/// Two splits; level 10 twice in train, level 20 in train and test, level 30 twice in test.
fn splits() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, level) in [
        ("train/REAL/0000.png", 10),
        ("train/REAL/0001 (2).png", 10),
        ("train/FAKE/0000 (10).png", 20),
        ("test/fake/0.png", 20),
        ("test/fake/1.png", 30),
        ("test/fake/2.png", 30),
        ("test/real/0 (3).png", 40),
    ] {
        write(folder.path(), name, &png(level));
    }
    folder
}

fn ids(dataset: &dyn Dataset) -> Vec<&str> {
    dataset.samples().iter().map(|sample| sample.id.as_str()).collect()
}

#[test]
fn a_class_folder_is_read_in_the_order_of_names_whatever_their_case() {
    let folder = splits();
    let test = open_dataset(folder.path(), Some(Split::Test)).expect("a data set");
    let expected = ["test/fake/0.png", "test/fake/1.png", "test/fake/2.png", "test/real/0 (3).png"];
    assert_eq!(ids(&*test), expected);
    let last = &test.samples()[3];
    assert_eq!((last.label, last.class), (Label::Real, Some(Class::Bird)));
    assert_eq!(last.split, Some(Split::Test));
    assert_eq!(*test.bytes(3).expect("it is there"), png(40));
    assert_eq!(open_dataset(folder.path(), None).expect("a data set").len(), 7);
}

#[test]
fn hidden_files_and_files_that_are_no_images_are_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["REAL/.hidden.png", "REAL/.git/a.png", "REAL/notes.txt", "FAKE/Thumbs.db"] {
        write(folder.path(), name, b"no picture");
    }
    assert!(matches!(open_dataset(folder.path(), None), Err(Error::NoImages { .. })));
    write(folder.path(), "REAL/deep/er/a.PNG", &png(1));
    write(folder.path(), "FAKE/no-extension", &png(2));
    write(folder.path(), "FAKE/broken.jpg", b"not really");
    let dataset = open_dataset(folder.path(), None).expect("a data set");
    assert_eq!(ids(&*dataset), ["FAKE/broken.jpg", "FAKE/no-extension", "REAL/deep/er/a.PNG"]);
}

#[cfg(unix)]
#[test]
fn links_that_lead_in_a_circle_end() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "REAL/a.png", &png(1));
    write(folder.path(), "FAKE/b.png", &png(2));
    symlink(folder.path(), folder.path().join("REAL/up")).expect("links work");
    symlink("nowhere", folder.path().join("REAL/nowhere.png")).expect("links work");
    let dataset =
        ImageFolder::open(folder.path(), None, &LabelNames::default()).expect("a data set");
    assert_eq!(ids(&dataset), ["FAKE/b.png", "REAL/a.png"]);
    assert_eq!(image_files(folder.path()).expect("images").len(), 2);
}

#[test]
fn a_folder_without_images_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = image_files(folder.path()).expect_err("it is empty");
    assert!(error.to_string().contains("holds no image"), "{error}");
    let Err(error) = open_dataset(folder.path(), None) else { panic!("it is empty") };
    assert!(matches!(error, Error::Dataset(DatasetError::UnknownDataset { .. })), "{error}");
    let Err(error) = open_dataset(&folder.path().join("missing"), None) else { panic!("missing") };
    assert!(matches!(error, Error::Read { .. }), "{error}");
}

#[test]
fn a_split_that_is_not_there_is_an_error() {
    let folder = splits();
    fs::remove_dir_all(folder.path().join("test")).expect("it is there");
    let Err(error) = open_dataset(folder.path(), Some(Split::Test)) else { panic!("no test set") };
    assert!(error.to_string().contains("`test`"), "{error}");
}

#[test]
fn batches_hold_what_decodes_and_name_what_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "FAKE/a.png", &png(1));
    write(folder.path(), "FAKE/b.png", b"broken");
    write(folder.path(), "FAKE/c.png", &sized_png(3, 50));
    write(folder.path(), "REAL/d.png", &png(4));
    let dataset = open_dataset(folder.path(), None).expect("a data set");
    let decoder = Decoder::default();
    let batches = || Batches::new(&*dataset, vec![3, 1, 2], 2, (32, 32), &decoder);
    let found: Vec<_> = batches().collect();
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0].indices[..], found[0].failed[0].0), (&[3][..], 1));
    assert!(found[0].failed[0].1.to_string().contains("FAKE/b.png"));
    assert_eq!(found[1].pictures[0].fit, InputFit::Resized);
    assert_eq!(found[1].pictures[0].original_width, 50);
    let images = found[1].images(&burn::tensor::Device::flex()).expect("one picture");
    assert_eq!(images.dims(), [1, 3, 32, 32]);

    let pool = Threads::new(2).expect("threads");
    let mut seen = Vec::new();
    let ended = batches().for_each_ahead(&pool, |batch| {
        seen.extend(batch.indices);
        if seen.len() == 2 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((seen, ended), (vec![3, 2], Err("enough")));

    let pixels = load_pixels(&*dataset, &[3, 0], (32, 32), &decoder).expect("both decode");
    assert_eq!(pixels, [[4, 1, 2].repeat(1024), [1, 1, 2].repeat(1024)].concat());
    let error = load_pixels(&*dataset, &[0, 1], (32, 32), &decoder).expect_err("one is broken");
    assert!(error.to_string().contains("FAKE/b.png"), "{error}");
}

fn named(real: &[&str], fake: &[&str]) -> LabelNames {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    LabelNames::new(owned(real), owned(fake)).expect("no name is there twice")
}

/// Number of pictures of each label.
fn count(dataset: &dyn Dataset) -> [usize; 2] {
    Label::ALL.map(|label| dataset.samples().iter().filter(|s| s.label == label).count())
}

#[test]
fn folders_are_known_by_the_names_of_published_data_sets() {
    for [real, fake] in [["REAL", "AI"], ["0_real", "1_fake"], ["nature", "ai"]] {
        let folder = tempfile::tempdir().expect("a folder");
        for split in ["train", "val"] {
            write(folder.path(), &format!("{split}/{real}/a.png"), &png(1));
            write(folder.path(), &format!("{split}/{fake}/b.png"), &png(2));
        }
        let open = |split| open_dataset(folder.path(), split).expect("a data set");
        assert_eq!(count(&*open(Some(Split::Validation))), [1, 1], "{real}");
        assert_eq!(count(&*open(None)), [2, 2], "{real}");
        assert!(open_dataset(folder.path(), Some(Split::Test)).is_err(), "{real}");
    }
}

#[test]
fn a_label_that_is_missing_beside_folders_of_unknown_names_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "REAL/a.png", &png(1));
    assert_eq!(count(&*open_dataset(folder.path(), None).expect("REAL alone")), [1, 0]);
    write(folder.path(), "renders/b.png", &png(2));
    let Err(error) = open_dataset(folder.path(), None) else { panic!("FAKE is missing") };
    assert!(
        matches!(error, Error::Dataset(DatasetError::OneClass { missing: Label::Fake, .. })),
        "{error}"
    );
    assert!(error.to_string().contains("`renders`"), "{error}");
    let names = named(&[], &["Renders"]);
    let both = open_dataset_named(folder.path(), None, &names).expect("a data set");
    assert_eq!(count(&*both), [1, 1]);
    fs::remove_dir_all(folder.path().join("REAL")).expect("it is there");
    let Err(error) = open_dataset(folder.path(), None) else { panic!("no label is known") };
    assert!(error.to_string().contains("`renders`"), "{error}");
}

#[test]
fn a_list_names_pictures_labels_and_splits() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a.png", &png(1));
    write(folder.path(), "deep/b.png", &png(2));
    let list = folder.path().join("list.csv");
    fs::write(&list, "a.png,real\ndeep/b.png, AI\n").expect("room");
    let plain = open_dataset(&list, Some(Split::Train)).expect("a list");
    assert_eq!((ids(&*plain), count(&*plain)), (vec!["a.png", "deep/b.png"], [1, 1]));
    assert_eq!(*plain.bytes(1).expect("it is there"), png(2));
    fs::write(&list, "label,note,file,split\nphotos,x,a.png,val\nfake,y,deep/b.png,train\n")
        .expect("room");
    let names = named(&["photos"], &[]);
    let train = open_dataset_named(&list, Some(Split::Train), &names).expect("a list");
    assert_eq!((ids(&*train), count(&*train)), (vec!["deep/b.png"], [0, 1]));
    for (content, reason) in [
        ("a.png,maybe\n", "`maybe`"),
        ("path,label,split\na.png,real,later\n", "`later`"),
        ("path,label\n,real\n", "names no file"),
        ("a.png\n", "no label"),
        ("path,label\na.png,real,more\n", "row 2"),
    ] {
        fs::write(&list, content).expect("room");
        let Err(error) = open_dataset(&list, None) else { panic!("{content}") };
        assert!(error.to_string().contains(reason), "{error}");
    }
}

fn found(argument: &Path) -> Vec<(String, bool)> {
    let search = find_images(argument).expect("something is found");
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    search.found.iter().map(|image| (name(&image.path), image.error.is_none())).collect()
}

#[cfg(unix)]
#[test]
fn patterns_end_where_links_lead_in_a_circle() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a.png", &png(1));
    write(folder.path(), "in/b.png", &png(2));
    write(folder.path(), ".hidden/c.png", &png(3));
    for name in ["up", "in/up", "in/again"] {
        symlink(folder.path(), folder.path().join(name)).expect("links work");
    }
    let whole = [("a.png".to_owned(), true), ("b.png".to_owned(), true)];
    for pattern in ["**/*.png", "**", "**/**/*.png", "*"] {
        assert_eq!(found(&folder.path().join(pattern)), whole, "{pattern}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_found() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    for name in [&b"a\xff.png"[..], b"a\xfe.png"] {
        fs::write(folder.path().join(OsStr::from_bytes(name)), png(1)).expect("room");
    }
    assert_eq!(found(&folder.path().join("*.png")).len(), 2);
    assert_eq!(found(&folder.path().join("a?.png")).len(), 2);
    let real = folder.path().join("REAL");
    fs::create_dir(&real).expect("room");
    for name in [&b"a\xff.png"[..], b"a\xfe.png"] {
        fs::write(real.join(OsStr::from_bytes(name)), png(1)).expect("room");
    }
    let dataset = open_dataset(folder.path(), None).expect("a data set");
    assert_eq!(ids(&*dataset), [r"REAL/a\xFE.png", r"REAL/a\xFF.png"]);
}

#[test]
fn a_folder_too_deep_to_search_is_named_and_the_rest_searched() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a.png", &png(1));
    write(folder.path(), &format!("{}b.png", "d/".repeat(40)), &png(2));
    for argument in [folder.path().to_owned(), folder.path().join("*")] {
        assert_eq!(found(&argument), [("a.png".to_owned(), true), ("d".to_owned(), false)]);
    }
    let error = image_files(folder.path()).expect_err("not all are found");
    assert!(matches!(error, Error::Dataset(DatasetError::TooDeep { limit: 32, .. })), "{error}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_takes_its_own_place() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.png", "b/c.png", "d.png"] {
        write(folder.path(), name, &png(1));
    }
    let closed = folder.path().join("b");
    let set = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode));
    set(0).expect("it is ours");
    let is_root = fs::read_dir(&closed).is_ok();
    let (all, matched) = (found(folder.path()), found(&folder.path().join("**/*.png")));
    set(0o755).expect("it is ours");
    let place = if is_root { ("c.png".to_owned(), true) } else { ("b".to_owned(), false) };
    let expected = [("a.png".to_owned(), true), place, ("d.png".to_owned(), true)];
    assert_eq!((&all[..], &matched[..]), (&expected[..], &expected[..]));
}

#[test]
fn pictures_of_formats_that_are_not_read_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a.png", &png(1));
    for name in ["b.HEIC", "c.tiff", "d.avif", "e.txt"] {
        write(folder.path(), name, b"something else");
    }
    let search = find_images(folder.path()).expect("one is found");
    assert_eq!((search.found.len(), search.unread.len()), (1, 3));
}
