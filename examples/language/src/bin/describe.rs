//! Asks a language model, about pictures or without.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::Threads;
use cifake_cli::args::threads;
use clap::Parser;
use language::{
    Answer, SamplingArgs, SightArgs, artifact_list, exit_code, tiny, warn_of_untrained,
};
use vlm_lora::WeightFormat;
use vlm_lora::generate::Constraint;
use vlm_lora::lora::{Adapter, AdapterLimits};

/// As in the other programs that compute much.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(1 << 28);

/// Answers a prompt, with or without pictures, and prints the answer while it is generated.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  describe --model Qwen2-VL-2B-Instruct --image photo.png --prompt 'What is in this picture?'
  describe --model Qwen2-VL-2B-Instruct --image photo.png --image heatmap.png --constrained \\
    --storage int8 --prompt 'What gives this picture away as generated?'
  describe --model MC-LLaVA-3b --image photo.png --enlarge canvas:700 --max-crops 8 --prompt 'What?'
  describe --model SmolLM2-135M-Instruct.Q4_1.gguf --greedy --prompt 'What is the capital of France?'

DIR is a folder as Hugging Face publishes it (config.json, safetensors with or without an index,
tokenizer.json, preprocessor_config.json) of Qwen2-VL, MC-LLaVA, Llama, Qwen2 or Phi, or a llama.cpp file.

--json prints one object: tokens (their number), text, prompt_tokens, tokens_per_second (from the first
token on), peak_rss_mb.

Exit code: 0 for an answer, 1 for an empty answer, 2 for an error."
)]
struct Args {
    /// Folder of the model, or llama.cpp file.
    #[arg(long, value_name = "DIR", required_unless_present = "smoke")]
    model: Option<PathBuf>,
    /// Picture. May be given several times.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// The question.
    #[arg(long, value_name = "TEXT", required_unless_present = "smoke")]
    prompt: Option<String>,
    #[command(flatten)]
    sight: SightArgs,
    /// Folder of a LoRA adapter as PEFT saves it.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Maximum number of tokens of the answer.
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_tokens: usize,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Restrict the answer to at most 7 known artifacts, each with a remark of at most 50 words.
    #[arg(long)]
    constrained: bool,
    /// Weight format: f32, f16, bf16, int8 or int4 [default: f32, or that of the llama.cpp file].
    #[arg(long)]
    storage: Option<WeightFormat>,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads; 0 takes as many as the machine has.
    #[arg(long, value_parser = threads, default_value_t = 0)]
    threads: usize,
    /// Print one JSON object at the end instead of the streamed text.
    #[arg(long)]
    json: bool,
    /// Ask a tiny random model, in a temporary folder.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    let args = cifake_cli::parsed::<Args>();
    let threads = Threads::new(args.threads).context("cannot start the threads");
    exit_code(threads.and_then(|threads| threads.install(|| run(args))))
}

/// Returns how many answers are empty.
fn run(mut args: Args) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    if args.smoke {
        tiny::write_model(folder.path())?;
        args.model = Some(folder.path().to_owned());
        args.prompt = Some("What is this?".to_owned());
        args.max_tokens = args.max_tokens.min(100);
        args.constrained = true;
    }
    let model = args.model.as_deref().context("--model is required")?;
    let prompt = args.prompt.as_deref().context("--prompt is required")?;
    let device = cifake::device::parse(&args.device)?;
    let mut assistant = args.sight.open(model, args.storage, &device)?;
    if let Some(adapter) = &args.adapter {
        let adapter = Adapter::open(adapter, &AdapterLimits::default())?;
        adapter.attach(&mut assistant, "adapter", &device, &AdapterLimits::default())?;
    }
    warn_of_untrained(&mut assistant);
    let decoder = cifake_cli::args::decoder();
    let pictures =
        args.image.iter().map(|path| decoder.read(path)).collect::<Result<Vec<_>, _>>()?;
    let prompt = assistant.ask(prompt, &pictures)?;
    let list = if args.constrained { Some(artifact_list(&assistant)?) } else { None };
    let generation = args.sampling.generation(args.max_tokens, assistant.defaults())?;
    let rule = list.as_ref().map(|list| list as &dyn Constraint);
    let n_prompt = prompt.len();
    let out: Box<dyn Write> = if args.json { Box::new(io::sink()) } else { Box::new(io::stdout()) };
    let mut answer = Answer::new(assistant.tokenizer().stream(), out);
    generation.run(assistant.decoder(), &[prompt], rule, &mut |_, token| answer.token(token))?;
    let (text, json) = answer.end(n_prompt)?;
    writeln!(io::stdout(), "{}", if args.json { json.to_string() } else { String::new() })?;
    Ok(usize::from(text.trim().is_empty()))
}
