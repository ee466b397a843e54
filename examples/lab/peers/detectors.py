"""The detectors that are timed on PyTorch, in f32, at the shapes of the program `latency`.

The layers are those of the packages and classes that the parity tests of `crates/baselines` compare with:
diffusers' tiny autoencoder, LPIPS, EfficientNet-Lite0 and torchvision's residual blocks. Only the UNet of ADM is in
no package; the tests compare it with diffusers' `UNet2DModel`. Nothing is computed that ours leaves out: LPIPS ends
behind its second stage. BatchNorm is folded into the convolutions. All weights are functions of a seed.
"""

import sys
from pathlib import Path

SIDE = 32
SEED = 20260601
# Side of the pictures that EfficientNet-Lite0 sees, and the deviation of RIGID's noise.
ENLARGED = 64
DEVIATION = 0.05
TAEF2 = dict(width=64, latent=32)
VGG_WIDTHS = (64, 128, 256, 512, 512)
# The model of ddpm.toml.
DDPM_32 = dict(side=32, width=32, groups=8, mult=(1, 2, 2), depth=1, attention=(8,), head_width=32, heads=1,
               scale_shift=True, block_resize=False, new_order=False, n_out=3)

FIXTURES = Path(__file__).resolve().parents[3] / "crates" / "baselines" / "tests" / "fixtures"


def reference(name):
    """A module beside the golden files of `crates/baselines`."""
    import importlib

    if str(FIXTURES) not in sys.path:
        sys.path.append(str(FIXTURES))
    return importlib.import_module(name)


class Aeroblade:
    """The negated distance of a picture to its reconstruction: the shape of TAEF2, and LPIPS of VGG-16, stage 2."""

    def __init__(self):
        import torch

        source, generator = reference("aeroblade"), torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            self.autoencoder, halves = source.autoencoder(True, generator, **TAEF2)
            self.lpips, weights = source.distance("vgg", generator, VGG_WIDTHS)
        self.parts = {"lpips": {key.removeprefix("lpips."): value for key, value in weights.items()}}
        for half in ("encoder", "decoder"):
            start = f"{half}."
            self.parts[half] = {
                key.removeprefix(start): value for key, value in halves.items() if key.startswith(start)}

    def network(self):
        import torch

        class Network(torch.nn.Module):
            def __init__(self, autoencoder, lpips):
                super().__init__()
                self.autoencoder, self.scaling = autoencoder, lpips.scaling_layer
                self.stages = torch.nn.Sequential(lpips.net.slice1, lpips.net.slice2)
                self.head = lpips.lins[1]

            def features(self, pixels):
                maps = self.stages(self.scaling(2 * pixels - 1))
                return maps / (maps.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)

            def forward(self, images):
                latent = self.autoencoder.encoder(2 * images - 1)
                pixels = (self.autoencoder.decoder(latent) + 1) / 2
                pixels = (pixels.clamp(0, 1) * 255).floor() / 255
                difference = self.features(images) - self.features(pixels)
                return -self.head(difference.pow(2)).mean((2, 3))

        return inferring(Network(self.autoencoder, self.lpips))


class Rigid:
    """The similarity of the features of a picture and of the noisy picture, by EfficientNet-Lite0."""

    def __init__(self):
        from efficientnet_lite_pytorch import EfficientNet

        self.encoder = reference("resnet").draw(EfficientNet.from_name("efficientnet-lite0"), SEED)
        self.parts = {"encoder": self.encoder.state_dict()}

    def network(self):
        import torch
        from torch.nn.functional import cosine_similarity, interpolate

        class Network(torch.nn.Module):
            def __init__(self, encoder, mean, std):
                super().__init__()
                self.encoder = encoder
                noise = torch.randn(1, 3, ENLARGED, ENLARGED, generator=torch.Generator().manual_seed(SEED))
                self.register_buffer("noise", DEVIATION * noise)
                self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
                self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

            def embedding(self, images):
                return self.encoder.extract_features((images - self.mean) / self.std).mean((2, 3))

            def forward(self, images):
                enlarged = interpolate(images, size=(ENLARGED, ENLARGED), mode="bicubic", antialias=True)
                clean, noisy = self.embedding(enlarged), self.embedding(enlarged + self.noise)
                return cosine_similarity(clean, noisy)[:, None]

        source = reference("rigid")
        return inferring(Network(self.encoder, source.MEAN, source.STD))


class Dire:
    """A residual network on what a diffusion model does not give back, by 20 steps each way."""

    def __init__(self):
        from torch import nn

        source = reference("resnet")
        # Half as wide as published, with a stem for small pictures.
        classifier = source.Small(source.BasicBlock, (2, 2, 2, 2), (32, 64, 128, 256))
        classifier.conv1 = nn.Conv2d(3, 32, kernel_size=3, stride=2, padding=1, bias=False)
        classifier.maxpool = nn.Identity()
        self.classifier = source.draw(classifier, SEED)
        self.unet = source.draw(reference("dire").UNet(DDPM_32), SEED)
        self.parts = {"unet": self.unet.state_dict(), "classifier": self.classifier.state_dict()}

    def network(self):
        import torch

        source = reference("dire")

        class Forgotten(dict):
            """Stages of the UNet, which only a test keeps."""

            def __setitem__(self, name, stage):
                pass

        class Network(torch.nn.Module):
            def __init__(self, unet, classifier):
                super().__init__()
                self.unet, self.classifier = unet, classifier

            def noise(self, x, time):
                times = torch.full((len(x),), float(time))
                return self.unet(x, times, Forgotten())

            def forward(self, images):
                x = 2 * images - 1
                _, reconstructed = source.rebuilt(x, self.noise)
                residue = ((x - reconstructed).abs() * 127.5).clamp(0, 255).floor() / 255
                return self.classifier((residue - 0.5) / 0.25)

        return inferring(Network(self.unet, self.classifier))


# Each has `parts`, its weights under published names by the file that holds them, and `network()`, which reads
# pixels `[batch, 3, SIDE, SIDE]` in [0, 1] and answers with one number a picture.
DETECTORS = {"aeroblade": Aeroblade, "rigid": Rigid, "dire": Dire}


def inferring(module):
    """`module` in f32 for inference, each BatchNorm folded into the convolution before it."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    module = module.float().eval().requires_grad_(False)
    for parent in list(module.modules()):
        children = list(parent.named_children())
        for (before, conv), (name, norm) in zip(children, children[1:]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, before, fuse_conv_bn_eval(conv, norm))
                setattr(parent, name, nn.Identity())
    return module


def write_weights(name, folder):
    """Writes the weights of the detector `name`, a file a part."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    for part, tensors in DETECTORS[name]().parts.items():
        tensors = {key: value.float().contiguous() for key, value in tensors.items()
                   if not key.endswith("num_batches_tracked")}
        save_file(tensors, folder / f"{part}.safetensors")
