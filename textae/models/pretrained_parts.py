"""What a model made of others' models needs to know of them: their configs, weights, poolings, and what their output layer does.

Nothing here joins two of them; `pretrained.py` does.

Shapes: B sentences, T tokens, H width of states, V vocabulary.
"""

from collections.abc import Mapping
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn
from transformers import AutoConfig, Cache, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging as hf_logging

from textae.core.autoencoder import no_progress_bars
from textae.core.config import check_keys, choose
from textae.models.transformer_layers import AttentionOfTokens, MeanOfTokens

INITIAL_STD = 0.02  # of what reads z, as of BERT's and GPT-2's own layers: larger, a fresh z would drown pretrained words
# A small BERT (Turc et al. 2019, "mini") and a GPT-2 of its size, for training from nothing.
SMALL_BERT = {"model_type": "bert", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
SMALL_GPT2 = {"model_type": "gpt2", "n_embd": 256, "n_layer": 4, "n_head": 4}
SMALL_T5 = {"model_type": "t5", "d_model": 256, "d_kv": 64, "d_ff": 1024, "num_layers": 4, "num_heads": 4}
# Of a stored config: what says nothing about the architecture, and the keys that differ with the machine or the version.
NOISE = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "task_specific_params", "torch_dtype", "transformers_version", "use_cache")


def make_part_config(settings: Mapping[str, Any], vocab_size: int, what: str) -> PreTrainedConfig:
    """The config of one part from its stored settings, with so many entries in its vocabulary.

    Raises:
        ValueError: `model_type` is missing or unknown, or a value is of another type than the library wants.
    """
    if "model_type" not in settings:
        raise ValueError(f"{what} needs the key 'model_type', such as bert or gpt2")
    choose(CONFIG_MAPPING, settings["model_type"], f"model_type of {what}")
    default = AutoConfig.for_model(settings["model_type"])
    marks = {key: settings.get(key, getattr(default, key, None)) for key in ("pad_token_id", "bos_token_id", "eos_token_id")}
    # Ids of a tokenizer that this vocabulary may not have; marks are the whole model's business.
    absent = {key: None for key, value in marks.items() if isinstance(value, int) and value >= vocab_size}
    try:
        return AutoConfig.for_model(**{**settings, **absent, "vocab_size": vocab_size})
    except StrictDataclassError as error:
        raise ValueError(f"{what}: {_one_line(error)}") from None


def check_part_config(settings: Mapping[str, Any], vocab_size: int, what: str) -> None:
    """Refuse settings that are no part's, and those that the library would keep and never look at.

    Raises:
        ValueError: As in `make_part_config`; or a key is unknown.
    """
    made, default = vars(make_part_config(settings, vocab_size, what)), AutoConfig.for_model(settings["model_type"])
    own = vars(default)
    unread = [key for key in settings if key in made and key not in own and key not in NOISE and not key.endswith("_token_id")]
    common = vars(PreTrainedConfig())
    check_keys(unread, [*default.attribute_map, *(key for key in own if key not in common)], what)


def build_part(auto_class: type, part: PreTrainedConfig, what: str) -> PreTrainedModel:
    """A fresh model of a part's config.

    Raises:
        ValueError: There is no such kind of model, or the library refuses a value.
    """
    if type(part) not in auto_class._model_mapping:
        raise ValueError(
            f"{what} is that of a {part.model_type!r}, which has no {auto_class.__name__}: an encoder-decoder is for the model seq2seq, "
            "a causal language model for pretrained"
        )
    try:
        return auto_class.from_config(part)
    except Exception as error:  # a division by no heads, a table of -1 rows: whatever the library's layers make of a value
        raise ValueError(f"{what} makes no {part.model_type!r}: {_one_line(error)}") from error


def num_positions(model: PreTrainedModel) -> int | None:
    """Tokens of the longest sequence that a model has positions for; None: it rotates or biases them, and knows no limit."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and any(word in name for word in ("position", "wpe")) and "relative" not in name:
            # OPT's kind and RoBERTa's leave the first rows free
            return module.num_embeddings - getattr(module, "offset", 0) - (0 if module.padding_idx is None else module.padding_idx + 1)
    config = model.config
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "max_seq_len", None) or 0
    return limit if limit > 0 and getattr(config, "rope_parameters", None) is None else None


def fetch_config(source: str) -> tuple[dict[str, Any], int]:
    """The settings of a pretrained model's config, from a folder or the Hub, and the rows of its word vectors.

    Raises:
        ValueError: There is no such model, or its config gives no `vocab_size`.
    """
    try:
        config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ValueError(_not_found(source, error)) from None
    rows = getattr(config, "vocab_size", None)
    if rows is None:
        raise ValueError(f"the config of {source!r} has no vocab_size: it is not a model of text alone")
    settings = {k: v for k, v in config.to_diff_dict().items() if k not in NOISE}
    return {**settings, "model_type": config.model_type}, rows


def fetch_weights(auto_class: type, source: str, rows: int) -> PreTrainedModel:
    """A pretrained model in float32, from a folder or the Hub, with `rows` word vectors.

    New rows are the mean of the others, so that what they say is about what the model would say of any word.

    Raises:
        ValueError: There is no such model, not as safetensors, or it lacks weights that this kind of model has.
    """
    shown = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()  # what is missing is said below, and what is too much (an output layer) is not used
    try:
        with no_progress_bars():
            model, info = auto_class.from_pretrained(source, dtype=torch.float32, use_safetensors=True, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise ValueError(_not_found(source, error)) from None
    finally:
        hf_logging.set_verbosity(shown)
    if missing := sorted(key for key in info["missing_keys"] if "pooler" not in key):
        raise ValueError(f"{source!r} is no complete {type(model).__name__}: it lacks {', '.join(missing[:3])}; {len(missing)} such in all")
    old = model.get_input_embeddings().num_embeddings
    if rows > old:
        model.resize_token_embeddings(rows, mean_resizing=False)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            for parameter in () if layer is None else layer.parameters():
                parameter.data[old:] = parameter.data[:old].mean(0)
    return model


def _not_found(source: str, error: Exception) -> str:
    return f"could not load the pretrained model {source!r}: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def bare_encoder(model: PreTrainedModel) -> PreTrainedModel:
    """The part that reads: the encoder of an encoder-decoder, and without BERT's pooler, which no posterior would train."""
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


class ContextLinear(nn.Linear):
    """A linear map of the context with small weights (`INITIAL_STD`) and no bias at first."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=INITIAL_STD)
        nn.init.zeros_(self.bias)


class FirstState(nn.Module):
    """The state of the first token: BERT's [CLS]."""

    def __init__(self, hidden_dim: int, num_heads: int):
        super().__init__()

    def forward(self, x_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        return x_BTH[:, 0]


class LastState(FirstState):
    """The state of the last token that is no padding: the one place from which a causal encoder has seen all."""

    def forward(self, x_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        return x_BTH[torch.arange(len(x_BTH), device=x_BTH.device), mask_BT.sum(1) - 1]


POOLINGS = {"first": FirstState, "last": LastState, "mean": MeanOfTokens, "attention": AttentionOfTokens}


class MemoryCache:
    """A language model's cache whose first entries are slots made of z: it counts tokens alone, as `generate` does.

    Attributes:
        inner: The library's own cache, slots included.
        slots: How many stand before the first token.
    """

    is_compileable = False
    is_croppable = False

    def __init__(self, inner: Cache, slots: int):
        self.inner, self.slots = inner, slots

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.inner.get_seq_length() - self.slots

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Follow the beams that survived, shape (B · beams,)."""
        self.inner.reorder_cache(beam_idx)


@torch.no_grad()
def head_scale(model: PreTrainedModel, trunk: nn.Module, **inputs: Any) -> float | None:
    """c where the model's logits are c · (output weights · states of the trunk) + bias; None where they are anything else.

    Asked of the model itself: the trunk's states are replaced by large random ones and the logits compared, so that a
    transform, a cap or a scale (1/sqrt(H) of a tied T5) shows, whatever the architecture. Draws and dropout leave no trace in
    the global generator.

    Args:
        model: With an output layer.
        trunk: The part whose `last_hidden_state` goes into it.
        **inputs: Of one forward pass, at least one token.
    """
    head = model.get_output_embeddings()
    if trunk is model or not isinstance(head, nn.Linear):
        return None
    weight, bias = head.weight.float(), 0.0 if head.bias is None else head.bias.float()
    with torch.random.fork_rng(), torch.autocast(head.weight.device.type, enabled=False):
        states = torch.randn(1, 1, head.in_features, generator=torch.Generator().manual_seed(0)).to(weight.device)
        linear = states @ weight.T
        factor = 50 / linear.std().clamp_min(1e-6)  # logits of trained models reach tens: a cap at 30 must show
        states, linear = states * factor, linear * factor

        def replace(module: nn.Module, args: Any, output: Any) -> Any:
            size = output.last_hidden_state.shape
            output.last_hidden_state = states.to(head.weight.dtype).expand(size[0], size[1], -1)
            return output

        handle = trunk.register_forward_hook(replace)
        try:
            logits = model(**inputs).logits[:1, -1:].float() - bias
        finally:
            handle.remove()
    scale = ((logits * linear).sum() / linear.square().sum()).item()
    tolerance = 1e-4 if head.weight.dtype == torch.float32 else 2e-2  # bfloat16 has 8 bits
    if scale == 0 or (logits - scale * linear).abs().max() > tolerance * logits.abs().max():
        return None
    return 1.0 if abs(scale - 1) < tolerance else scale
