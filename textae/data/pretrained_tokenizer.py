"""Tokenizers that come with pretrained models, given the five marks that a batch of sentences is built with.

Nothing is trained here. Entries that are missing are added behind the others, so that no id of the model changes its meaning.
"""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from textae.data.tokenizer import SPECIAL_TOKENS

ROLES = tuple(SPECIAL_TOKENS)


def load_tokenizer(source: str | Path, start_id: int | None = None) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a pretrained model, from a folder or the Hub, with all marks; text is always ordinary text.

    A sentence begins with the model's own first token (its bos, BERT's [CLS], else what `start_id` says, else its end mark)
    and ends with its own end mark. Padding is never read, so without a mark of its own it is the end mark. Only `<unk>` (what
    dropped words become) and `<mask>` are new entries, where the model has none or uses another mark for them.

    Args:
        source: A folder or a Hub id.
        start_id: The token that the decoder of an encoder-decoder starts from; None: there is none.

    Raises:
        ValueError: There is no tokenizer, it is none of the fast ones, or it has no mark for the end.
    """
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ValueError(f"could not load a tokenizer from {str(source)!r}: {' '.join(str(error).split())[:300]}") from None
    if not found.is_fast:
        raise ValueError(f"the tokenizer of {str(source)!r} is written in Python; only fast ones (tokenizer.json) can be kept beside a model")
    eos = found.eos_token or found.sep_token
    if eos is None:
        raise ValueError(f"the tokenizer of {str(source)!r} has neither an end mark nor a separator: no sentence would end")
    bos = found.convert_ids_to_tokens(start_id) if start_id is not None else found.bos_token or found.cls_token or eos
    marks = {"pad_token": found.pad_token or eos, "bos_token": bos, "eos_token": eos}
    for role in ("unk_token", "mask_token"):
        own = getattr(found, role)
        marks[role] = SPECIAL_TOKENS[role] if own is None or own in marks.values() else own
    return with_marks(found.backend_tokenizer, marks, found.model_max_length)


def with_marks(backend: Tokenizer, marks: dict[str, str], model_max_length: int) -> PreTrainedTokenizerFast:
    """A tokenizer of transformers around one of `tokenizers`; marks that it lacks become new entries."""
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, padding_side="right", split_special_tokens=True, clean_up_tokenization_spaces=False,
        model_max_length=model_max_length, **marks,
    )  # fmt: skip


def leading_marks(tokenizer: PreTrainedTokenizerFast) -> int:
    """How many tokens the model's own format puts before a sentence: 1 for BERT's [CLS], 0 for T5."""
    plain, own = tokenizer("a", add_special_tokens=False)["input_ids"], tokenizer("a")["input_ids"]
    return next(i for i in range(len(own)) if own[i : i + len(plain)] == plain)


def same_format(encoder: PreTrainedTokenizerFast, decoder: PreTrainedTokenizerFast) -> bool:
    """Whether an encoder may read the decoder's own ids with an end mark behind them: the same entries, and no mark in front."""
    return encoder.get_vocab() == decoder.get_vocab() and leading_marks(encoder) == 0


def store(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What `with_marks` needs beside the tokenizer's own file, as JSON."""
    return {"marks": {role: getattr(tokenizer, role) for role in ROLES}, "model_max_length": tokenizer.model_max_length}
