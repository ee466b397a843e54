//! A trained network that forgets, part by part.

use burn::tensor::Device;
use tinyvit::{TinyVit, TinyVitClassifier};

/// Puts a part of the second network in the place of the first one's.
type Forget = fn(&mut TinyVit, TinyVit);

/// Copies of `trained` whose parts have random weights, drawn from `seed`: the head, then the last
/// stage too, and so on to the whole network (the cascade of Adebayo et al. 2018, "Sanity checks for
/// saliency maps"); each with the name of the last part.
#[must_use]
pub fn cascade(trained: &TinyVitClassifier, seed: u64) -> Vec<(&'static str, TinyVitClassifier)> {
    let config = trained.config();
    let random = config.init(seed, &Device::flex());
    let mut model = trained.model().clone();
    let forget: [(&'static str, Forget); 6] = [
        ("head", |model, random| model.head = random.head),
        ("stage 3", |model, random| model.stages.3 = random.stages.3),
        ("stage 2", |model, random| model.stages.2 = random.stages.2),
        ("stage 1", |model, random| model.stages.1 = random.stages.1),
        ("stage 0", |model, random| model.stages.0 = random.stages.0),
        ("whole network", |model, random| model.patch_embed = random.patch_embed),
    ];
    forget
        .into_iter()
        .map(|(name, forget)| {
            forget(&mut model, random.clone());
            (name, TinyVitClassifier::new(&model, config.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Int, Tensor};
    use cifake::Classifier;
    use tinyvit::TinyVitConfig;

    use super::*;

    #[test]
    fn the_whole_network_is_forgotten_at_last() {
        let config = TinyVitConfig::native();
        let classifier =
            |seed| TinyVitClassifier::new(&config.init(seed, &Device::flex()), config.clone());
        let steps = cascade(&classifier(1), 2);
        let ramp = Tensor::<1, Int>::arange(0..3 * 32 * 32, &Device::flex()).float();
        let images = (ramp * 0.37).sin().reshape([1, 3, 32, 32]) * 0.5 + 0.5;
        let logits = |of: &TinyVitClassifier| of.logits(images.clone()).into_data();
        logits(&steps[5].1).assert_eq(&logits(&classifier(2)), true);
        assert_ne!(logits(&steps[0].1), logits(&classifier(1)));
        assert_ne!(logits(&steps[0].1), logits(&steps[1].1));
        assert_eq!(steps.last().map(|step| step.0), Some("whole network"));
    }
}
