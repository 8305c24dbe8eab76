"""Checkpoints of shentianxiao/text-autoencoders (Shen et al. 2020: DAE, VAE, AAE of sentences) as models of ours.

A folder of that program holds `vocab.txt` (a word and its count a line, the marks <pad> <go> <eos> <unk> <blank> first) and
`model.pt`, a dictionary of `args`, the program's options, and `model`, the weights:

| there | shape | here |
|---|---|---|
| `embed.weight` | (V, E) | `decoder.embed.weight`, which the encoder shares |
| `E.weight_ih_l0`, `..._reverse`, ... | LSTM, H each way | `encoder.layers.L.0`, `encoder.layers.L.1` |
| `h2mu`, `h2logvar` | (D, 2H) | `head.mean`, `head.logvar` |
| `z2emb` | (E, D) | added there to every word's vector; here part of the decoder's first layer, see `_with_code` |
| `G.weight_ih_l0`, ... | LSTM, H | `decoder.layers.L` |
| `proj` | (V, H) | `decoder.output`, `decoder.output_bias` |
| `D.*` | – | the critic of an AAE: left out, no reconstruction needs it |

What differs: their encoder also read the padding of shorter sentences, so its codes depended on the batch; ours are those it
gave with sentences of one length (or one at a time, as its `test.py` did). Their decoder could write <pad>, <go> and <blank>,
which were never a target; ours cannot. Log variances are cut off at -10 and 8.

Shapes: V words, E embedding, H hidden, D latent dimensions, L layers.
"""

import argparse
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from textae.data.processor import SentenceProcessor
from textae.data.tokenizer import SPECIAL_TOKENS
from textae.interchange.bos_rnn import BosRNNVAE, BosRNNVAEConfig
from textae.space import LatentSpace

MARKS = ("<pad>", "<go>", "<eos>", "<unk>", "<blank>")  # in the order of our own, of which <go> is <bos> and <blank> is <mask>
WEIGHTS = ("embed.weight", "proj.weight", "proj.bias", "h2mu.weight", "h2mu.bias", "h2logvar.weight", "h2logvar.bias", "z2emb.weight", "z2emb.bias")
MAX_LENGTH = 256  # tokens; nothing in a checkpoint says how long its sentences were


def read_checkpoint(folder: str | Path) -> LatentSpace:
    """The latent space of a folder with `vocab.txt` and `model.pt`, in eval mode on the CPU.

    The pickle is read by `torch.load(weights_only=True)`, which makes tensors and plain values and runs nothing.

    Raises:
        ValueError: A file is missing or damaged, holds other things than such a checkpoint, or the two do not belong together.
    """
    folder = Path(folder)
    for name in ("vocab.txt", "model.pt"):
        if not (folder / name).is_file():
            raise ValueError(f"{str(folder)!r} has no {name}: a checkpoint of text-autoencoders is a folder with vocab.txt and model.pt")
    words = read_vocabulary(folder / "vocab.txt")
    weights, args = read_weights(folder / "model.pt")
    if len(weights["embed.weight"]) != len(words):
        raise ValueError(f"{folder}: vocab.txt has {len(words):,} words and the weights are of {len(weights['embed.weight']):,}: they are of two runs")
    model = BosRNNVAE(config_of(weights, args))
    model.load_state_dict({**{k: v for k, v in model.state_dict().items() if k.startswith("prior.")}, **converted(weights, model.config)})
    processor = SentenceProcessor(make_tokenizer(words), max_length=MAX_LENGTH)
    return LatentSpace(model, processor, name=folder.name)


def read_vocabulary(path: Path) -> list[str]:
    """The words of `vocab.txt` in the order of their ids.

    Raises:
        ValueError: It is not UTF-8, does not begin with the marks, or has a line without a word or a word twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    if lines and not lines[-1]:
        lines.pop()
    words: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.split():
            raise ValueError(f"{path}, line {number} is empty: every line has a word and its count")
        word = line.split()[0]
        if word in words:
            raise ValueError(
                f"{path} has {word!r} on lines {words[word]} and {number}; the program that wrote it gives two words one id after such a line, "
                "so that nobody can tell what the weights mean"
            )
        words[word] = number
    if tuple(words)[: len(MARKS)] != MARKS:
        raise ValueError(f"{path} begins with {' '.join(tuple(words)[: len(MARKS)]) or 'nothing'}; a vocabulary of text-autoencoders begins with {' '.join(MARKS)}")
    return list(words)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Weights by name, in float32 on the CPU and without the critic, and the options of the run.

    Raises:
        ValueError: The file is damaged, holds objects that could run code, or has other weights than such a model.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as weights alone: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("model"), Mapping) or not isinstance(content.get("args"), argparse.Namespace):
        raise ValueError(f"{path} is not of text-autoencoders: it must hold the weights, 'model', and the options of the run, 'args'")
    weights = {name: t for name, t in content["model"].items() if not str(name).startswith("D.")}
    if wrong := [n for n, t in weights.items() if not isinstance(t, Tensor) or not t.is_floating_point() or not torch.isfinite(t).all()]:
        raise ValueError(f"{path}: {wrong[0]} is not a tensor of finite numbers")
    known = {*WEIGHTS, *lstm_names("E", num_layers(weights), two_ways=True), *lstm_names("G", num_layers(weights), two_ways=False)}
    for names, what in ((known - set(weights), "lacks"), (set(weights) - known, "has the unknown")):
        if names:
            raise ValueError(f"{path} {what} {', '.join(sorted(names)[:3])}: it is not a model of text-autoencoders, or of another version of it")
    return {name: t.float() for name, t in weights.items()}, vars(content["args"])


def num_layers(weights: Mapping[str, Tensor]) -> int:
    """Layers of the decoder, at least one."""
    return max([1, *(int(m[1]) + 1 for name in weights if (m := re.fullmatch(r"G\.weight_ih_l(\d{1,3})", name)))])


def lstm_names(module: str, layers: int, two_ways: bool) -> list[str]:
    """The names of an LSTM's weights."""
    ways = ("", "_reverse") if two_ways else ("",)
    return [f"{module}.{kind}_{part}_l{k}{way}" for k in range(layers) for way in ways for kind in ("weight", "bias") for part in ("ih", "hh")]


def config_of(weights: Mapping[str, Tensor], args: Mapping[str, object]) -> BosRNNVAEConfig:
    """Sizes from the weights' shapes, dropout from the options.

    Raises:
        ValueError: The shapes do not fit together.
    """
    (vocab, embedding), latent, hidden, layers = weights["embed.weight"].shape, len(weights["h2mu.bias"]), weights["proj.weight"].shape[-1], num_layers(weights)
    expected = {"embed.weight": (vocab, embedding), "proj.weight": (vocab, hidden), "proj.bias": (vocab,), "z2emb.weight": (embedding, latent), "z2emb.bias": (embedding,)}
    expected |= {f"{n}.weight": (latent, 2 * hidden) for n in ("h2mu", "h2logvar")} | {f"{n}.bias": (latent,) for n in ("h2mu", "h2logvar")}
    for module, ways in (("E", 2), ("G", 1)):
        for name in lstm_names(module, layers, ways == 2):
            reads = hidden if "_hh_" in name else embedding if "_l0" in name else ways * hidden
            expected[name] = (4 * hidden, reads) if ".weight" in name else (4 * hidden,)
    for name, shape in expected.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{name} has shape {tuple(weights[name].shape)}; beside the other weights it must be {shape}")
    dropout = args.get("dropout", 0.0)
    return BosRNNVAEConfig(
        vocab_size=vocab, latent_dim=latent, embedding_dim=embedding, hidden_dim=hidden, encoder_hidden_dim=hidden, num_layers=layers, cell="lstm",
        bidirectional=True, latent_to_state=False, latent_to_input=True, tie_embeddings=False,
        dropout=float(dropout) if isinstance(dropout, int | float) and 0 <= dropout < 1 else 0.0,
    )  # fmt: skip


def converted(weights: Mapping[str, Tensor], config: BosRNNVAEConfig) -> dict[str, Tensor]:
    """The weights under the names, and in the shapes, of our model."""
    found = {
        "decoder.embed.weight": weights["embed.weight"], "decoder.output.weight": weights["proj.weight"], "decoder.output_bias": weights["proj.bias"],
        "head.mean.weight": weights["h2mu.weight"], "head.mean.bias": weights["h2mu.bias"],
        "head.logvar.weight": weights["h2logvar.weight"], "head.logvar.bias": weights["h2logvar.bias"],
    }  # fmt: skip
    decoder = _with_code(weights)
    for layer in range(config.num_layers):
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            found[f"decoder.layers.{layer}.{part}_l0"] = decoder[f"{part}_l{layer}"]
            for way, ending in enumerate(("", "_reverse")):
                found[f"encoder.layers.{layer}.{way}.{part}_l0"] = weights[f"E.{part}_l{layer}{ending}"]
    return found


def _with_code(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's LSTM for the code beside the word instead of in it: W(x + A z + b) = [W, W A] [x, z] + W b; in float64."""
    decoder = {name.removeprefix("G."): t for name, t in weights.items() if name.startswith("G.")}
    into = decoder["weight_ih_l0"].double()
    code, constant = into @ weights["z2emb.weight"].double(), into @ weights["z2emb.bias"].double()
    return {
        **decoder,
        "weight_ih_l0": torch.cat([into, code], 1).float(),
        "bias_ih_l0": (decoder["bias_ih_l0"].double() + constant).float(),
    }


def make_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    """White-space words with the checkpoint's ids, its marks under our names; what it does not know is <unk>.

    As in the original a sentence is split at blanks and nothing else: give it text as it was trained on.
    """
    ours = [*SPECIAL_TOKENS.values(), *words[len(MARKS) :]]
    if len(set(ours)) != len(ours):
        raise ValueError(f"vocab.txt has a word that is a mark here: {', '.join(sorted(set(words[len(MARKS):]) & set(SPECIAL_TOKENS.values())))}")
    unknown = SPECIAL_TOKENS["unk_token"]
    others = "|".join(mark for mark in SPECIAL_TOKENS.values() if mark != unknown)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(ours)}, unk_token=unknown))
    tokenizer.normalizer = normalizers.Replace(Regex(rf"(?<!\S)({others})(?!\S)"), unknown)  # a mark's name in a text is text
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS.values()))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, padding_side="right", split_special_tokens=True, clean_up_tokenization_spaces=False, **SPECIAL_TOKENS
    )
