//! A fine-tuning run, from its arguments to its end.

mod args;
mod choice;
mod curve;
mod smoke;
mod watch;

use std::io::{self, Write};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use cifake::text::counted;
use cifake::{Threads, device};
use cifake_cli::{Spared, lock_folder};
use vlm_lora::lora::{Adapter, AdapterLimits};
use vlm_lora::models::Projector;
use vlm_lora::tune::{
    Chat, ConversationLimits, MemoryEstimate, Trainable, TrainableVlm, Tuner, TuningConfig,
    VisionExample, conversations, vision_examples,
};
use vlm_lora::{Assistant, LoraTargets};

pub use args::TuneArgs;

use choice::recipe;
use curve::draw_losses;
use watch::watch;

/// Trains as `args` say.
///
/// # Errors
/// A model, recipe or data that cannot be read, and those of [`Tuner`].
pub fn tune(args: TuneArgs) -> anyhow::Result<usize> {
    let threads = Threads::new(args.threads)?;
    let folder = tempfile::tempdir()?;
    let args = if args.smoke { smoke::args(args, folder.path())? } else { args };
    threads.install(|| run(&args)).map(|()| 0)
}

fn run(args: &TuneArgs) -> anyhow::Result<()> {
    let model = args.model.as_deref().context("--model is required")?;
    let spared = Spared::of(&args.data);
    spared.folder(&args.out)?;
    spared.files([&args.curve])?;
    let device = device::parse(&args.device)?;
    train(args, args.sight.open(model, args.storage, &device)?, &device)
}

/// The conversations of `args` to train on and those to hold out.
fn examples(
    args: &TuneArgs,
    chat: &Chat,
    config: &TuningConfig,
) -> anyhow::Result<[Vec<VisionExample>; 2]> {
    let mut sets = [Vec::new(), Vec::new()];
    for data in &args.data {
        let said = conversations(data, &ConversationLimits::default())?;
        let images = args.images.as_deref().or(data.parent()).context("--images is required")?;
        let examples = vision_examples(&said, chat, images, config);
        let mut examples = examples.with_context(|| data.display().to_string())?;
        let n_train = ((1.0 - args.held_out) * said.len() as f64).ceil() as usize;
        sets[1].extend(examples.split_off(n_train));
        sets[0].extend(examples);
    }
    Ok(sets)
}

fn train(args: &TuneArgs, model: Assistant, device: &Device) -> anyhow::Result<()> {
    ensure!((0.0..1.0).contains(&args.held_out), "--held-out is a share, at least 0 and below 1");
    let mut config = recipe(&args.recipe)?;
    config.epochs = args.epochs.unwrap_or(config.epochs);
    config.seed = args.seed.unwrap_or(config.seed);
    if model.tower().is_some() {
        let saved = config.lora.modules_to_save.get_or_insert_default();
        if saved.iter().all(|name| name != Projector::PATH) {
            saved.push(Projector::PATH.to_owned());
        }
    }
    let start = args.adapter.as_deref().map(|path| Adapter::open(path, &AdapterLimits::default()));
    let start = start.transpose()?;
    if let Some(adapter) = &start {
        config.lora = adapter.config().clone();
    }
    let [train, held_out] = examples(args, &Chat::of(&model)?, &config)?;
    let text = model.decoder().config().clone();
    let mut model = TrainableVlm::new(model.into_model());
    model.reader = cifake_cli::args::decoder();
    let base = MemoryEstimate::frozen(&mut model);
    let longest = train.iter().max_by_key(|example| example.encoded.tokens.len());
    let longest = longest.context("the data hold no conversation")?;
    let n_tokens = model.prepare(&[longest])?.embeddings.dims()[1];
    let lens = [n_tokens, longest.encoded.n_targets()];
    let memory = MemoryEstimate::new(&config, &mut model, base, &text, lens)?;
    let memory = memory.with_workers(args.workers.min(config.accumulation));
    if args.estimate {
        return Ok(writeln!(io::stdout(), "{memory}")?);
    }
    let n = counted(train.len(), "conversation");
    eprintln!("{n} to train on, {} held out; {memory}", held_out.len());
    let _lock = lock_folder(&args.out, "fine-tuning run")?;
    let tuner = Tuner::new(&mut model, config, start, [train, held_out], &args.out, device)?;
    let mut tuner = tuner.with_workers(args.workers);
    let outcome = watch(&mut tuner, args.json)?;
    let said = if args.json { serde_json::to_string(&outcome)? } else { outcome.to_string() };
    writeln!(io::stdout(), "{said}")?;
    match &args.curve {
        Some(file) => draw_losses(tuner.history(), file).context("the curve is not drawn"),
        None => Ok(()),
    }
}
