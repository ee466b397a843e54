"""Runs a llama.cpp file in llama.cpp itself, by its Python binding, as `describe` runs it.

    pip install llama-cpp-python==0.3.36     # builds llama.cpp for this machine: a C++ compiler, some minutes
    python llama_cpp_peer.py --model MODEL.gguf --threads 2 --prompt "What is the capital of France?" --max-tokens 64

Prints the object that `describe --json` prints. Tokens are chosen greedily; the rate is that from the first token
on, as there.
"""

import argparse
import json
import time
from pathlib import Path

from llama_cpp import Llama
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from transformers_peer import peak_rss_mb


def main():
    parser = argparse.ArgumentParser(description="The same file in llama.cpp.")
    parser.add_argument("--model", type=Path, required=True, help="llama.cpp file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", default="What is the capital of France?")
    parser.add_argument("--max-tokens", type=int, default=64)
    arguments = parser.parse_args()
    model = Llama(str(arguments.model), n_ctx=512, n_threads=arguments.threads, n_threads_batch=arguments.threads,
                  verbose=False)
    template = model.metadata["tokenizer.chat_template"]
    chat = Jinja2ChatFormatter(template=template, eos_token="<|im_end|>", bos_token="<|im_start|>")
    text = chat(messages=[{"role": "user", "content": arguments.prompt}]).prompt
    prompt = model.tokenize(text.encode(), add_bos=False, special=True)
    tokens, times = [], []
    start = time.perf_counter()
    for token in model.generate(prompt, top_k=1, temp=0.0, repeat_penalty=1.0):
        if token == model.token_eos() or len(tokens) == arguments.max_tokens:
            break
        tokens.append(token)
        times.append(time.perf_counter())
    print(json.dumps({
        "tokens": len(tokens),
        "text": model.detokenize(tokens).decode(errors="replace"),
        "prompt_tokens": len(prompt),
        "prompt_seconds": times[0] - start,
        "tokens_per_second": (len(tokens) - 1) / (times[-1] - times[0]),
        "peak_rss_mb": peak_rss_mb(),
    }))


if __name__ == "__main__":
    main()
