"""Times torchattacks on the shipped detector beside ours, in turns, on the same pictures.

    pip install -r requirements.txt
    cargo build --release
    python attacks.py --ours ../../../target/release/cifake --data DATA

PGD-20 is compared by the time for all pictures. One-pixel attacks stop at different moments, so that
they are compared by the candidates that are judged a second, ours on the compiled plan. PyTorch gets the
network with each BatchNorm folded, which is the fastest that it runs without changing the numbers.
Prints one JSON object: the rates, and ratios of theirs to ours (above 1 ours is faster).
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import peers

ROOT = Path(__file__).resolve().parents[3]
WEIGHTS = ROOT / "crates" / "tinyvit" / "weights" / "native.safetensors"
BATCH = 50
EPSILON = 2 / 255
# torchattacks' own search is given few candidates: its speed does not depend on how many.
POPULATION, GENERATIONS = 100, 3


class Detector(torch.nn.Module):
    """The shipped network with two logits, [0, z]; counts the pictures that it is asked about."""

    def __init__(self):
        super().__init__()
        arguments = argparse.Namespace(model="native", weights=WEIGHTS, train=False)
        self.network = peers.folded(peers.normalized(arguments))
        self.asked = 0

    def forward(self, images):
        self.asked += len(images)
        z = self.network(images)
        return torch.cat([torch.zeros_like(z), z], 1)


def ours(arguments, attack, n):
    """Seconds of our attack on `n` pictures and how often each was classified on average."""
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.ours, "--data", arguments.data, "--attack", attack, "--limit", str(n),
                   "--out", folder, "--json"]
        environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
        report = json.loads(subprocess.check_output(command, env=environment))
    row = report["attacks"][0]
    return row["seconds"], row["mean_queries"]


def theirs(attack, model, n):
    """Seconds of torchattacks' attack on `n` random pictures, and how often each was classified."""
    generator = np.random.default_rng(1)
    seconds, model.asked = 0.0, 0
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        images = torch.from_numpy(generator.random((size, 3, 32, 32), dtype=np.float32))
        labels = model(images).argmax(1)
        model.asked -= size
        begun = time.perf_counter()
        attack(images, labels)
        seconds += time.perf_counter() - begun
    return seconds, model.asked / n


def main():
    import torchattacks

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True, help="the program cifake")
    parser.add_argument("--data", required=True, help="a data set as it takes it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = Detector()
    pgd = torchattacks.PGD(model, eps=EPSILON, alpha=EPSILON / 8, steps=20)
    pixel = torchattacks.OnePixel(
        model, pixels=1, steps=GENERATIONS, popsize=POPULATION, inf_batch=400)
    times = {"pgd_ours": [], "pgd_theirs": [], "pixel_ours": [], "pixel_theirs": []}
    for _ in range(arguments.rounds):
        times["pgd_ours"].append(ours(arguments, "pgd-linf@2", arguments.pictures)[0])
        times["pgd_theirs"].append(theirs(pgd, model, arguments.pictures)[0])
        for name, (seconds, asked) in (
            ("pixel_ours", ours(arguments, "one-pixel", 4)),
            ("pixel_theirs", theirs(pixel, model, 4)),
        ):
            times[name].append(4 * asked / seconds)
    median = {name: statistics.median(values) for name, values in times.items()}
    print(json.dumps({
        "threads": arguments.threads,
        "pgd20_seconds": {"ours": median["pgd_ours"], "torchattacks": median["pgd_theirs"]},
        "pgd20_ratio": median["pgd_theirs"] / median["pgd_ours"],
        "candidates_a_second": {"ours": median["pixel_ours"], "torchattacks": median["pixel_theirs"]},
        "one_pixel_ratio": median["pixel_ours"] / median["pixel_theirs"],
    }, indent=2))


if __name__ == "__main__":
    main()
