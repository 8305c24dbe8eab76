"""Sentence autoencoders made of pretrained models: any encoder, and any causal language model or T5's kind as the decoder.

The latent reaches a causal decoder as keys and values that stand before its first token in every layer, as a vector added to
its inputs, or both (Li et al. 2020, "Optimus", sec. 3.2; the first alone, beside a frozen decoder, is Carvalho et al. 2025,
"LangVAE"); and a T5's as what its encoder would have said. The decoders are in `pretrained_decoder.py`, their configs in
`pretrained_config.py`, and what is asked of the parts in `pretrained_parts.py`.

Shapes: B sentences, T tokens, D latent dimensions.
"""

import logging
from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from textae.core.autoencoder import is_part, make_config
from textae.core.config import nearest
from textae.core.families import make_head
from textae.core.latent import Posterior
from textae.data.pretrained_tokenizer import load_tokenizer, same_format
from textae.data.processor import SentenceProcessor
from textae.models.pretrained_config import PretrainedPartsConfig, PretrainedVAEConfig, Seq2SeqVAEConfig
from textae.models.pretrained_decoder import CausalDecoder, PretrainedDecoder, Seq2SeqDecoder
from textae.models.pretrained_parts import (
    POOLINGS,
    bare_encoder,
    build_part,
    fetch_config,
    fetch_weights,
    make_part_config,
    num_positions,
)
from textae.models.sentence import SentenceAutoencoder
from textae.models.tokens import TokenIds, embedded_tokens

logger = logging.getLogger(__name__)


class PretrainedAutoencoder(SentenceAutoencoder):
    """What both families share: reading with a pretrained encoder, parts that are frozen, and where weights come from."""

    decoder: PretrainedDecoder
    config_class = PretrainedPartsConfig
    shared_modules = ()

    def __init__(self, config: PretrainedPartsConfig):
        super().__init__(config)
        self.decoder = self.make_decoder(config)
        self.make_encoder(config)
        width = self.reader.config.hidden_size
        self.num_positions = num_positions(self.reader)
        self.pooling = POOLINGS[config.pooling](width, 1)
        self.head = make_head(width, config)
        reader = next(name for name, module in self.named_modules() if module is self.reader)
        self.encoder_modules = (reader, "pooling", "head")
        if is_part(reader, "decoder"):  # a fresh decoder leaves them as they are
            self.shared_modules = (next(name for name, module in self.named_modules() if module is self.decoder.embed), reader)
        self.post_init()
        self.freeze()

    @abstractmethod
    def make_decoder(self, config: PretrainedPartsConfig) -> PretrainedDecoder:
        """A fresh decoder."""

    def make_encoder(self, config: PretrainedPartsConfig) -> None:
        """Set `encoder` where it is not a part of the decoder's model."""

    @property
    @abstractmethod
    def reader(self) -> nn.Module:
        """The model that reads."""

    def encode(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any
    ) -> Posterior:
        """q(z|x) of right-padded sentences, in the ids of the encoder's tokenizer, shape (B, T).

        Raises:
            ValueError: Embedded words are given to an encoder with other words than the decoder's, or a sentence is too long for it.
        """
        if inputs_embeds is not None and self.reader.get_input_embeddings().weight is not self.decoder.embed.weight:
            raise ValueError("this encoder has words of its own and cannot read what the decoder says before it is text: leave out the term that asks it to")
        embedded = embedded_tokens(self.reader.get_input_embeddings(), input_ids, inputs_embeds)
        if self.num_positions is not None and embedded.shape[1] > self.num_positions:
            raise ValueError(f"a sentence has {embedded.shape[1]} tokens for the encoder, which has positions for {self.num_positions}: split it, or lower data.max_tokens")
        if attention_mask is None:
            attention_mask = torch.ones(embedded.shape[:2], dtype=torch.long, device=embedded.device)
        words = {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
        posterior = self.head(self.pooling(self.reader(**words, attention_mask=attention_mask).last_hidden_state, attention_mask))
        if self.training:
            self._show_codes_to_prior()
        return posterior

    def generate(self, latents: Tensor, **options: Any) -> TokenIds:
        """As in the base; a sentence ends at the latest where the decoder's positions do."""
        limit, asked = self.decoder.num_positions, options.get("input_ids")
        if limit is not None and "max_length" not in options and "generation_config" not in options:
            room = limit - self.decoder.num_slots - (0 if asked is None else asked.shape[1] - 1)  # the last token is never read
            longest = options.get("max_new_tokens") or self.decoder.generation_config.max_new_tokens
            options["max_new_tokens"] = max(1, min(longest, room))
        return super().generate(latents, **options)

    def check_length(self, max_tokens: int) -> None:
        """As in the base. Of an encoder with words of its own nobody knows beforehand: `encode` tells."""
        slots = self.decoder.num_slots
        asked = [("decoder", self.decoder.num_positions, slots)]
        if not self.config.encoder_vocab:
            asked.append(("encoder", self.num_positions, 0))
        for part, limit, before in asked:
            if limit is not None and max_tokens + 1 + before > limit:
                slotted = f" and {before} slots of z" if before else ""
                fits = limit - 1 - before
                lower = f"set data.max_tokens to {fits} or less, or take" if fits > 0 else "take"
                raise ValueError(f"a sentence may have {max_tokens} tokens, with its mark{slotted} {max_tokens + 1 + before} positions, and the {part} has {limit}: {lower} one that has more")

    def freeze(self) -> dict[str, int]:
        """Take the gradient from the parameters that `config.frozen` names; how many numbers each name froze.

        A weight with several names, such as word vectors that encoder, decoder and output layer share, goes by its first, or by
        another that nothing else bears: freezing T5's encoder leaves it to the decoder.

        Raises:
            ValueError: A name fits no parameter, or all together leave none to train.
        """
        frozen = {}
        for start in self.config.frozen:
            found = {p for name, p in self.named_parameters() if is_part(name, start)}
            found = found or {p for name, p in self.named_parameters(remove_duplicate=False) if is_part(name, start)}
            if not found:
                known = {".".join(name.split(".")[:depth]) for name, _ in self.named_parameters(remove_duplicate=False) for depth in (1, 2, 3)}
                raise ValueError(f"frozen names {start!r}, of which the model has no parameter: {nearest(start, known)}")
            for parameter in found:
                parameter.requires_grad_(False)
            frozen[start] = sum(p.numel() for p in found)
        if frozen and not any(p.requires_grad for p in self.parameters()):
            raise ValueError(f"frozen names {', '.join(frozen)}, which is all that the model could learn: leave out at least one, such as head")
        return frozen

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, *args: Any, **kwargs: Any) -> "PretrainedAutoencoder":
        """As in the base; what is frozen stays so."""
        loaded = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        (loaded[0] if isinstance(loaded, tuple) else loaded).freeze()
        return loaded

    @classmethod
    def from_parts(cls, ids: dict[str, str], processor: SentenceProcessor | None, settings: dict[str, Any]) -> "PretrainedAutoencoder":
        """A model of pretrained parts, joined by fresh layers: fetches configs, then weights."""
        if processor is None:
            processor = pretrained_processor(ids["decoder"], ids.get("encoder", ""), settings.get("attributes"))
        settings = {**settings, **{f"{part}_id": source for part, source in ids.items()}}
        model = cls(make_config(cls.config_class, {**settings, **part_settings(settings, processor)}))
        model.load_parts()
        return model

    def load_parts(self) -> None:
        """Fetch the weights that the config's ids name, where it names any; the layers that join them stay as they are.

        Raises:
            ValueError: There is no such model, its weights are no safetensors, or they do not fit its config.
        """
        for part, source in self.config.part_ids.items():
            if source:
                self.load_part(part, source)
                logger.info("%s: weights of %s", part, source)
        for name, num in self.freeze().items():
            logger.info("frozen: %s, %s parameters", name, f"{num:,}")

    def load_part(self, part: str, source: str) -> None:
        """Fetch one part's weights."""
        fetched = fetch_weights(self.decoder.auto_class, source, self.config.vocab_size)
        self.decoder.lm.load_state_dict(fetched.state_dict())


class PretrainedVAE(PretrainedAutoencoder):
    """Any `AutoModel` as the encoder (of an encoder-decoder its encoder) and any `AutoModelForCausalLM` as the decoder.

    Prompts of different lengths (`generate(latents, input_ids=...)`) are padded on the left, with an `attention_mask`.
    """

    config_class = PretrainedVAEConfig

    def make_decoder(self, config: PretrainedVAEConfig) -> CausalDecoder:
        return CausalDecoder(config)

    def make_encoder(self, config: PretrainedVAEConfig) -> None:
        part = make_part_config(config.encoder_config, config.encoder_vocab or config.vocab_size, "encoder_config")
        self.encoder = bare_encoder(build_part(AutoModel, part, "encoder_config"))

    @property
    def reader(self) -> nn.Module:
        return self.encoder

    def load_part(self, part: str, source: str) -> None:
        if part == "decoder":
            return super().load_part(part, source)
        rows = self.encoder.get_input_embeddings().num_embeddings
        self.encoder.load_state_dict(bare_encoder(fetch_weights(AutoModel, source, rows)).state_dict())

    @classmethod
    def from_pretrained_parts(
        cls, encoder_id: str, decoder_id: str, processor: SentenceProcessor | None = None, **settings: Any
    ) -> "PretrainedVAE":
        """A model that starts from two pretrained ones, folders or Hub ids.

        Args:
            encoder_id: Such as `google-bert/bert-base-cased`.
            decoder_id: Such as `openai-community/gpt2`.
            processor: What `pretrained_processor` makes of the same ids; None makes it.
            **settings: Of `PretrainedVAEConfig`.

        Raises:
            ValueError: A part cannot be found or used, or a setting is unknown or out of range.
        """
        return cls.from_parts({"encoder": encoder_id, "decoder": decoder_id}, processor, settings)


class Seq2SeqVAE(PretrainedAutoencoder):
    """An encoder-decoder such as T5 whose decoder is given z in the place of its encoder's states."""

    config_class = Seq2SeqVAEConfig

    def make_decoder(self, config: Seq2SeqVAEConfig) -> Seq2SeqDecoder:
        return Seq2SeqDecoder(config)

    @property
    def reader(self) -> nn.Module:
        return self.decoder.lm.get_encoder()

    @classmethod
    def from_pretrained_parts(cls, model_id: str, processor: SentenceProcessor | None = None, **settings: Any) -> "Seq2SeqVAE":
        """A model that starts from a pretrained encoder-decoder such as `google-t5/t5-small`; see `PretrainedVAE.from_pretrained_parts`."""
        return cls.from_parts({"decoder": model_id}, processor, settings)


def pretrained_processor(
    decoder_id: str, encoder_id: str = "", attributes: dict[str, list[str]] | None = None, max_length: int = 256
) -> SentenceProcessor:
    """The tokenizers of pretrained parts. The encoder keeps its own where it has other entries, or marks in front of a sentence.

    Args:
        decoder_id: Folder or Hub id of the decoder, or of an encoder-decoder.
        encoder_id: Of the encoder; empty: it is the decoder's.
        attributes: As `SentenceProcessor` takes them.
        max_length: Tokens of the longest sentence that is taken, as the decoder counts them.
    """
    tokenizer = load_tokenizer(decoder_id, fetch_config(decoder_id)[0].get("decoder_start_token_id"))
    reading = load_tokenizer(encoder_id or decoder_id)
    return SentenceProcessor(tokenizer, attributes, max_length, None if same_format(reading, tokenizer) else reading)


def part_settings(settings: dict[str, Any], processor: SentenceProcessor) -> dict[str, Any]:
    """What a fresh model's config needs beside the settings that a user gives: its parts' own configs, vocabularies and marks.

    Raises:
        ValueError: There is no such part, or the settings have a config of their own beside the one that it brings.
    """
    found: dict[str, Any] = {"vocab_size": len(processor.tokenizer)}
    for part in ("encoder", "decoder"):
        if not (source := settings.get(f"{part}_id")):
            continue
        if settings.get(f"{part}_config"):
            raise ValueError(f"{part}_config is what {part}_id={source} brings with it, and would be ignored: leave one of the two out")
        found[f"{part}_config"], rows = fetch_config(source)
        if part == "decoder":
            found["vocab_size"] = max(rows, len(processor.tokenizer))
        elif processor.encoder_tokenizer is not None:
            found["encoder_vocab"] = max(rows, len(processor.encoder_tokenizer))
    if processor.encoder_tokenizer is not None and not settings.get("encoder_id"):
        found["encoder_vocab"] = len(processor.encoder_tokenizer)
    return {**found, **{f"{mark}_token_id": getattr(processor.tokenizer, f"{mark}_token_id") for mark in ("pad", "bos", "eos", "unk", "mask")}}


for _config, _model in ((PretrainedVAEConfig, PretrainedVAE), (Seq2SeqVAEConfig, Seq2SeqVAE)):
    AutoConfig.register(_config.model_type, _config)
    AutoModel.register(_config, _model)
