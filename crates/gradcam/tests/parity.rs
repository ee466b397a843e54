//! The same maps as pytorch-grad-cam and captum make, on a small network.

use std::path::Path;

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, activation};
use cifake::{Classifier, Differentiable, FeatureClassifier, Label, Layer};
use gradcam::{Cam, Error, HeatMap, Method, Target, rank_correlation};
use testkit::{Fixture, assert_close};

/// Largest difference of maps from 0 to 1.
const LIMIT: f32 = 1e-4;
/// Side of the pictures.
const SIDE: usize = 16;

/// The fixture's network, cut at its second convolution.
struct Network {
    conv1: Tensor<4>,
    conv2: Tensor<4>,
    head: Tensor<2>,
    layers: [Layer; 2],
}

impl Network {
    fn new(fixture: &Fixture) -> Self {
        let device = Device::flex();
        let layer = |name: &str, channels, side| Layer {
            name: name.to_owned(),
            channels,
            height: side,
            width: side,
        };
        Self {
            conv1: fixture.tensor("conv1", &device),
            conv2: fixture.tensor("conv2", &device),
            head: fixture.tensor("head", &device),
            layers: [layer("conv2", 8, 8), layer("mean", 8, 1)],
        }
    }

    /// `weights` beside `x`: on an autodiff device where it is.
    fn beside<const D: usize>(x: &Tensor<4>, weights: &Tensor<D>) -> Tensor<D> {
        match x.device().is_autodiff() {
            true => Tensor::from_inner(weights.clone()),
            false => weights.clone(),
        }
    }
}

impl Classifier for Network {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.head(self.features(images, &self.layers[0]), &self.layers[0])
    }
}

impl Differentiable for Network {}

impl FeatureClassifier for Network {
    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn features(&self, images: Tensor<4>, _: &Layer) -> Tensor<4> {
        let options = |stride: usize| ConvOptions::new([stride; 2], [1, 1], [1, 1], 1);
        let (conv1, conv2) =
            (Self::beside(&images, &self.conv1), Self::beside(&images, &self.conv2));
        let x = activation::tanh(conv2d(images - 0.5, conv1, None, options(1)));
        activation::softplus(conv2d(x, conv2, None, options(2)), 1.0)
    }

    fn head(&self, x: Tensor<4>, _: &Layer) -> Tensor<2> {
        let head = Self::beside(&x, &self.head);
        let [batch, channels, height, width] = x.dims();
        (x.clone() * x).reshape([batch, channels * height * width]).matmul(head)
    }
}

fn references() -> (Fixture, Network, Tensor<4>, Vec<Label>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let fixture = Fixture::load(folder.join("references.safetensors"));
    let network = Network::new(&fixture);
    let images = fixture.tensor("images", &Device::flex());
    let targets = fixture.get("targets").expect("the fixture holds targets").iter::<f32>();
    let label = |target| if target == 1.0 { Label::Fake } else { Label::Real };
    let targets = targets.map(label).collect();
    (fixture, network, images, targets)
}

#[test]
fn maps_are_those_of_pytorch_grad_cam() {
    let (fixture, network, images, targets) = references();
    for (name, method) in [
        ("grad_cam", Method::GradCam),
        ("grad_cam_plus_plus", Method::GradCamPlusPlus),
        ("hires_cam", Method::HiResCam),
        ("layer_cam", Method::LayerCam),
        ("xgrad_cam", Method::XGradCam),
        ("eigen_cam", Method::EigenCam),
    ] {
        let maps = Cam::new(method).maps(&network, &images, &targets).expect("it has layers");
        let theirs: Tensor<3> = fixture.tensor(name, &Device::flex());
        let theirs: Vec<f32> = theirs.into_data().try_to_vec().expect("the fixture is f32");
        for (place, map) in maps.iter().enumerate() {
            let large = map.resized(SIDE, SIDE);
            let ours = HeatMap::scaled(large.values().to_vec(), SIDE, SIDE);
            let theirs = &theirs[place * SIDE * SIDE..][..SIDE * SIDE];
            let apart = ours.values().iter().zip(theirs).map(|(a, b)| (a - b).abs());
            let apart = apart.fold(0.0, f32::max);
            assert!(apart < LIMIT, "{name} of picture {place}: {apart}");
        }
    }
}

#[test]
fn grad_cam_is_captums() {
    let (fixture, network, images, targets) = references();
    let maps = Cam::new(Method::GradCam).maps(&network, &images, &targets).expect("it has layers");
    let theirs: Tensor<3> = fixture.tensor("captum", &Device::flex());
    for (place, map) in maps.iter().enumerate() {
        let theirs = theirs.clone().narrow(0, place, 1).into_data().try_to_vec().expect("f32");
        let theirs = HeatMap::scaled(theirs, 8, 8);
        let as_tensor = |map: &HeatMap| Tensor::<1>::from_floats(map.values(), &Device::flex());
        assert_close(&as_tensor(map), &as_tensor(&theirs), LIMIT, "captum");
    }
}

#[test]
fn a_layer_is_chosen_or_named_and_another_is_refused() {
    let (_, network, images, targets) = references();
    let cam = Cam::new(Method::GradCam);
    assert_eq!(cam.layer(&network).expect("there are layers").name, "conv2");
    assert_eq!(cam.clone().at("mean").layer(&network).expect("it is listed").name, "mean");
    let error = cam.clone().at("conv9").maps(&network, &images, &targets);
    let error = error.expect_err("it is not listed").to_string();
    assert!(error.contains("conv9") && error.contains("conv2, mean"), "{error}");
    assert!(matches!(cam.maps(&network, &images, &targets[1..]), Err(Error::Counts { .. })));
}

#[test]
fn a_mirrored_picture_has_the_mirrored_map_and_labels_differ() {
    let (_, network, images, targets) = references();
    let cam = Cam::new(Method::GradCam).with_flips();
    let maps = cam.maps(&network, &images, &targets).expect("it has layers");
    let mirrored = cam.maps(&network, &images.clone().flip([3]), &targets).expect("it has layers");
    for (map, mirrored) in maps.iter().zip(&mirrored) {
        assert!(rank_correlation(map, &mirrored.mirrored()) > 0.999);
    }
    let others: Vec<Label> = targets
        .iter()
        .map(|label| if *label == Label::Fake { Label::Real } else { Label::Fake })
        .collect();
    let others = cam.maps(&network, &images, &others).expect("it has layers");
    assert!(maps.iter().zip(&others).any(|(a, b)| rank_correlation(a, b) < 0.9));
}

#[test]
fn a_map_follows_its_target() {
    let (_, network, images, _) = references();
    let cam = Cam::new(Method::HiResCam);
    let maps = |target: Target| {
        cam.maps(&network, &images, &vec![target; images.dims()[0]]).expect("it has layers")
    };
    let [fake, margin, channel] =
        [Target::Score(Label::Fake), Target::Margin(Label::Fake), Target::Channel(3)].map(maps);
    assert!(fake != margin && margin != channel && fake != channel);
    // The gradient of a channel's mean is constant there and 0 elsewhere: its map is the channel.
    let layer = cam.layer(&network).expect("it has layers");
    let features = network.features(images.clone(), &layer);
    for (sample, map) in channel.iter().enumerate() {
        let plane = features.clone().narrow(0, sample, 1).narrow(1, 3, 1).into_data();
        let plane = plane.try_to_vec().expect("it is f32");
        let expected = HeatMap::scaled(plane, layer.height, layer.width);
        for (ours, theirs) in map.values().iter().zip(expected.values()) {
            assert!((ours - theirs).abs() < LIMIT, "{ours} {theirs}");
        }
    }
    let outside = cam.maps(&network, &images, &vec![Target::Channel(8); images.dims()[0]]);
    assert!(matches!(outside, Err(Error::Channel { channel: 8, n_channels: 8 })));
}
