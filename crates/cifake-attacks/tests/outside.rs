//! An attack of another crate, made of the public kit alone.

use burn::tensor::Tensor;
use cifake::{Classifier, Differentiable, Label, open_dataset};
use cifake_attacks::kit::{Objective, restarts};
use cifake_attacks::{
    Attack, Ensemble, Epsilon, Error, Goal, Loss, ModelId, Norm, Perturbed, RunOptions, Samples,
    TargetModel, evaluate_robustness, is_correct,
};
use serde::Serialize;

/// One gradient step from a random start.
#[derive(Debug, Serialize)]
struct Toy {
    epsilon: Epsilon,
    n_restarts: usize,
}

impl Attack for Toy {
    fn name(&self) -> String {
        format!("toy {}", Norm::L2.ball(self.epsilon))
    }

    fn epsilon(&self) -> Option<Epsilon> {
        Some(self.epsilon)
    }

    fn perturb(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let model = target.gradients(&self.name())?;
        let objective = Objective { goal: Goal::Untargeted, loss: Loss::Margin };
        let reach = Norm::L2.reach(self.epsilon);
        restarts(samples, self.n_restarts, |number, remaining, best| {
            let origin = &remaining.samples.images;
            let labels = &remaining.samples.labels;
            let start =
                remaining.samples.draw(seed, number, |rng, len| Norm::L2.draw(rng, len, reach));
            let images = Norm::L2.project(origin.clone() + start, origin, reach);
            let found = objective.differentiate(model, &images, labels);
            let step = Norm::L2.steepest(found.gradient) * (2.0 * reach);
            let images = Norm::L2.project(images + step, origin, reach);
            let margins = objective.differentiate(model, &images, labels).margins;
            remaining.indices.iter().for_each(|&index| best.n_gradients[index] += 2);
            best.offer(&remaining.indices, &images, &margins);
            Ok(())
        })
    }
}

/// Calls bright pictures FAKE.
struct Bright;

impl Classifier for Bright {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let mean = images.reshape([batch as i32, -1]).mean_dim(1) - 0.5;
        Tensor::cat(vec![-mean.clone(), mean], 1)
    }
}

impl Differentiable for Bright {}

fn toy() -> Toy {
    Toy { epsilon: Epsilon::new(0.2).expect("finite"), n_restarts: 3 }
}

#[test]
fn it_turns_pictures_within_its_ball() {
    // 0.2 in l2 over 72 values moves their mean by 0.0236.
    let device = burn::tensor::Device::flex();
    let near = Tensor::<4>::ones([1, 3, 4, 6], &device) * 0.51;
    let far = Tensor::<4>::ones([1, 3, 4, 6], &device) * 0.53;
    let images = Tensor::cat(vec![near, far], 0);
    let samples = Samples::new(images, vec![Label::Fake; 2], vec![1, 2]);
    let found = toy().perturb(&TargetModel::new(&Bright), &samples, 1).expect("white-box");
    assert_eq!(is_correct(&Bright, &found.images, &samples.labels), [false, true]);
    let sizes = Norm::L2.sizes(found.images - samples.images);
    assert!(sizes.iter().all(|&size| size <= 0.2), "{sizes:?}");
}

#[test]
fn it_stands_beside_the_attacks_of_this_crate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (label, level) in [("FAKE", 129), ("REAL", 90)] {
        let path = folder.path().join("data").join(label);
        std::fs::create_dir_all(&path).expect("the folder is writable");
        let image = image::RgbImage::from_pixel(6, 4, image::Rgb([level; 3]));
        image.save(path.join("1.png")).expect("the folder is writable");
    }
    let dataset = open_dataset(&folder.path().join("data"), None).expect("it was written");
    let ensemble = Ensemble::new("toys", Goal::Untargeted, vec![Box::new(toy())]);
    let suite: Vec<Box<dyn Attack>> = vec![Box::new(toy()), Box::new(ensemble)];
    let options = RunOptions::new((6, 4), folder.path().join("out"));
    let (target, id) = (TargetModel::new(&Bright), ModelId::new("bright", "0"));
    let report = evaluate_robustness(&target, &id, &*dataset, &suite, &options, &mut |_| {});
    let report = report.expect("it runs");
    for row in &report.attacks {
        assert_eq!((row.clean.value, row.robust_accuracy.value), (1.0, 0.5), "{report}");
    }
    // Rounding to 8 bits may add half a level to each value.
    assert!(report.attacks[0].median_l2 <= 0.2 + 0.5 / 255.0 * 72f64.sqrt(), "{report}");
}
