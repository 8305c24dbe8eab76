"""The recurrent model whose encoder reads <bos> and the words instead of the words and <eos>, as older checkpoints do."""

from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor
from transformers import AutoConfig, AutoModel

from textae.core.latent import Posterior
from textae.models.rnn import RNNVAE, RNNVAEConfig
from textae.models.tokens import embedded_tokens


@strict
class BosRNNVAEConfig(RNNVAEConfig):
    """Config of `BosRNNVAE`: that of `RNNVAE`."""

    model_type = "textae_rnn_bos"


class BosRNNVAE(RNNVAE):
    """`RNNVAE` that reads what its decoder reads: <bos> and the words, as many tokens as the words and <eos>.

    What checkpoints of `textae.interchange.text_autoencoders` were trained on; nothing speaks for it in a new model.
    """

    config_class = BosRNNVAEConfig

    def encode(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any
    ) -> Posterior:
        """q(z|x) of batches as all models take them, words and <eos>: the last token of each row is not read, but <bos> before it."""
        embed = self.decoder.embed
        embedded = embedded_tokens(embed, input_ids, inputs_embeds)
        first = embed(torch.full((embedded.shape[0], 1), self.config.bos_token_id, dtype=torch.long, device=embedded.device)).to(embedded.dtype)
        return super().encode(inputs_embeds=torch.cat([first, embedded[:, :-1]], 1), attention_mask=attention_mask)


AutoConfig.register(BosRNNVAEConfig.model_type, BosRNNVAEConfig)
AutoModel.register(BosRNNVAEConfig, BosRNNVAE)
