"""Models as ONNX graphs, each checked against PyTorch in onnxruntime before it counts as written.

Two graphs a model: an encoder, and a decoder that is given a code and, of sentences, all words so far. One decoder graph
serves recurrent and Transformer models alike, scores sentences and writes them; its price is that each new word reads the
words before it again. Needs the packages of the extra `onnx`.

Shapes: B examples, T tokens, D latent dimensions, A attributes, V words.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from textae.core.autoencoder import Autoencoder
from textae.core.latent import DiagonalGaussian
from textae.models.rnn import RNNVAE
from textae.models.transformer import TransformerVAE

ABOUT = "onnx.json"
OPSET = 18
# Float32 in another order of sums; measured on our models: 1e-5 at most.
TOLERANCE = 1e-4

EXPORTED = (RNNVAE, TransformerVAE)  # of sentences; pretrained parts have exporters in transformers, a language model no code

Inputs = dict[str, Tensor]
Axes = Mapping[str, Mapping[int, str]]


def check_packages() -> None:
    """Raise a ValueError that says what to install."""
    if missing := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]:
        raise ValueError(f"ONNX needs {' and '.join(missing)}: pip install 'textae[onnx]'")


class Encoder(nn.Module):
    """A model's `encode` as a function of plain tensors, in the order of `inputs`, that gives the mean and, of a Gaussian, the log variance.

    Raises:
        ValueError: The code is quantized.
    """

    def __init__(self, model: Autoencoder, inputs: Sequence[str]):
        super().__init__()
        if model.config.posterior == "quantized":  # it looks its codes up in parts, whose number tracing would fix
            raise ValueError("a model with a codebook (posterior=quantized) cannot be exported: its graph would take batches of one size alone")
        self.model, self.inputs = model, tuple(inputs)
        self.outputs = ("mean", "logvar") if model.config.posterior == "gaussian" else ("mean",)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        posterior = self.model.encode(**dict(zip(self.inputs, given, strict=True)))
        return (posterior.mean, posterior.logvar) if isinstance(posterior, DiagonalGaussian) else (posterior.mean,)


class SentenceDecoder(nn.Module):
    """Logits of the next word at every position, (B, T, V), from codes, the words so far from <bos> on, and attributes where there are some."""

    outputs = ("logits",)

    def __init__(self, model: RNNVAE | TransformerVAE):
        super().__init__()
        self.head, self.decoder = model.head, model.decoder
        self.inputs = ("latents", "input_ids", *(["attributes"] if model.config.decoder_attributes else []))

    def forward(self, latents: Tensor, input_ids: Tensor, attributes: Tensor | None = None) -> tuple[Tensor]:
        decoder = self.decoder
        return (decoder.logits(decoder.states(decoder.embed(input_ids), decoder.context(self.head.snap(latents), attributes))),)


class Function(nn.Module):
    """Any function of a model's tensors as a module with names, such as `TopicModel.word_log_probs`."""

    def __init__(self, model: Autoencoder, function: Callable[..., Tensor], inputs: Sequence[str], output: str):
        super().__init__()
        self.model, self.function, self.inputs, self.outputs = model, function, tuple(inputs), (output,)

    def forward(self, *given: Tensor) -> tuple[Tensor]:
        return (self.function(*given),)


def export_graph(module: nn.Module, examples: Sequence[Inputs], axes: Axes, path: Path) -> float:
    """Write one graph, and run it in onnxruntime beside PyTorch.

    Args:
        module: With `inputs` and `outputs`, the names of its arguments and results, in eval mode on the CPU.
        examples: Inputs by name: it is traced with the first and compared on all. They should differ in every free axis.
        axes: The free axes of inputs, by number, with a name.
        path: The file.

    Returns:
        The greatest absolute difference between the two.

    Raises:
        ValueError: A package is missing, or the graph computes something else than the model.
    """
    check_packages()
    import onnxruntime

    wanted = [n for n in module.inputs if n in examples[0]]
    free = {name: dict(axes[name]) for name in wanted if name in axes} | {name: {0: "batch"} for name in module.outputs}
    if "logits" in free:
        free["logits"][1] = "time"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter that is said to be old: torch.export refuses branches on a mask
        torch.onnx.export(
            module, tuple(examples[0][n] for n in wanted), path, input_names=wanted, output_names=list(module.outputs), dynamic_axes=free,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    session, worst = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]), 0.0
    for number, given in enumerate(examples, 1):
        with torch.no_grad():
            here = module(*(given[n] for n in wanted))
        there = session.run(list(module.outputs), {n: given[n].numpy() for n in wanted})
        for name, ours, theirs in zip(module.outputs, here, there, strict=True):
            ours = ours.numpy()
            if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE):
                gap = "another shape" if ours.shape != theirs.shape else f"a difference of {np.abs(ours - theirs).max():.2g}"
                raise ValueError(f"{path.name} does not compute what the model does: {name} of check {number} has {gap}; nothing was written")
            worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def export_sentences(space: Any, folder: Path) -> dict[str, Any]:
    """Write `encoder.onnx`, `decoder.onnx`, the tokenizer, `onnx.json` and a README with a program that needs nothing of ours.

    Args:
        space: A `LatentSpace` of sentences, on the CPU.
        folder: An existing empty one.

    Returns:
        What `onnx.json` says.

    Raises:
        ValueError: The model is of another family, or a graph computes something else.
    """
    model, processor = space.model, space.processor
    if not isinstance(model, EXPORTED):
        raise ValueError(f"{type(model).__name__} cannot be exported; {', '.join(known.__name__ for known in EXPORTED)} can")
    config, random = model.config, torch.Generator().manual_seed(0)
    encoded, decoded = [], []
    for batch, time in ((2, 7), (1, 1), (3, 12), (5, 4)):
        ids = torch.randint(5, config.vocab_size, (batch, time), generator=random)
        mask = torch.ones_like(ids)
        mask[0, (time + 1) // 2 :] = 0  # the first sentence of each is padded
        encoded.append({"input_ids": torch.where(mask.bool(), ids, config.pad_token_id), "attention_mask": mask})
        inputs = {"latents": torch.randn(batch, config.latent_dim, generator=random), "input_ids": ids}
        if config.decoder_attributes:
            columns = [torch.randint(-1, len(v), (batch,), generator=random) for _, v in sorted(config.decoder_attributes.items())]
            inputs["attributes"] = torch.stack(columns, 1)
        decoded.append(inputs)
    free = {0: "batch", 1: "time"}
    gaps = {
        "encoder": export_graph(Encoder(model, ("input_ids", "attention_mask")).eval(), encoded, {"input_ids": free, "attention_mask": free}, folder / "encoder.onnx"),
        "decoder": export_graph(SentenceDecoder(model).eval(), decoded, {"latents": {0: "batch"}, "input_ids": free, "attributes": {0: "batch"}}, folder / "decoder.onnx"),
    }
    processor.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    about = {
        "kind": "sentences", "latent_dim": config.latent_dim, "posterior": config.posterior, "prior": config.prior, "max_length": processor.max_length,
        "bos": config.bos_token_id, "eos": config.eos_token_id, "never": [config.pad_token_id, config.bos_token_id, config.mask_token_id],
        "attributes": dict(sorted(config.decoder_attributes.items())), "greatest_difference": gaps,
    }  # fmt: skip
    write_about(folder, about, SENTENCES)
    return about


def export_topics(space: Any, folder: Path) -> dict[str, Any]:
    """Write `encoder.onnx` (counts to a code), `decoder.onnx` (a code to log probabilities of words) and `onnx.json` with the vocabulary."""
    model, random = space.model, torch.Generator().manual_seed(0)
    counts = [torch.randint(0, 4, (n, model.config.vocab_size), generator=random).float() for n in (2, 1, 5)]
    codes = [torch.randn(n, model.config.latent_dim, generator=random) for n in (2, 1, 5)]
    decoder = Function(model, lambda z: model.word_log_probs(model.shares(z)), ("latents",), "log_probs")
    batch = {0: "batch"}
    gaps = {
        "encoder": export_graph(Encoder(model, ("counts",)).eval(), [{"counts": x} for x in counts], {"counts": batch}, folder / "encoder.onnx"),
        "decoder": export_graph(decoder.eval(), [{"latents": z} for z in codes], {"latents": batch}, folder / "decoder.onnx"),
    }
    about = {
        "kind": "documents", "latent_dim": model.config.latent_dim, "posterior": model.config.posterior, "prior": model.config.prior,
        "vocabulary": space.processor.vocabulary, "greatest_difference": gaps,
    }  # fmt: skip
    write_about(folder, about, "`encoder.onnx` reads `counts` (B, V) of the words in `onnx.json`; `decoder.onnx` turns `latents` into their log probabilities.\n")
    return about


def write_about(folder: Path, about: Mapping[str, Any], readme: str) -> None:
    """Write `onnx.json` and the README."""
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(readme, encoding="utf-8")


SENTENCES = '''# A sentence autoencoder in ONNX

`encoder.onnx` reads `input_ids` and `attention_mask`, (batch, time), the words and <eos>, and gives `mean` and, of a VAE,
`logvar` of the code. `decoder.onnx` reads `latents`, the words so far from <bos> on as `input_ids`, and, where `onnx.json` lists
attributes, `attributes`, (batch, number of attributes), the place of each value in its list or -1, and gives `logits` of the next word at
every position. Batches may have any size; a decoder's sentences must be equally long. Where `prior` is "standard", codes to sample
from are standard normal.

```python
import json

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

about = json.load(open("onnx.json", encoding="utf-8"))
tokenizer = Tokenizer.from_file("tokenizer.json")
encoder, decoder = (onnxruntime.InferenceSession(name) for name in ("encoder.onnx", "decoder.onnx"))


def encode(sentence):
    """The posterior mean, (1, latent_dim)."""
    ids = np.array([[*tokenizer.encode(sentence, add_special_tokens=False).ids, about["eos"]]], dtype=np.int64)
    return encoder.run(["mean"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]


def decode(z, **values):
    """The greedy sentence at a code; values such as tense="past" where the model knows attributes."""
    ids = [about["bos"]]
    told = [[names.index(values[name]) if name in values else -1 for name, names in about["attributes"].items()]]
    while ids[-1] != about["eos"] and len(ids) <= about["max_length"] + 1:
        given = {"latents": z, "input_ids": np.array([ids], dtype=np.int64)}
        if about["attributes"]:
            given["attributes"] = np.array(told, dtype=np.int64)
        logits = decoder.run(["logits"], given)[0][0, -1]
        logits[about["never"]] = -np.inf
        ids.append(int(logits.argmax()))
    words = [i for i in ids if i not in (about["eos"], *about["never"])]
    return tokenizer.decode(words, skip_special_tokens=False).strip()


print(decode(encode("I was happy to see you.")))
```
'''
