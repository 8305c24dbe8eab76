"""What all decoders of tokens share when they generate."""

from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

TokenIds = Tensor


def generation_options(config: PreTrainedConfig, max_new_tokens: int = 64) -> GenerationConfig:
    """Greedy decoding from <bos> to <eos>; marks that are never a target are never produced."""
    return GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        suppress_tokens=[config.pad_token_id, config.bos_token_id, config.mask_token_id],
        max_new_tokens=max_new_tokens,
    )
