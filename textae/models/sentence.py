"""What all autoencoders of sentences share, whatever their layers: likelihood, encoding and generation.

Shapes: B sentences, T tokens, D latent dimensions, E embedding, C context (z and attributes), H width of states, A attributes,
V vocabulary, N the positions that count.
"""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from textae.core.autoencoder import Autoencoder
from textae.core.code_prior import UniformCodes, take_codebook
from textae.core.codebook import QuantizedHead
from textae.core.latent import Posterior
from textae.core.learned_prior import VampPrior
from textae.models.conditioning import AttributeEmbedding
from textae.models.cross_entropy import token_nll
from textae.models.tokens import IGNORED, TokenIds, embedded_tokens


class SentenceDecoder(PreTrainedModel):
    """p(x|z, a), a language model that is given a context; a subclass is a `GenerationMixin` too and implements `states` and `forward`.

    Attributes:
        embed: Word vectors.
        attribute_embed: Makes the context.
        output: The output layer; None where it is `embed`.
        output_bias: Of the logits, shape (V,).
    """

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
    def states(self, embedded_BTE: Tensor, context_BC: Tensor) -> Tensor:
        """States that the vocabulary is asked about, shape (B, T, H)."""

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

        What is no code of the model's family, such as a point between two codes of a codebook or off the sphere, is decoded as
        the nearest one.

        Returns:
            Token ids, shape (B · num_return_sequences, T), each row from <bos> to <eos> and padded.
        """
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
