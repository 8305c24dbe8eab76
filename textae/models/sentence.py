"""What all autoencoders of sentences share, whatever their layers: likelihood, encoding and generation.

Shapes: B sentences, T tokens, D latent dimensions, E embedding, C context (z and attributes), H width of states, A attributes,
V vocabulary, N the positions that count.
"""

from abc import abstractmethod
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from textae.core.autoencoder import Autoencoder, AutoencoderConfig
from textae.core.code_prior import UniformCodes, take_codebook
from textae.core.codebook import QuantizedHead
from textae.core.families import FAMILIES
from textae.core.latent import Posterior
from textae.core.learned_prior import VampPrior
from textae.models.conditioning import AttributeEmbedding
from textae.models.cross_entropy import token_nll
from textae.models.tokens import IGNORED, TokenIds, embedded_tokens


@strict
class SentenceConfig(AutoencoderConfig):
    """What the config of every autoencoder of sentences holds.

    Attributes:
        vocab_size: V.
        attribute_dim: Width of each attribute's embedding.
    """

    families = tuple(FAMILIES)
    ways_of_z = ()  # names of the switches of which one at least gives z to the decoder
    vocab_size: int = 8000
    attribute_dim: int = 16
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2
    unk_token_id: int = 3
    mask_token_id: int = 4

    def validate_ways(self) -> None:
        """The decoder is given z; called by `strict`."""
        if self.ways_of_z and not any(getattr(self, name) for name in self.ways_of_z):
            raise ValueError(f"the decoder never sees z: switch on {' or '.join(self.ways_of_z)}")

    def validate_words(self) -> None:
        """Numbers that most of the models have; called by `strict`."""
        if getattr(self, "embedding_std", 1) <= 0:
            raise ValueError(f"embedding_std is {self.embedding_std}; a standard deviation is above 0")
        if not 0 <= getattr(self, "dropout", 0) < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")


class SentenceDecoder(PreTrainedModel, GenerationMixin):
    """p(x|z, a), a language model that is given a context; a subclass implements `states` and `new_cache`.

    Attributes:
        embed: Word vectors.
        attribute_embed: Makes the context.
        output: The output layer; None where it is `embed`.
        output_bias: Of the logits, shape (V,).
    """

    main_input_name = "input_ids"
    embed: nn.Embedding
    attribute_embed: AttributeEmbedding
    output: nn.Linear | None
    output_bias: nn.Parameter

    @property
    def output_weight(self) -> Tensor:
        """Output embeddings, shape (V, H)."""
        return self.embed.weight if self.output is None else self.output.weight

    def context(self, latents_BD: Tensor, attributes: Tensor | None) -> Tensor:
        """z and the attributes' embeddings side by side, (B, C); attributes as `AttributeEmbedding` takes them."""
        return self.attribute_embed(latents_BD, attributes).to(self.embed.weight.dtype)

    @abstractmethod
    def new_cache(self) -> Any:
        """What `generate` keeps of the tokens before, empty."""

    @abstractmethod
    def states(self, embedded_BTE: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: Any = None) -> Tensor:
        """States that the vocabulary is asked about, shape (B, T, H).

        Args:
            embedded_BTE: Embedded tokens; with a cache, those it has not read.
            context_BC: What `context` gives.
            mask_BK: 0 for padding, K counting the cached tokens too; None: there is none, or it is all on the right, where no token looks.
            cache: Of the tokens before; these are added to it.
        """

    def last_logits(
        self, embedded_BTE: Tensor, context_BC: Tensor, mask_BK: Tensor | None, cache: Any, keep: int, running_B: Tensor | None = None
    ) -> Tensor:
        """Of the last `keep` tokens, or of all for 0, shape (B, keep, V); zeros for rows that are not `running_B`, if it is given."""
        states = self.states(embedded_BTE, context_BC, mask_BK, cache)[:, -keep:]
        if running_B is None:
            return self.logits(states)
        wanted = self.logits(states[running_B])
        logits = wanted.new_zeros(*states.shape[:2], wanted.shape[-1])
        logits[running_B] = wanted
        return logits

    def _running(self, input_ids: Tensor | None, cache: Any) -> Tensor | None:
        """Which sentences of a batch have not ended, shape (B,), by the padding that `generate` feeds those that have; None: all.

        Of long batches most rows wait for the longest, and the vocabulary is what a step costs. Asking would stall a GPU.
        """
        if input_ids is None or cache is None or input_ids.shape[1] != 1 or input_ids.device.type != "cpu" or not cache.get_seq_length():
            return None
        running_B = input_ids[:, 0] != self.config.pad_token_id
        return None if running_B.all() else running_B

    def logits(self, states: Tensor) -> Tensor:
        """Of the vocabulary, shape (..., V)."""
        return nn.functional.linear(states, self.output_weight, self.output_bias.to(states.dtype))

    def nll(self, latents_BD: Tensor, decoder_input_ids_BT: Tensor, labels_BT: Tensor, attributes: Tensor | None) -> Tensor:
        """-log p(x|z, a) in nats for each sentence, shape (B,); positions labeled -100 cost nothing."""
        states = self.states(self.embed(decoder_input_ids_BT), self.context(latents_BD, attributes))
        real_BT = labels_BT != IGNORED
        costs_N = token_nll(states[real_BT], self.output_weight, self.output_bias, labels_BT[real_BT])
        rows_N = real_BT.nonzero()[:, 0]
        return torch.zeros(len(labels_BT), device=costs_N.device).index_add_(0, rows_N, costs_N)

    def forward(
        self,
        input_ids: Tensor | None,
        latents: Tensor,
        attributes: Tensor | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
        inputs_embeds: Tensor | None = None,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Next-token logits; the form `generate` calls. A token of padding after others ends its sentence: its logits may be zeros.

        Args:
            input_ids: Tokens so far, shape (B, T); with a cache, those it has not read. None: see `inputs_embeds`.
            latents: Shape (B, D).
            attributes: Values, -1 for unspecified, shape (B, A), or weights of `conditioning.attribute_weights`.
            attention_mask: 0 for padding, which belongs on the left of prompts, shape (B, K), cached tokens included. A recurrent
                decoder has no use for it: its prompts have one length.
            past_key_values: What this decoder returned before.
            use_cache: Whether to begin a cache where none is given.
            logits_to_keep: Logits of this many last positions only; 0 means all.
            inputs_embeds: What `embed` would make of tokens, or mixtures of it, in their place, shape (B, T, E).

        Raises:
            ValueError: Both tokens and their vectors are given, or neither; or the cache is not one of this decoder's.
        """
        if use_cache and past_key_values is None:
            past_key_values = self.new_cache()
        running = self._running(input_ids, past_key_values)
        embedded = embedded_tokens(self.embed, input_ids, inputs_embeds)
        context = self.context(latents, attributes)
        logits = self.last_logits(embedded, context, attention_mask, past_key_values, logits_to_keep, running)
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)

    _init_weights = Autoencoder._init_weights


class SentenceAutoencoder(Autoencoder):
    """An autoencoder of `decoder`, an `encoder` of embedded words and their mask, and a `head` that makes its result a posterior.

    A point posterior makes it an autoencoder and a Gaussian one a VAE; which objective it is trained with is the config's business.
    A subclass makes the three and then calls `post_init`.

    Attributes:
        head: Of `textae.core.families.make_head`.
    """

    main_input_name = "input_ids"
    encoder_modules = ("encoder", "head")
    shared_modules = ("decoder.embed",)
    decoder: SentenceDecoder
    encoder: nn.Module
    head: nn.Module

    def post_init(self) -> None:
        """Initialize all layers, and give the prior what it must know of the model."""
        super().post_init()
        self._show_codes_to_prior()
        if isinstance(self.prior, VampPrior):
            embed, pseudo = self.decoder.embed, self.prior.pseudo_inputs
            with torch.no_grad():  # they begin as random words
                words = torch.randint(embed.num_embeddings, pseudo.shape[:2], device=pseudo.device)
                pseudo.copy_(embed(words))
            self.prior.attach(self._encode_vectors)

    def check_length(self, max_tokens: int) -> None:
        """Raise a ValueError if a sentence of so many tokens is longer than the model can read or write."""

    def _encode_vectors(self, vectors_MTE: Tensor) -> Posterior:
        return self.encode(inputs_embeds=vectors_MTE)

    def encode(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any
    ) -> Posterior:
        """q(z|x) of right-padded sentences, shapes (B, T); or, in place of ids, of what `decoder.embed` makes of them or mixtures
        of it, shape (B, T, E).
        """
        embedded = embedded_tokens(self.decoder.embed, input_ids, inputs_embeds)
        if attention_mask is None:
            attention_mask = torch.ones(embedded.shape[:2], dtype=torch.long, device=embedded.device)
        posterior = self.head(self.encoder(embedded, attention_mask))
        if self.training:
            self._show_codes_to_prior()
        return posterior

    def nll(
        self, z: Tensor, *, decoder_input_ids: Tensor, labels: Tensor, attributes: Tensor | None = None, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Cost of `labels` (shape (B, T), -100 for padding) under teacher forcing, in nats, and their count."""
        return self.decoder.nll(z, decoder_input_ids, labels, attributes), (labels != IGNORED).sum(1)

    def generate(self, latents: Tensor, **options: Any) -> TokenIds:
        """Decode codes (B, D) with any option of `transformers`' `generate`; greedy by default.

        `do_sample=True` draws from the whole vocabulary, unless `top_k` or `top_p` says less: transformers' own default is the 50
        likeliest words, which is no sample of p(x|z).

        What is no code of the model's family, such as a point between two codes of a codebook or off the sphere, is decoded as
        the nearest one.

        Returns:
            Token ids, shape (B · num_return_sequences, T), each row from <bos> to <eos> and padded.
        """
        if options.get("do_sample", self.decoder.generation_config.do_sample) and "generation_config" not in options:
            options.setdefault("top_k", 0)
        return self.decoder.generate(latents=self.head.snap(latents), **options)

    def set_prior(self, name: str, prior: nn.Module, options: dict[str, Any]) -> None:
        """As in the core; a prior over codes is given this model's codebook.

        Raises:
            ValueError: It is over other codes.
        """
        if isinstance(self.head, QuantizedHead):
            take_codebook(prior, self.head.codebook.codes)
        super().set_prior(name, prior, options)

    @torch.no_grad()
    def _show_codes_to_prior(self) -> None:
        if isinstance(self.head, QuantizedHead) and isinstance(self.prior, UniformCodes):
            self.prior.codebook.copy_(self.head.codebook.codes)
