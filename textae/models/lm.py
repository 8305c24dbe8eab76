"""The recurrent language model without a latent, in the shape of an autoencoder: the yardstick of likelihoods, and the judge of samples.

Its decoder is the recurrent VAE's with both ways of z shut, and its posterior is the prior: KL is 0, the ELBO is the log likelihood
itself, and every figure of an autoencoder is the true one of a language model.

Shapes: B sentences, D latent dimensions.
"""

from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from textae.core.latent import DiagonalGaussian, Posterior
from textae.models.rnn import RNNDecoder, RNNVAEConfig
from textae.models.sentence import SentenceAutoencoder


@strict
class SentenceLMConfig(RNNVAEConfig):
    """Config of `SentenceLM`: that of `RNNVAE` as far as it is about the decoder."""

    model_type = "textae_lm"
    ways_of_z = ()
    families = ("gaussian",)
    latent_dim: int = 1
    latent_to_state: bool = False
    latent_to_input: bool = False

    @property
    def decoder_attributes(self) -> dict[str, list[str]]:
        """None: what comes with z is not given either."""
        return {}

    def validate_choices(self) -> None:
        """The values that exist, and no way for z; called by `strict`."""
        super().validate_choices()
        if self.latent_to_state or self.latent_to_input or self.latent_to_layers:
            raise ValueError("a language model has no z to give its decoder: leave out latent_to_state, latent_to_input and latent_to_layers, or take the model rnn")
        if self.prior != "standard" or self.posterior_options:
            raise ValueError("a language model's posterior is its prior, N(0, I): leave out prior and posterior_options")


class PriorHead(nn.Module):
    """N(0, I) for every example, whatever it is."""

    def __init__(self, latent_dim: int):
        super().__init__()
        self.latent_dim = latent_dim

    def forward(self, features: Tensor) -> DiagonalGaussian:
        zeros = torch.zeros(len(features), self.latent_dim, device=features.device)
        return DiagonalGaussian(zeros, zeros)

    def snap(self, z_BD: Tensor) -> Tensor:
        """Every point is a code."""
        return z_BD


class SentenceLM(SentenceAutoencoder):
    """p(x) by a recurrent decoder that is given nothing. It samples words by default, since the likeliest sentence is always the same."""

    config_class = SentenceLMConfig
    encoder_modules = ()
    shared_modules = ()

    def __init__(self, config: SentenceLMConfig):
        super().__init__(config)
        self.decoder = RNNDecoder(config)
        self.decoder.generation_config.do_sample = True
        self.head = PriorHead(config.latent_dim)
        self.post_init()

    def encode(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any
    ) -> Posterior:
        """N(0, I) for every sentence."""
        return self.head(input_ids if inputs_embeds is None else inputs_embeds)


AutoConfig.register(SentenceLMConfig.model_type, SentenceLMConfig)
AutoModel.register(SentenceLMConfig, SentenceLM)
