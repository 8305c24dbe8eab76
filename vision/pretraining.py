"""Layer-by-layer pretraining of MLP autoencoders, by RBMs or by greedy autoencoders: initializers, not models.

Each layer is trained on what the finished layers below yield, and is unrolled into the model at once: its way up into the
encoder, its way down into the decoder. Training of the whole follows elsewhere (`Trainer`, or `classifier.fine_tune`).

A stack takes minutes, so nothing is saved on the way. To go on after an interruption train layer by layer (`start_layer`,
`stop_layer`) and save the model between: each layer draws from a seed of its own, so the result is the same.

Shapes: N examples, V visible, H hidden units, C, H, W of an image.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from textae.core.config import call, check_keys, choose
from vision.greedy import RANGES, LayerEpoch, fit_layer, reconstruction_cost
from vision.levels import Level, levels_of
from vision.models.mlp import MLPAutoencoder
from vision.options import RBMOptions, StackOptions
from vision.rbm import RBM, RBMEpoch, check_data, fit_rbm


@dataclass(frozen=True)
class LayerReport:
    """One finished layer.

    Attributes:
        layer: From 0; the last one is the code's.
        num_inputs, num_units: Its widths.
        epochs: What each epoch ended with.
    """

    layer: int
    num_inputs: int
    num_units: int
    epochs: list[RBMEpoch] | list[LayerEpoch]


def pretrain(
    model: MLPAutoencoder, images: Tensor, kind: str, seed: int = 0, *, valid: Tensor | None = None, **options: Any
) -> list[LayerReport]:
    """Pretrain a model in place.

    Args:
        model: An MLP autoencoder whose decoder mirrors its encoder.
        images: Shape (N, C, H, W), float, in [0, 1].
        kind: A name in `PRETRAINING`.
        seed: Of everything drawn here.
        valid: Held-out images, only watched.
        options: Fields of `RBMOptions` (kind "rbm") or `StackOptions` (the other kinds).

    Returns:
        A report for each layer trained.

    Raises:
        ValueError: Unknown kind or option, a model or images that do not fit, or learning diverged.
    """
    options_class, train, fixed = choose(PRETRAINING, kind, "kind of pretraining")
    known = [f.name for f in fields(options_class) if f.name not in fixed]
    check_keys(options, known, f"pretraining of kind {kind}")
    return train(model, images, call(options_class, {**options, **fixed}, "pretraining"), seed, valid=valid)


def pretrain_rbm_stack(
    model: MLPAutoencoder, images: Tensor, options: RBMOptions, seed: int = 0, *, valid: Tensor | None = None
) -> list[LayerReport]:
    """Train a deep belief net layer by layer and unroll it into the autoencoder, in place.

    Each machine's E[h|v] is the next one's data. Its weights become an encoder layer and, transposed, a decoder layer;
    for Gaussian pixels of standard deviation σ the one is divided by σ and the other multiplied. A linear code is
    Gaussian hidden units; a Gaussian posterior's mean is pretrained and its variance left as it is.

    Source: Hinton & Salakhutdinov 2006; Hinton, Osindero & Teh 2006.

    Args:
        model: With sigmoid hidden layers on both sides and a linear or sigmoid code.
        images: Shape (N, C, H, W), float, in [0, 1] unless the likelihood is Gaussian with a linear output.
        options: How.
        seed: Of initial weights, order and draws.
        valid: Held-out images, for the free-energy gap.
    """
    levels = levels_of(model, options.start_layer, options.stop_layer)
    gaussian_pixels = levels[0].link == "linear"
    for level in levels:
        wanted = ("linear", "sigmoid") if level.is_code else ("sigmoid",)
        if level.is_code and model.config.k_sparse:
            raise ValueError(f"an RBM has no k-sparse units: set k_sparse=0, not {model.config.k_sparse}")
        if level.encoded not in wanted:
            what = "code_activation linear or sigmoid" if level.is_code else "activation=sigmoid"
            raise ValueError(f"an RBM's units are sigmoid, or linear in the code; layer {level.index} is {level.encoded}: set {what}")
        if level.index and level.link != "sigmoid":
            raise ValueError(f"the decoder of an RBM stack is sigmoid, not {level.link}: set decoder_activation=sigmoid")
    if model.config.tied and gaussian_pixels and (options.sigma != 1 or options.learn_sigma):
        raise ValueError("tied weights cannot be divided by sigma one way only: set pretraining.sigma=1, output=sigmoid, or tied=false")

    def train(level: Level, x: Tensor, held_out: Tensor | None, own_seed: int, name: str) -> list[RBMEpoch]:
        generator = torch.Generator().manual_seed(own_seed)
        kinds: dict[str, Any] = {"hidden": "gaussian" if level.encoded == "linear" else "bernoulli"}
        if level.index == 0 and gaussian_pixels:
            sigma = options.sigma or x.var(0, correction=0).mean().sqrt().item()
            kinds |= {"visible": "gaussian", "sigma": sigma, "learn_sigma": options.learn_sigma}
        rbm = RBM(x.shape[1], level.encoder.out_features, **kinds, init_std=options.init_std, generator=generator).to(x.device)
        rbm.start_at(x)
        history = fit_rbm(rbm, x, options, own_seed, held_out, name)
        unroll(rbm, level.encoder, level.decoder, level.decoder_bias)
        return history

    return _train_levels(model, levels, images, valid, options, seed, "rbm", train)


def pretrain_denoising_stack(
    model: MLPAutoencoder, images: Tensor, options: StackOptions, seed: int = 0, *, valid: Tensor | None = None
) -> list[LayerReport]:
    """Train greedy autoencoders layer by layer, denoising, contractive or plain, inside the model's own layers.

    A layer starts at the weights that the model has. Its clean code is the next one's data.

    Source: Vincent et al. 2010, sec. 3; Rifai et al. 2011; Bengio et al. 2007 for plain ones.

    Args:
        model: With any activations; a Gaussian posterior's mean is pretrained and its variance left as it is.
        images: Shape (N, C, H, W), float, in [0, 1] unless the likelihood is Gaussian with a linear output.
        options: How.
        seed: Of order and noise.
        valid: Held-out images, only watched.
    """
    levels = levels_of(model, options.start_layer, options.stop_layer)
    if model.config.tied and not options.tied:
        raise ValueError("a tied model has no decoder weights of its own: set pretraining.tied=true")
    costs = {level.index: reconstruction_cost(model, level, options.loss) for level in levels}
    for level in levels:
        if options.noise == "salt_pepper" and level.below not in RANGES:
            raise ValueError(f"{level.below} units have no greatest value for salt_pepper: take masking or gaussian noise")

    def train(level: Level, x: Tensor, held_out: Tensor | None, own_seed: int, name: str) -> list[LayerEpoch]:
        return fit_layer(level, costs[level.index], x, options, own_seed, held_out, name)

    return _train_levels(model, levels, images, valid, options, seed, options.layer, train)


# kind in configs: (options, what trains, options that the kind itself sets)
PRETRAINING: dict[str, tuple[type, Callable[..., list[LayerReport]], dict[str, str]]] = {
    "rbm": (RBMOptions, pretrain_rbm_stack, {}),
    "denoising": (StackOptions, pretrain_denoising_stack, {"layer": "denoising"}),
    "contractive": (StackOptions, pretrain_denoising_stack, {"layer": "contractive"}),
    "plain": (StackOptions, pretrain_denoising_stack, {"layer": "plain"}),
}


@torch.no_grad()
def unroll(rbm: RBM, encoder: nn.Linear, decoder: nn.Linear | None, decoder_bias: nn.Parameter) -> None:
    """Write a machine into a pair of layers: before their activations they then yield its E[h|v] and E[v|h].

    Args:
        rbm: V visible, H hidden units.
        encoder: V → H.
        decoder: H → V; None where the encoder's transposed weights decode.
        decoder_bias: Shape (V,).
    """
    sigma = torch.ones_like(rbm.visible_bias) if rbm.log_sigma is None else rbm.log_sigma.exp()
    encoder.weight.copy_((rbm.weight / sigma[:, None]).T)
    encoder.bias.copy_(rbm.hidden_bias)
    if decoder is not None:
        decoder.weight.copy_(rbm.weight * sigma[:, None])
    decoder_bias.copy_(rbm.visible_bias)


def _train_levels(
    model: MLPAutoencoder, levels: list[Level], images: Tensor, valid: Tensor | None, options: RBMOptions | StackOptions, seed: int,
    what: str, train: Callable[..., list],
) -> list[LayerReport]:  # fmt: skip
    """Train each level from `start_layer` on with what the levels below yield."""
    data = [_flat(model, values, name) for name, values in (("images", images), ("valid", valid))]
    reports = []
    for level in levels:
        if level.index >= options.start_layer:
            widths = f"{level.encoder.in_features}-{level.encoder.out_features}"
            name = f"{what} layer {level.index + 1} of {len(levels)}, {widths}"
            history = train(level, data[0], data[1], layer_seed(seed, level.index), name)
            reports.append(LayerReport(level.index, level.encoder.in_features, level.encoder.out_features, history))
        if level is not levels[-1]:
            data = [None if x is None else _propagate(level, x) for x in data]
    return reports


def layer_seed(seed: int, layer: int) -> int:
    """The seed of one layer of a stack."""
    return (seed * 0x9E3779B1 + layer) & (2**63 - 1)


def _flat(model: MLPAutoencoder, images: Tensor | None, name: str) -> Tensor | None:
    config = model.config
    if images is None:
        return None
    shape = (config.channels, config.height, config.width)
    if images.dim() != 4 or tuple(images.shape[1:]) != shape:
        raise ValueError(f"{name} has shape {tuple(images.shape)}; the model reads (N, {', '.join(map(str, shape))})")
    flat = images.flatten(1)
    check_data(flat, config.num_pixels, config.likelihood != "gaussian" or config.output == "sigmoid", name)
    return flat.to(device=model.device, dtype=torch.float32)


@torch.no_grad()
def _propagate(level: Level, x: Tensor) -> Tensor:
    return torch.cat([level.activation(level.encoder(part)) for part in x.split(4096)])
