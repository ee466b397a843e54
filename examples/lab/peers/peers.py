"""Times TinyViT on other runtimes, with the weights, pictures and options of the program `latency`.

    pip install -r requirements.txt
    python peers.py --model 5m --write-weights 5m.safetensors
    python peers.py --runtime openvino --model 5m --weights 5m.safetensors --image-size 224 \\
        --batch 1 --threads 2 --iters 20 --json
    python peers.py --runtime torch --train --model native --batch 128 --threads 2 --iters 5 --json

The network is timm's own class, so the weights are in timm's naming; pixels are normalized inside,
and every runtime computes in f32. Each peer gets what makes it fastest without changing the numbers:
BatchNorm folded into the convolutions for inference, static shapes, one stream, buffers that are
reused. The ONNX file is made by a process of its own and kept under --cache, so that neither the time
nor the memory of the export is counted. A training step starts from random weights and has the outputs of
a detector, as in `latency`: one logit for native, else two classes. The detectors of detectors.py are timed
on torch alone; their weights are drawn by a seed.
"""

import argparse
import gc
import hashlib
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import detectors

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / "target" / "speed"
SEED = 20260601
OPSET = 20
# Calls before the first that counts, and how long they take at least.
WARM_UP_CALLS = 2
WARM_UP_SECONDS = 0.5
# PyTorch's counter of BatchNorm batches: read by no forward pass, absent from our own files.
COUNTER = "num_batches_tracked"

# ImageNet's, as in the published checkpoints, and a detector's.
N_CLASSES = 1000
N_LABELS = 2
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CENTRED = ((0.5,) * 3, (0.25,) * 3)
# `TinyVitConfig::native`; its strides are set in `network`.
NATIVE = dict(
    num_classes=1,
    embed_dims=(48, 96, 128, 160),
    depths=(2, 2, 6, 2),
    num_heads=(1, 3, 4, 5),
    window_sizes=(4, 8, 4, 4),
    drop_path_rate=0.0,
)
IMAGE_SIZES = {"5m": 224, "21m": 224, "native": 32} | dict.fromkeys(detectors.DETECTORS, detectors.SIDE)


def main():
    arguments = parse()
    if arguments.write_weights and arguments.model in detectors.DETECTORS:
        detectors.write_weights(arguments.model, arguments.write_weights)
    elif arguments.write_weights:
        write_weights(arguments.model, arguments.write_weights)
    elif arguments.write_onnx:
        write_onnx(arguments, arguments.write_onnx)
    else:
        report(measured(arguments), arguments.json)


def parse():
    parser = argparse.ArgumentParser(description="Times TinyViT on other runtimes.")
    parser.add_argument("--runtime", choices=RUNTIMES, default="torch")
    parser.add_argument("--model", choices=IMAGE_SIZES, required=True)
    parser.add_argument("--image-size", type=int, help="default: 224, 32 for native")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--iters", type=int, default=10)
    parser.add_argument("--train", action="store_true", help="time a training step (torch alone)")
    parser.add_argument("--weights", type=Path, help="safetensors; random weights without it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the ONNX files")
    parser.add_argument("--write-weights", type=Path, help="only write random weights to this file; of a detector, to this folder")
    parser.add_argument("--write-onnx", type=Path, help="only export the network to this file")
    arguments = parser.parse_args()
    arguments.image_size = arguments.image_size or IMAGE_SIZES[arguments.model]
    if arguments.train and not arguments.runtime.startswith("torch"):
        parser.error("--train needs a --runtime of torch")
    if arguments.model in detectors.DETECTORS:
        if arguments.train or arguments.weights or not arguments.runtime.startswith("torch"):
            parser.error("a detector needs a --runtime of torch, and neither --train nor --weights")
        if arguments.image_size != detectors.SIDE:
            parser.error(f"a detector reads pictures of {detectors.SIDE}x{detectors.SIDE}")
    if arguments.train and arguments.weights:
        parser.error("training is timed from random weights")
    return arguments


# The network and its weights.


def network(model, n_classes=N_CLASSES):
    """timm's network for `model`, as timm initialises it; native has one output."""
    from timm.models import tiny_vit

    if model != "native":
        return getattr(tiny_vit, f"tiny_vit_{model}_224")(num_classes=n_classes)
    native = tiny_vit.TinyVit(**NATIVE)
    native.patch_embed.conv1.conv.stride = (1, 1)
    native.stages[3].downsample.conv2.conv.stride = (1, 1)
    return native


def draw(name, tensor, generator):
    """A random value for the weight `name`, at a scale that keeps activations near 1."""
    import torch

    normal = torch.randn(tensor.shape, generator=generator)
    if name.endswith("attention_biases"):
        return normal
    if name.endswith("running_mean"):
        return 0.2 * normal
    if name.endswith("bias"):
        return 0.1 * normal
    if tensor.ndim == 1:  # scales and variances
        return 0.5 + torch.rand(tensor.shape, generator=generator)
    return normal / tensor[0].numel() ** 0.5


def randomise(module):
    """Draws every weight: a fresh network hides errors, since its norms and biases do nothing."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not name.endswith(COUNTER):
                tensor.copy_(draw(name, tensor, generator))


def load(module, path):
    """Loads a safetensors strictly, in f32 whatever it is stored in."""
    from safetensors.torch import load_file

    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    for name, tensor in module.state_dict().items():
        if name.endswith(COUNTER):
            weights.setdefault(name, tensor)
    module.load_state_dict(weights, strict=True)


def write_weights(model, path):
    """Writes random weights for `model`, the same ones each time."""
    from safetensors.torch import save_file

    module = network(model)
    randomise(module)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(module.state_dict(), path)


def normalized(arguments):
    """The network with its weights, reading pixels in [0, 1], in training mode."""
    import torch

    class Normalized(torch.nn.Module):
        def __init__(self, inner, mean, std):
            super().__init__()
            self.inner = inner
            self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

        def forward(self, images):
            return self.inner((images - self.mean) / self.std)

    inner = network(arguments.model, N_LABELS if arguments.train else N_CLASSES)
    if arguments.weights:
        load(inner, arguments.weights)
    else:
        randomise(inner)
    return Normalized(inner, *(CENTRED if arguments.model == "native" else IMAGENET)).train()


def folded(module):
    """`module` for inference: evaluation mode, each BatchNorm folded into its convolution."""
    from timm.utils.model import reparameterize_model

    return reparameterize_model(module.eval(), inplace=True).requires_grad_(False)


# The calls that are timed: each function returns a call without arguments that answers with the head's outputs.


def pictures(arguments):
    """Pixels in [0, 1], `[batch, 3, image_size, image_size]`, a function of their index alone."""
    shape = (arguments.batch, 3, arguments.image_size, arguments.image_size)
    index = np.arange(np.prod(shape), dtype=np.int64)
    levels = (index * 7919 + 13) % 256
    return (levels.astype(np.float32) / np.float32(255)).reshape(shape)


def torch_step(arguments):
    """PyTorch eager: the forward pass, or a training step with AdamW."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)
    last = arguments.runtime == "torch-channels-last"
    layout = torch.channels_last if last else torch.contiguous_format
    images = torch.from_numpy(pictures(arguments)).to(memory_format=layout)
    if arguments.train:
        return training_step(normalized(arguments).to(memory_format=layout), images)
    if arguments.model in detectors.DETECTORS:
        module = detectors.DETECTORS[arguments.model]().network()
    else:
        module = folded(normalized(arguments))
    module = module.to(memory_format=layout)

    def step():
        with torch.inference_mode():
            return module(images).numpy()

    return step


def training_step(module, images):
    """Forward, backward and update; labels alternate between the classes 0 and 1."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    labels = torch.arange(len(images)) % 2
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        outputs = module(images)
        if outputs.shape[1] == 1:
            loss = binary_cross_entropy_with_logits(outputs[:, 0], labels.float())
        else:
            loss = cross_entropy(outputs, labels)
        loss.backward()
        optimizer.step()

    return step


def onnxruntime_step(arguments):
    """ONNX Runtime's CPU provider, all of its graph optimizations on."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    path = str(onnx_file(arguments))
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {"images": pictures(arguments)}
    return lambda: session.run(None, inputs)[0]


def openvino_step(arguments):
    """OpenVINO's CPU plugin for latency: one stream, and one request whose buffers are reused."""
    import openvino as ov

    core = ov.Core()
    compiled = core.compile_model(core.read_model(onnx_file(arguments)), "CPU", {
        "INFERENCE_NUM_THREADS": arguments.threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    })
    request = compiled.create_infer_request()
    request.get_input_tensor().data[:] = pictures(arguments)
    return lambda: request.infer(share_outputs=True)[0]


RUNTIMES = {
    "torch": torch_step,
    "torch-channels-last": torch_step,
    "onnxruntime": onnxruntime_step,
    "openvino": openvino_step,
}


# ONNX files.


def onnx_file(arguments):
    """The exported network: kept under a name that tells weights, versions and this file apart."""
    versions = [importlib.metadata.version(name) for name in ("onnx", "onnxscript", "timm", "torch")]
    content = hashlib.sha256("\n".join(versions).encode())
    content.update(Path(__file__).read_bytes())
    content.update(arguments.weights.read_bytes() if arguments.weights else b"")
    name = f"{arguments.model}-{arguments.image_size}-b{arguments.batch}"
    path = arguments.cache / f"{name}-{content.hexdigest()[:12]}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        export = [sys.executable, __file__, *sys.argv[1:], "--write-onnx", str(part)]
        subprocess.run(export, check=True, stdout=subprocess.DEVNULL)
        part.replace(path)
    return path


def write_onnx(arguments, path):
    """Exports the network for this batch and picture size alone."""
    import torch

    module = folded(normalized(arguments))
    images = torch.from_numpy(pictures(arguments))
    with torch.no_grad():
        module(images)  # timm then keeps each attention bias as one constant
        torch.onnx.export(
            module, (images,), path, input_names=["images"], output_names=["outputs"],
            opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
        )


# Measuring.


def measured(arguments):
    """The times of `--iters` calls, the peak of the memory, and the outputs of the first picture."""
    step = RUNTIMES[arguments.runtime](arguments)
    answer = step()
    start, calls = time.perf_counter(), 1
    while calls < WARM_UP_CALLS or time.perf_counter() - start < WARM_UP_SECONDS:
        step()
        calls += 1
    gc.collect()
    gc.disable()
    times = []
    for _ in range(arguments.iters):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    result = {
        "median_ms": statistics.median(times),
        "min_ms": min(times),
        "max_ms": max(times),
        "peak_rss_mb": peak_rss_mb(),
    }
    if not arguments.train:
        result["outputs"] = [float(output) for output in answer[0]]
    return result


def peak_rss_mb():
    """The largest resident memory of this process; nothing where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def report(result, as_json):
    if as_json:
        print(json.dumps(result, allow_nan=False))
        return
    print("{median_ms:.2f} ms ({min_ms:.2f} to {max_ms:.2f})".format(**result))


if __name__ == "__main__":
    main()
