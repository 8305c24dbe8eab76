"""Sentences ↔ tensors: the one place that knows what a batch of sentences looks like.

Shapes: B sentences, T tokens, A attributes.
"""

import errno
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from textae.core.data import Batch
from textae.core.labelled import value_ids
from textae.data.corruption import Corruption, word_dropout
from textae.data.pretrained_tokenizer import leading_marks, store, with_marks

FILE = "processor.json"
ENCODER_FILE = "encoder_tokenizer.json"
IGNORED = -100


class SentenceProcessor:
    """Tokenizes sentences and pads them into batches; saved beside the model.

    Args:
        tokenizer: With the marks <pad> <bos> <eos> <unk> <mask>; adds none by itself.
        attributes: Values of each attribute by name; the batch's `attributes` has their columns in the order of the names.
        max_length: Tokens of the longest sentence that is taken.
        encoder_tokenizer: Of an encoder that reads other tokens than the decoder writes (BERT's, before a GPT-2), in that
            encoder's own format with its own marks; None: both use `tokenizer`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        attributes: Mapping[str, Sequence[str]] | None = None,
        max_length: int = 256,
        encoder_tokenizer: PreTrainedTokenizerFast | None = None,
    ):
        self.tokenizer, self.encoder_tokenizer = tokenizer, encoder_tokenizer
        self.attributes = {name: [str(v) for v in values] for name, values in sorted((attributes or {}).items())}
        self.max_length = max_length

    def tokenize(self, sentences: Sequence[str]) -> list[list[int]]:
        """Token ids of each sentence, without marks.

        Raises:
            ValueError: A sentence is not text, is empty, or has more than `max_length` tokens; its number is named.
        """
        for number, sentence in enumerate(sentences, 1):
            if not isinstance(sentence, str):
                raise ValueError(f"sentence {number} is {type(sentence).__name__}, not text")
            if not sentence.strip():
                raise ValueError(f"sentence {number} is empty")
            try:
                sentence.encode()
            except UnicodeEncodeError:  # tokenizers would call it a TypeError and name no sentence
                raise ValueError(f"sentence {number} holds half a character (a lone surrogate): it was read with a wrong encoding") from None
            if len(sentence) > 40 * self.max_length:  # no tokenizer is asked about a text that cannot fit
                raise ValueError(self._too_long(number, f"{len(sentence):,} characters"))
        if not sentences:
            return []
        ids = self.tokenizer(list(sentences), add_special_tokens=False)["input_ids"]
        for number, tokens in enumerate(ids, 1):
            if len(tokens) > self.max_length:
                raise ValueError(self._too_long(number, f"{len(tokens):,} tokens"))
            if not tokens:
                raise ValueError(f"sentence {number} has no tokens")
        return ids

    def _too_long(self, number: int, size: str) -> str:
        return f"sentence {number} has {size}; this model takes sentences of at most {self.max_length} tokens: split it"

    def attribute_ids(self, rows: Sequence[Mapping[str, str | None]]) -> np.ndarray:
        """Values as indices, -1 where unspecified, shape (B, A); as `textae.core.labelled.value_ids`."""
        return value_ids(self.attributes, rows)

    def collate(
        self, ids_BT: Tensor, lengths_B: Tensor, attributes_BA: Tensor | None = None, *,
        corruption: Corruption | None = None, word_drop: float = 0.0, augmentation: Corruption | None = None,
    ) -> Batch:  # fmt: skip
        """A batch from right-padded ids: the encoder reads tokens and <eos>, the decoder writes the same.

        Args:
            ids_BT: Token ids without marks, shape (B, T); what lies beyond a row's length is ignored.
            lengths_B: Tokens of each row, shape (B,).
            attributes_BA: Values, -1 unspecified, shape (B, A).
            corruption: Applied to what the encoder reads; the target stays clean.
            augmentation: Changes the sentence itself, before all else: what comes of it is read and is the target.
            word_drop: Rate at which the decoder's own inputs are replaced by <unk> (Bowman et al. 2016, sec. 3.1).
        """
        tok = self.tokenizer
        batch_size, width = ids_BT.shape
        steps = torch.arange(width + 1)
        padded = torch.nn.functional.pad(ids_BT, (0, 1))
        padded[torch.arange(batch_size), lengths_B] = tok.eos_token_id
        mask = (steps <= lengths_B[:, None]).long()
        padded = torch.where(mask.bool(), padded, tok.pad_token_id)
        marks = {"mask_id": tok.mask_token_id, "vocab_size": len(tok), "pad_id": tok.pad_token_id}
        if augmentation is not None:
            padded, mask = augmentation(padded, mask, **marks)
        decoder_ids = torch.where(mask.bool(), torch.nn.functional.pad(padded, (1, 0))[:, :-1], tok.pad_token_id)
        decoder_ids[:, 0] = tok.bos_token_id
        batch = {
            "input_ids": padded,
            "attention_mask": mask,
            "decoder_input_ids": decoder_ids,
            "labels": torch.where(mask.bool(), padded, IGNORED),
        }
        if self.encoder_tokenizer is not None:
            texts = tok.batch_decode([row[:length] for row, length in zip(padded.tolist(), (mask.sum(1) - 1).tolist(), strict=True)])
            batch |= self._for_encoder(texts, corruption)
        elif corruption is not None:
            batch["input_ids"], batch["attention_mask"] = corruption(padded, mask, **marks)
        if word_drop:
            batch["decoder_input_ids"] = word_dropout(decoder_ids, word_drop, replacement_id=tok.unk_token_id)
        if attributes_BA is not None:
            batch["attributes"] = attributes_BA
        return batch

    def _for_encoder(self, texts: list[str], corruption: Corruption | None) -> Batch:
        """What an encoder with a tokenizer of its own reads; corruption spares the marks around a sentence."""
        tok = self.encoder_tokenizer
        read = tok(texts, padding=True, return_tensors="pt")
        ids, mask = read["input_ids"], read["attention_mask"]
        if ids.shape[1] > tok.model_max_length:
            raise ValueError(f"a sentence has {ids.shape[1]} tokens for the encoder, which reads at most {tok.model_max_length}: split it, or lower data.max_tokens")
        if corruption is not None:
            start = leading_marks(tok)
            free, free_mask = corruption(ids[:, start:], mask[:, start:], mask_id=tok.mask_token_id, vocab_size=len(tok), pad_id=tok.pad_token_id)
            ids, mask = torch.cat([ids[:, :start], free], 1), torch.cat([mask[:, :start], free_mask], 1)
        return {"input_ids": ids, "attention_mask": mask}

    def __call__(self, raw: Sequence[str], attributes: Sequence[Mapping[str, str | None]] | None = None) -> Batch:
        ids = self.tokenize(raw)
        lengths = torch.tensor([len(x) for x in ids])
        padded = torch.zeros(len(ids), int(lengths.max()), dtype=torch.long)
        for row, tokens in zip(padded, ids, strict=True):
            row[: len(tokens)] = torch.tensor(tokens)
        values = None if attributes is None else torch.from_numpy(self.attribute_ids(attributes))
        return self.collate(padded, lengths, values)

    def decode(self, generated: Tensor) -> list[str]:
        """Texts of generated ids, shape (B, T): marks removed, but for <unk>, which stands for a word; blanks at the ends stripped."""
        tok = self.tokenizer
        marks = {tok.pad_token_id, tok.bos_token_id, tok.eos_token_id, tok.mask_token_id}
        return [text.strip() for text in tok.batch_decode([[i for i in row if i not in marks] for row in generated.tolist()])]

    def normalize(self, sentence: str) -> str:
        """The sentence as this tokenizer can write it: the best any reconstruction can do."""
        return self.decode(torch.tensor([self.tokenize([sentence])[0]]))[0]

    def unknown(self, sentences: Sequence[str]) -> list[dict[int, str]]:
        """Where each sentence has tokens that the tokenizer does not know, and what stands there; an <unk> that is written out is known."""
        tok = self.tokenizer
        read = tok(list(sentences), add_special_tokens=False, return_offsets_mapping=True)
        return [
            {i: word for i, (token, (a, b)) in enumerate(zip(ids, offsets, strict=True)) if token == tok.unk_token_id and (word := text[a:b]).strip() != tok.unk_token}
            for text, ids, offsets in zip(sentences, read["input_ids"], read["offset_mapping"], strict=True)
        ]  # fmt: skip

    def references(self, sentences: Sequence[str]) -> list[str]:
        """What reconstructions are held against: `normalize`, but for words that the tokenizer does not know, which stay the sentence's own."""
        found = []
        for ids, unknown in zip(self.tokenize(sentences), self.unknown(sentences), strict=True):
            parts, known = [], []
            for i, token in enumerate([*ids, None]):
                if token is not None and i not in unknown:
                    known.append(token)
                    continue
                parts.append(self.decode(torch.tensor([known]))[0] if known else "")
                parts.append(unknown.get(i, "").strip())
                known = []
            found.append(" ".join(part for part in parts if part))
        return found

    def check(self, raw: Sequence[str]) -> None:
        self.tokenize(raw)

    def is_single(self, raw: Any) -> bool:
        return isinstance(raw, str)

    def cost(self, raw: str) -> int:
        return len(raw)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the tokenizer's files and `processor.json` into an existing or new folder."""
        folder = Path(folder)
        try:
            self.tokenizer.save_pretrained(folder)
        except OSError:
            raise
        except Exception as error:  # tokenizers raises bare Exceptions, a full disk's among them
            raise OSError(errno.ENOSPC if "os error 28" in str(error) else errno.EIO, str(error)) from None
        content = {"attributes": self.attributes, "max_length": self.max_length}
        if self.encoder_tokenizer is not None:
            content["encoder_tokenizer"] = store(self.encoder_tokenizer)
            (folder / ENCODER_FILE).write_text(self.encoder_tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
        (folder / FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "SentenceProcessor":
        """Read what `save_pretrained` wrote."""
        folder = Path(folder)
        for name in (FILE, "tokenizer.json"):
            if not (folder / name).is_file():
                raise ValueError(f"{str(folder)!r} has no {name}: it is not a complete checkpoint of a sentence model")
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            attributes, max_length = content["attributes"], content["max_length"]
        except (ValueError, KeyError) as error:
            raise ValueError(f"{folder / FILE} is damaged: {error!r}") from None
        try:
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        except Exception as error:  # tokenizers raises bare Exceptions, transformers whatever the damage leads to
            raise ValueError(f"{folder / 'tokenizer.json'} or its neighbour tokenizer_config.json is damaged: {error!r}") from None
        if "encoder_tokenizer" not in content:
            return cls(tokenizer, attributes, max_length)
        try:
            encoder_tokenizer = with_marks(backend=Tokenizer.from_file(str(folder / ENCODER_FILE)), **content["encoder_tokenizer"])
        except Exception as error:  # as above
            raise ValueError(f"{folder / ENCODER_FILE} is missing or damaged: {error!r}") from None
        return cls(tokenizer, attributes, max_length, encoder_tokenizer)
