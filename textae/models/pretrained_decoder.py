"""Pretrained language models as decoders: how z reaches one, its likelihood, and what `generate` asks of it.

Shapes: B sentences, T tokens, K tokens with the cached ones, D latent dimensions, H width, C context (z and attributes),
M memory slots, V vocabulary.
"""

import inspect
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from textae.models.conditioning import AttributeEmbedding
from textae.models.pretrained_config import PretrainedPartsConfig, PretrainedVAEConfig, Seq2SeqVAEConfig
from textae.models.pretrained_parts import (
    ContextLinear,
    MemoryCache,
    build_part,
    head_scale,
    make_part_config,
    num_positions,
)
from textae.models.sentence import SentenceDecoder
from textae.models.tokens import IGNORED, generation_options


class PretrainedDecoder(SentenceDecoder):
    """p(x|z, a) of a library's language model `lm` that is given z; a subclass says how."""

    config_class = PretrainedPartsConfig
    _is_stateful = True  # what stands before the first token is no token: modes that crop a cache are refused by the library
    auto_class: type
    num_slots = 0  # that stand before the first token and take positions of their own

    def __init__(self, config: PretrainedPartsConfig):
        super().__init__(config)
        self.lm = build_part(self.auto_class, self.part_config(config), "decoder_config")
        self.num_positions = num_positions(self.trunk)
        self.attribute_embed = AttributeEmbedding(config.decoder_attributes, config.attribute_dim)
        self.context_dim = config.latent_dim + config.attribute_dim * len(config.decoder_attributes)
        width = self.embed.embedding_dim
        self.context_embed = ContextLinear(self.context_dim, width) if config.latent_to_embedding else None
        self.generation_config = options = generation_options(config)
        # A pretrained model's marks may share one id: the end must be said, and `generate` must not take the first token for padding.
        options.suppress_tokens = sorted({config.pad_token_id, config.bos_token_id, config.mask_token_id} - {config.eos_token_id})
        if config.pad_token_id in (config.bos_token_id, config.eos_token_id):
            options.pad_token_id = config.mask_token_id
        self._head_scale: tuple[float | None] | None = None  # asked when first needed

    def part_config(self, config: PretrainedPartsConfig) -> Any:
        """The library's config of `lm`."""
        return make_part_config(config.decoder_config, config.vocab_size, "decoder_config")

    @property
    def embed(self) -> nn.Embedding:
        return self.lm.get_input_embeddings()

    @property
    def output_weight(self) -> Tensor:
        return self.lm.get_output_embeddings().weight

    @property
    def output_bias(self) -> Tensor:
        bias = self.lm.get_output_embeddings().bias
        return self.output_weight.new_zeros(len(self.output_weight)) if bias is None else bias

    @property
    def head_scale(self) -> float | None:
        """c where logits are c · (output weights · states) + bias; None: the head is more than that, and must be asked itself."""
        if self._head_scale is None:
            ids = torch.full((1, 1), self.config.bos_token_id, device=self.device)
            with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
                context = torch.zeros(1, self.context_dim, device=self.device, dtype=self.embed.weight.dtype)
                self._head_scale = (head_scale(self.lm, self.trunk, **self.for_head(self.inputs(self.embed(ids), context))),)
        return self._head_scale[0]

    @property
    @abstractmethod
    def trunk(self) -> nn.Module:
        """The part of `lm` whose last states its output layer reads."""

    @abstractmethod
    def inputs(self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: MemoryCache | None = None) -> dict[str, Any]:
        """Arguments of the trunk; tokens already with what is added to them, the cache begun where z goes into it."""

    def for_head(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The same as arguments of `lm`."""
        return inputs

    def check_room(self, num: int, cache: MemoryCache | None) -> None:
        """Refuse tokens that the model has no positions for.

        Raises:
            ValueError: With the number of those.
        """
        num += 0 if cache is None else cache.get_seq_length()
        if self.num_positions is not None and num + self.num_slots > self.num_positions:
            raise ValueError(f"a sentence has {num} tokens for the decoder, which has positions for {self.num_positions - self.num_slots}: split it, or take a decoder that has more")

    def with_context(self, embedded_BTH: Tensor, context_BC: Tensor) -> Tensor:
        """Embedded tokens with the context added, where it is."""
        return embedded_BTH if self.context_embed is None else embedded_BTH + self.context_embed(context_BC)[:, None]

    def new_cache(self) -> MemoryCache:
        """An empty cache, to which `inputs` adds what belongs before the first token."""
        return MemoryCache(DynamicCache(config=self.lm.config), 0)

    def states(
        self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: MemoryCache | None = None
    ) -> Tensor:
        """The trunk's last states, scaled as its output layer wants them; only where `head_scale` is a number."""
        states = self.trunk(**self.inputs(embedded_BTH, context_BC, mask_BK, cache)).last_hidden_state
        return states if self.head_scale == 1.0 else states * self.head_scale

    def all_logits(self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: MemoryCache | None = None) -> Tensor:
        """Logits of every token by the model's own output layer, whatever it does, shape (B, T, V)."""
        return self.lm(**self.for_head(self.inputs(embedded_BTH, context_BC, mask_BK, cache))).logits

    def last_logits(
        self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None, cache: MemoryCache | None, keep: int, running_B: Tensor | None = None
    ) -> Tensor:
        """As in the base; where the output layer is not linear, by the model itself."""
        if self.head_scale is not None:
            return super().last_logits(embedded_BTH, context_BC, mask_BK, cache, keep, running_B)
        return self.all_logits(embedded_BTH, context_BC, mask_BK, cache)[:, -keep:]

    def nll(self, latents_BD: Tensor, decoder_input_ids_BT: Tensor, labels_BT: Tensor, attributes: Tensor | None) -> Tensor:
        """As in the base; where the output layer is not linear, through the logits of the whole batch."""
        if self.head_scale is not None:
            return super().nll(latents_BD, decoder_input_ids_BT, labels_BT, attributes)
        logits_BTV = self.all_logits(self.embed(decoder_input_ids_BT), self.context(latents_BD, attributes)).float()
        return cross_entropy(logits_BTV.transpose(1, 2), labels_BT, ignore_index=IGNORED, reduction="none").sum(1)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False


class CausalDecoder(PretrainedDecoder):
    """A causal language model that attends to M slots before the first token in every layer, has z added to its inputs, or both."""

    config_class = PretrainedVAEConfig
    auto_class = AutoModelForCausalLM

    def __init__(self, config: PretrainedVAEConfig):
        super().__init__(config)
        self.num_slots = config.num_memory_slots if config.latent_to_memory else 0
        self.memory = ContextLinear(self.context_dim, 2 * self.num_slots * self._size_of_slots()) if self.num_slots else None
        self.takes_positions = "position_ids" in inspect.signature(self.trunk.forward).parameters
        self.post_init()

    def part_config(self, config: PretrainedVAEConfig) -> Any:
        part = super().part_config(config)
        if "is_decoder" in vars(part):  # BERT's kind reads in both directions unless told
            part.is_decoder = True
        return part

    def _size_of_slots(self) -> int:
        """Numbers that one slot's keys have in all layers; sets `key_shape` to (layers, heads, width of a head)."""
        part = self.lm.config
        heads, hidden = getattr(part, "num_attention_heads", None), getattr(part, "hidden_size", None)
        if heads is None or hidden is None:
            raise ValueError(
                f"a {part.model_type!r} decoder has no attention heads whose keys and values could be slots: set latent_to_memory=false"
            )
        width = getattr(part, "head_dim", None) or hidden // heads
        self.key_shape = part.num_hidden_layers, getattr(part, "num_key_value_heads", None) or heads, width
        return self.key_shape[0] * self.key_shape[1] * width

    @property
    def trunk(self) -> nn.Module:
        return self.lm.base_model

    def inputs(self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: MemoryCache | None = None) -> dict[str, Any]:
        self.check_room(embedded_BTH.shape[1], cache)
        if cache is None:
            if not self.num_slots and mask_BK is None:
                return {"inputs_embeds": self.with_context(embedded_BTH, context_BC), "use_cache": False}
            cache = self.new_cache()
        if self.num_slots and not cache.slots:
            self._fill(cache, context_BC)
        inputs = {"inputs_embeds": self.with_context(embedded_BTH, context_BC), "past_key_values": cache.inner, "use_cache": True}
        if mask_BK is not None:
            wanted = (len(embedded_BTH), cache.get_seq_length() + embedded_BTH.shape[1])
            if mask_BK.shape != wanted:
                raise ValueError(f"attention_mask has shape {tuple(mask_BK.shape)}; the cached and the new tokens want {wanted}")
            inputs["attention_mask"] = nn.functional.pad(mask_BK, (cache.slots, 0), value=1)
            if self.takes_positions:
                positions = cache.slots + (mask_BK.long().cumsum(1) - 1).clamp_min(0)
                inputs["position_ids"] = positions[:, cache.get_seq_length() :]
        return inputs

    def _fill(self, cache: MemoryCache, context_BC: Tensor) -> None:
        """Put each layer's slots where the keys and values of tokens before the first would stand."""
        layers, heads, width = self.key_shape
        slots = self.memory(context_BC).view(len(context_BC), layers, 2, heads, self.num_slots, width)
        for layer in range(layers):
            cache.inner.update(slots[:, layer, 0], slots[:, layer, 1], layer)
        cache.slots = self.num_slots


class Seq2SeqDecoder(PretrainedDecoder):
    """The decoder of an encoder-decoder, whose attention to the encoder finds M states made of z; holds the encoder too."""

    config_class = Seq2SeqVAEConfig
    auto_class = AutoModelForSeq2SeqLM

    def __init__(self, config: Seq2SeqVAEConfig):
        super().__init__(config)
        self.memory = ContextLinear(self.context_dim, config.num_memory_slots * self.lm.config.hidden_size)
        self.post_init()

    @property
    def trunk(self) -> nn.Module:
        return self.lm.get_decoder()

    def new_cache(self) -> MemoryCache:
        return MemoryCache(EncoderDecoderCache(DynamicCache(), DynamicCache()), 0)

    def inputs(self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: MemoryCache | None = None) -> dict[str, Any]:
        self.check_room(embedded_BTH.shape[1], cache)
        memory = self.memory(context_BC).view(len(context_BC), self.config.num_memory_slots, -1)
        inputs = {"inputs_embeds": self.with_context(embedded_BTH, context_BC), "encoder_hidden_states": memory, "use_cache": cache is not None}
        if mask_BK is not None:
            inputs["attention_mask"] = mask_BK
        return inputs if cache is None else {**inputs, "past_key_values": cache.inner}

    def for_head(self, inputs: dict[str, Any]) -> dict[str, Any]:
        renamed = {"inputs_embeds": "decoder_inputs_embeds", "attention_mask": "decoder_attention_mask"}
        said = BaseModelOutput(last_hidden_state=inputs["encoder_hidden_states"])
        return {"encoder_outputs": said, **{renamed.get(k, k): v for k, v in inputs.items() if k != "encoder_hidden_states"}}
