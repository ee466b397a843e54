//! The same pictures as torchattacks and foolbox make, where nothing is drawn; as many turned
//! pictures, where something is.

use std::path::Path;

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, activation};
use cifake::{Classifier, Differentiable, Label};
use cifake_attacks::{
    Apgd, Attack, Epsilon, Fab, Norm, OnePixel, Pgd, Samples, Square, TargetModel, is_correct,
};
use testkit::Fixture;

/// Steps of the attacks in the fixture.
const STEPS: usize = 5;
/// Pictures whose success is counted.
const MANY: usize = 64;

/// The fixture's network: a convolution of stride 2, tanh, the mean, a linear layer.
struct Network {
    kernel: Tensor<4>,
    head: Tensor<2>,
}

impl Classifier for Network {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let (mut kernel, mut head) = (self.kernel.clone(), self.head.clone());
        if images.device().is_autodiff() {
            (kernel, head) = (Tensor::from_inner(kernel), Tensor::from_inner(head));
        }
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        let maps = activation::tanh(conv2d(images - 0.5, kernel, None, options));
        let [batch, channels, height, width] = maps.dims();
        let pooled = maps.reshape([batch, channels, height * width]).mean_dim(2);
        pooled.reshape([batch, channels]).matmul(head) * 40.0
    }
}

impl Differentiable for Network {}

fn references() -> (Fixture, Network) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let fixture = Fixture::load(folder.join("references.safetensors"));
    let device = Device::flex();
    let network = Network {
        kernel: fixture.tensor("kernel", &device),
        head: fixture.tensor("head", &device),
    };
    (fixture, network)
}

fn samples(fixture: &Fixture, images: &str, labels: &str) -> Samples {
    let labels = fixture.get(labels).expect("the fixture holds labels").iter::<f32>();
    let label = |class| if class == 1.0 { Label::Fake } else { Label::Real };
    let labels: Vec<Label> = labels.map(label).collect();
    let ids = (0..labels.len() as u64).collect();
    Samples::new(fixture.tensor(images, &Device::flex()), labels, ids)
}

#[test]
fn attacks_that_draw_nothing_make_the_references_pictures() {
    let (fixture, network) = references();
    let samples = samples(&fixture, "images", "labels");
    let linf = Epsilon::from_255(8.0).expect("finite");
    let l2 = Epsilon::new(0.5).expect("finite");
    let plain = |attack: Pgd| attack.with_steps(STEPS).from_picture();
    for (name, attack) in [
        ("fgsm", Pgd::fgsm(linf)),
        ("pgd_linf", plain(Pgd::linf(linf))),
        ("foolbox_linf", plain(Pgd::linf(linf))),
        ("pgd_l2", plain(Pgd::l2(l2))),
        ("foolbox_l2", plain(Pgd::l2(l2))),
        ("mi_fgsm", Pgd::mi_fgsm(linf, STEPS)),
    ] {
        let ours =
            attack.perturb(&TargetModel::new(&network), &samples, 1).expect("it has gradients");
        let theirs: Tensor<4> = fixture.tensor(&format!("adversarial.{name}"), &Device::flex());
        let moved = (theirs.clone() - samples.images.clone()).abs().max().into_scalar::<f32>();
        assert!(moved > 0.01, "{name}: the reference moved nothing");
        let apart = (ours.images - theirs).abs().max().into_scalar::<f32>();
        assert!(apart < 1e-5, "{name}: {apart}");
    }
}

/// Share of the pictures that `attack` turns, a mean over seeds.
fn turned(attack: &dyn Attack, network: &Network, samples: &Samples, n_seeds: usize) -> f64 {
    let of_seed = |seed: usize| {
        let target = TargetModel::new(network);
        let found = attack.perturb(&target, samples, seed as u64).expect("it has gradients");
        let right = is_correct(network, &found.images, &samples.labels);
        right.iter().filter(|right| !**right).count()
    };
    (0..n_seeds).map(of_seed).sum::<usize>() as f64 / (n_seeds * samples.len()) as f64
}

#[test]
fn attacks_that_draw_turn_as_many_pictures_as_the_references() {
    let (fixture, network) = references();
    let samples = samples(&fixture, "many.images", "many.labels");
    assert_eq!(samples.len(), MANY);
    let linf = (Norm::Linf, Epsilon::from_255(2.0).expect("finite"));
    let l2 = (Norm::L2, Epsilon::new(0.1).expect("finite"));
    let mut suite: Vec<(String, Box<dyn Attack>, f64)> = Vec::new();
    for (norm, epsilon) in [linf, l2] {
        // APGD and FAB find the same on a network this smooth; Square is given 1,000 queries.
        let name = |attack: &str| format!("turned.{attack}_{norm}");
        suite.push((name("apgd"), Box::new(Apgd::new(norm, epsilon)), 0.02));
        suite.push((name("fab"), Box::new(Fab::new(norm, epsilon)), 0.05));
        let square = Square::new(norm, epsilon).with_queries(1000);
        suite.push((name("square"), Box::new(square), 0.08));
    }
    let one_pixel = OnePixel::new().with_budget(100, 20);
    suite.push(("turned.one_pixel".to_owned(), Box::new(one_pixel), 0.08));
    for (name, attack, tolerance) in suite {
        let theirs: Vec<f64> =
            fixture.get(&name).expect("the fixture holds shares").iter::<f64>().collect();
        let theirs = theirs.iter().sum::<f64>() / theirs.len() as f64;
        let ours = turned(&*attack, &network, &samples, 3);
        assert!(theirs > 0.05 && theirs < 0.95, "{name}: {theirs} tells nothing");
        // To turn more is no fault.
        assert!(ours >= theirs - tolerance, "{name}: ours {ours}, theirs {theirs}");
        assert!(ours <= theirs + 2.0 * tolerance + 0.1, "{name}: ours {ours}, theirs {theirs}");
    }
}
