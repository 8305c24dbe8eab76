"""What all models of tokens are made with: word vectors, dropout over sentences, options of generation.

Shapes: B sentences, T tokens, E embedding.
"""

from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedConfig

TokenIds = Tensor
IGNORED = -100  # the label of padding, as everywhere in transformers


def generation_options(config: PreTrainedConfig, max_new_tokens: int = 64) -> GenerationConfig:
    """Greedy decoding from <bos> to <eos>; marks that are never a target are never produced."""
    return GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        suppress_tokens=[config.pad_token_id, config.bos_token_id, config.mask_token_id],
        max_new_tokens=max_new_tokens,
    )


def embedded_tokens(embed: nn.Embedding, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """Tokens as vectors, (B, T, E): looked up, or given as they are.

    Raises:
        ValueError: Both are given, or neither.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("a model of tokens reads either input_ids or inputs_embeds: give one of the two")
    return embed(input_ids) if inputs_embeds is None else inputs_embeds


class WordEmbedding(nn.Embedding):
    """Word vectors drawn from N(0, std²)."""

    def __init__(self, num: int, dim: int, std: float):
        self.std = std
        super().__init__(num, dim)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.std)


class VariationalDropout(nn.Module):
    """Dropout whose mask is shared by all steps of a sentence (Gal & Ghahramani 2016, sec. 4)."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x_BTE: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x_BTE
        keep = 1 - self.rate
        return x_BTE * x_BTE.new_empty(len(x_BTE), 1, x_BTE.shape[-1]).bernoulli_(keep).div_(keep)
