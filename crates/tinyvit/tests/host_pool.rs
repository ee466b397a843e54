//! The host's thread pool stays the host's. One test alone in its process, because there is one
//! global pool a process.

use burn::tensor::Device;
use cifake::weights::{Precision, save_configured};
use cifake::{Detector, Threads};
use tinyvit::TinyVitConfig;

#[test]
fn a_detector_never_starts_the_global_thread_pool() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let config = TinyVitConfig::native();
    let threads = Threads::new(2).expect("two threads");
    threads.install(|| {
        let model = config.init(1, &Device::flex());
        let saved = save_configured(&model, &config, &[].into(), Precision::F16, &path);
        saved.expect("it is writable");
    });
    let picture = image::RgbImage::from_pixel(60, 50, image::Rgb([9, 99, 199]));
    picture.save(folder.path().join("a.png")).expect("it is writable");

    let builder = Detector::builder().device(&Device::flex()).in_threads(&threads);
    let detector = builder.open(&tinyvit::loader().into(), &path).expect("it was just written");
    detector.detect(&picture).expect("a whole picture");
    detector.detect_batch(vec![&picture; 70]).expect("whole pictures");
    let ended: Result<(), ()> =
        detector.detect_each([folder.path().join("a.png")], |_, outcome| {
            outcome.expect("a whole picture");
            Ok(())
        });
    assert_eq!(ended, Ok(()));

    let global = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    assert!(global.is_ok(), "somebody started the global pool before: {global:?}");
}
