"""Runs `describe` and transformers one after the other, several rounds, and prints a table of medians.

    cargo build --release -p language
    python compare.py --describe ../../../target/release/describe --model SmolLM2-135M-Instruct.Q4_1.gguf \\
        --folder DIR --threads 2 --rounds 5

`--folder` is where the f32 weights are written once, as Hugging Face publishes models: both read them there for
the comparison in f32 and bf16. On a machine that does other work besides, times swing; the runs of a round are
neighbours, so that ratios within rounds mean more than times, and their median is what is printed.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

PEER = Path(__file__).with_name("transformers_peer.py")


def main():
    parser = argparse.ArgumentParser(description="`describe` beside transformers.")
    parser.add_argument("--describe", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="llama.cpp file")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--prompt", default="Tell a long story about a lighthouse and the people who live in it.")
    arguments = parser.parse_args()
    if not (arguments.folder / "config.json").exists():
        subprocess.run([sys.executable, PEER, "--model", arguments.model, "--write-folder", arguments.folder],
                       check=True, stdout=subprocess.DEVNULL)
    common = ["--threads", str(arguments.threads), "--max-tokens", str(arguments.max_tokens),
              "--prompt", arguments.prompt]
    ours = [arguments.describe, "--greedy", "--json", *common]
    theirs = [sys.executable, PEER, "--model", arguments.folder, *common]
    runs = {
        "ours, Q4_1 of the file": [*ours, "--model", arguments.model],
        "ours, int8": [*ours, "--model", arguments.folder, "--storage", "int8"],
        "ours, bf16": [*ours, "--model", arguments.folder, "--storage", "bf16"],
        "ours, f32": [*ours, "--model", arguments.folder, "--storage", "f32"],
        "transformers, bf16": [*theirs, "--dtype", "bfloat16"],
        "transformers, f32": [*theirs, "--dtype", "float32"],
    }
    rounds = []
    for number in range(arguments.rounds):
        rounds.append({name: run(command) for name, command in runs.items()})
        rates = ", ".join(f"{name}: {r['tokens_per_second']:.1f}" for name, r in rounds[-1].items())
        print(f"round {number + 1}: {rates}", file=sys.stderr)
    fastest = lambda r: max(r[name]["tokens_per_second"] for name in runs if name.startswith("transformers"))
    print("| runner | tokens/s, median (range) | over the faster transformers, median of rounds | peak memory, MB | tokens |")
    print("|---|---:|---:|---:|---:|")
    for name in runs:
        rates = [r[name]["tokens_per_second"] for r in rounds]
        ratio = statistics.median(r[name]["tokens_per_second"] / fastest(r) for r in rounds)
        memory = statistics.median(r[name]["peak_rss_mb"] for r in rounds)
        print(f"| {name} | {statistics.median(rates):.1f} ({min(rates):.1f}-{max(rates):.1f}) | {ratio:.2f} | "
              f"{memory:.0f} | {rounds[0][name]['tokens']} |")
    texts = {name: r["text"] for name, r in rounds[0].items()}
    same = texts["ours, f32"] == texts["transformers, f32"]
    print(f"\nOurs and transformers in f32 answer {'the same' if same else 'different texts'}.")


def run(command):
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
