"""Configs of sentence autoencoders made of pretrained models: the parts' own configs inside, so that nothing is fetched to load one."""

from dataclasses import field
from typing import Any

from huggingface_hub.dataclasses import strict

from textae.core.config import choose
from textae.models.pretrained_parts import POOLINGS, SMALL_BERT, SMALL_GPT2, SMALL_T5, check_part_config
from textae.models.sentence import SentenceConfig


@strict
class PretrainedPartsConfig(SentenceConfig):
    """What both families' configs hold.

    Attributes:
        decoder_id: Folder or Hub id whose weights a fresh model starts from; empty: from nothing.
        decoder_config: Its architecture, as its own config says it, with `model_type`: what a saved model is rebuilt from.
        encoder_vocab: Entries of the encoder's own tokenizer; 0: it reads the decoder's tokens.
        pooling: What of the encoder's states the posterior is made of: the "first" (BERT's [CLS]), the "last" (for an encoder
            that is a causal model), their "mean", or "attention", a learned mean.
        num_memory_slots: M.
        latent_to_embedding: Whether z (and the attributes) are added to the decoder's inputs.
        frozen: Beginnings of the names of parameters that are not trained, such as "encoder" or "decoder.lm". Word vectors that
            several modules share are a part of the first alone.
    """

    decoder_id: str = ""
    decoder_config: dict[str, Any] = field(default_factory=dict)
    encoder_vocab: int = 0
    pooling: str = "mean"
    num_memory_slots: int = 1
    latent_to_embedding: bool = True
    frozen: list[str] = field(default_factory=list)

    @property
    def part_ids(self) -> dict[str, str]:
        """Where each part comes from, by the beginning of its settings' names."""
        return {"decoder": self.decoder_id}

    def validate_parts(self) -> None:
        """The choices that exist, and parts that are all pretrained or all new; called by `strict`."""
        choose(POOLINGS, self.pooling, "pooling")
        if self.encoder_vocab < 0:
            raise ValueError(f"encoder_vocab is {self.encoder_vocab}; it must be 0 (the decoder's tokens are read) or more")
        given = [name for name, source in self.part_ids.items() if source]
        if given and len(given) < len(self.part_ids):
            raise ValueError(f"{given[0]}_id is given alone: a pretrained part needs its own tokenizer, so give both ids or none")

    def validate_architectures(self) -> None:
        """Settings of new parts are such as the library reads; those of pretrained ones are its own. Called by `strict`."""
        for part, source in self.part_ids.items():
            if not source:
                check_part_config(getattr(self, f"{part}_config"), max(self.vocab_size, 1), f"{part}_config")


@strict
class PretrainedVAEConfig(PretrainedPartsConfig):
    """Config of `PretrainedVAE`.

    Attributes:
        encoder_id: Folder or Hub id of the encoder, as `decoder_id`.
        encoder_config: Its architecture, as `decoder_config`.
        latent_to_memory: Whether z (and the attributes) become M keys and values before the first token of each decoder layer.
            At least one of the two ways must be on.
    """

    model_type = "textae_pretrained"
    ways_of_z = ("latent_to_memory", "latent_to_embedding")
    encoder_id: str = ""
    encoder_config: dict[str, Any] = field(default_factory=lambda: dict(SMALL_BERT))
    decoder_config: dict[str, Any] = field(default_factory=lambda: dict(SMALL_GPT2))
    latent_to_memory: bool = True

    @property
    def part_ids(self) -> dict[str, str]:
        return {"encoder": self.encoder_id, "decoder": self.decoder_id}


@strict
class Seq2SeqVAEConfig(PretrainedPartsConfig):
    """Config of `Seq2SeqVAE`: `decoder_id` and `decoder_config` are the whole encoder-decoder's."""

    model_type = "textae_seq2seq"
    decoder_config: dict[str, Any] = field(default_factory=lambda: dict(SMALL_T5))
