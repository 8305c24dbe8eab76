"""The Transformer sentence VAE: bidirectional encoder, pooled posterior, causal decoder that attends to its code.

Memory slots and added embeddings are the two ways of Li et al. 2020 (Optimus) to give a decoder its code, here in a small
model trained from scratch. The layers are in `transformer_layers.py`.

Shapes: B sentences, T tokens, K tokens with the cached ones, D latent dimensions, H width, A attributes, C context,
V vocabulary, N = B·T positions.
"""

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, Cache, DynamicCache

from textae.core.config import choose
from textae.core.families import make_head
from textae.models.conditioning import AttributeEmbedding
from textae.models.sentence import SentenceAutoencoder, SentenceConfig, SentenceDecoder
from textae.models.tokens import VariationalDropout, generation_options
from textae.models.transformer_layers import POOLINGS, Block, Positions, ScaledEmbedding, causal_bias, padding_bias

POSITIONS = ("rotary", "learned")


@strict
class TransformerVAEConfig(SentenceConfig):
    """Config of `TransformerVAE`.

    Attributes:
        embedding_std: Standard deviation of fresh word vectors, which are multiplied by sqrt(H) as inputs. They are output
            weights too: logits begin with about sqrt(H) times this, so 1 would begin far from a uniform guess.
        hidden_dim: H, the width of words, encoder and decoder.
        num_heads: Attention heads of every layer; divides H.
        feedforward_dim: Inner width of the SwiGLU feed-forward, which has three matrices: 8/3 H costs what 4 H does elsewhere.
        num_encoder_layers: Layers of the encoder.
        num_decoder_layers: Layers of the decoder.
        positions: "rotary" or "learned".
        num_positions: Learned positions, the length of the longest sentence with its marks; rotary ones know no limit.
        pooling: What of the encoder's states the posterior is made of: a "first" token of its own, the "mean" of all words'
            states, or "attention", a learned mean for each head.
        latent_to_memory: Whether z (and the attributes) become memory slots, keys and values of each decoder layer.
        num_memory_slots: Slots in each layer.
        latent_to_embedding: Whether z (and the attributes) are added to the decoder's inputs. At least one must be on.
        latent_to_layers: Whether a linear map of z (and the attributes) is also added to the input of every further layer and to the
            last one's states: the skip connections of Dieng et al. 2019, sec. 3.
        tie_embeddings: Whether the output layer shares the input embeddings.
        dropout: Of embeddings, of each layer's two branches and of outputs, one mask for all tokens of a sentence; 0 is none.
    """

    model_type = "textae_transformer"
    ways_of_z = ("latent_to_memory", "latent_to_embedding")
    # the names by which transformers asks for what a cache must know
    attribute_map = {
        "hidden_size": "hidden_dim",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "num_decoder_layers",
    }
    embedding_std: float | int = 0.05
    hidden_dim: int = 256
    num_heads: int = 4
    feedforward_dim: int = 512
    num_encoder_layers: int = 2
    num_decoder_layers: int = 3
    positions: str = "rotary"
    num_positions: int = 512
    pooling: str = "attention"
    latent_to_memory: bool = True
    num_memory_slots: int = 4
    latent_to_embedding: bool = True
    latent_to_layers: bool = False
    tie_embeddings: bool = True
    dropout: float | int = 0.0

    @property
    def input_dim(self) -> int:
        """Width of the word vectors, which is what a pseudo-input consists of."""
        return self.hidden_dim

    def validate_choices(self) -> None:
        """The values that exist; called by `strict`."""
        if self.positions not in POSITIONS:
            raise ValueError(f"positions is {self.positions!r}; it must be one of {', '.join(POSITIONS)}")
        choose(POOLINGS, self.pooling, "pooling")

    def validate_heads(self) -> None:
        """Heads share the width evenly; called by `strict`."""
        if self.num_heads < 1 or self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim is {self.hidden_dim}; make it a multiple of num_heads ({self.num_heads})")
        head_dim = self.hidden_dim // self.num_heads
        if self.positions == "rotary" and head_dim % 2:
            raise ValueError(f"hidden_dim / num_heads is {head_dim}; make it even, or set positions=learned")


def make_positions(config: TransformerVAEConfig) -> Positions:
    """The positions of one half of the model."""
    learned = config.num_positions if config.positions == "learned" else 0
    return Positions(config.hidden_dim, config.hidden_dim // config.num_heads, learned, config.embedding_std)


def make_layers(config: TransformerVAEConfig, num: int, **context: int) -> nn.ModuleList:
    """The layers of one half of the model."""
    sizes = config.hidden_dim, config.num_heads, config.feedforward_dim, config.dropout
    return nn.ModuleList(Block(*sizes, **context) for _ in range(num))


class TransformerEncoder(nn.Module):
    """Reads right-padded sentences in both directions; padding is never attended to, nor pooled."""

    def __init__(self, config: TransformerVAEConfig):
        super().__init__()
        self.pooling = POOLINGS[config.pooling](config.hidden_dim, config.num_heads)
        self.positions = make_positions(config)
        self.layers = make_layers(config, config.num_encoder_layers)
        self.norm = nn.LayerNorm(config.hidden_dim)
        self.dropout = VariationalDropout(config.dropout)

    def forward(self, x_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        """One vector for each sentence, shape (B, H)."""
        x, mask = self.pooling.open(x_BTH, mask_BT)
        x, rotation = self.positions(x, torch.arange(x.shape[1], device=x.device)[None])
        x, bias = self.dropout(x), padding_bias(mask)
        for layer in self.layers:
            x = layer(x, rotation, bias)
        return self.pooling(self.norm(x), mask)


class TransformerDecoder(SentenceDecoder):
    """p(x|z, a): a causal language model that attends to z in every layer, has it added to its inputs, or both."""

    config_class = TransformerVAEConfig

    def __init__(self, config: TransformerVAEConfig):
        super().__init__(config)
        context_dim = config.latent_dim + config.attribute_dim * len(config.decoder_attributes)
        self.embed = ScaledEmbedding(config.vocab_size, config.hidden_dim, config.embedding_std)
        self.attribute_embed = AttributeEmbedding(config.decoder_attributes, config.attribute_dim)
        self.positions = make_positions(config)
        self.context_embed = nn.Linear(context_dim, config.hidden_dim) if config.latent_to_embedding else None
        self.num_slots = config.num_memory_slots if config.latent_to_memory else 0
        self.layers = make_layers(config, config.num_decoder_layers, context_dim=context_dim, slots=self.num_slots)
        skips = config.num_decoder_layers if config.latent_to_layers else 0  # before every layer but the first, and behind the last
        self.skips = nn.ModuleList(nn.Linear(context_dim, config.hidden_dim, bias=False) for _ in range(skips))
        self.norm = nn.LayerNorm(config.hidden_dim)
        self.output = None if config.tie_embeddings else nn.Linear(config.hidden_dim, config.vocab_size, bias=False)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = VariationalDropout(config.dropout)
        self.generation_config = generation_options(config)

    def new_cache(self) -> DynamicCache:
        return DynamicCache()

    def states(
        self, embedded_BTH: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """States of the last layer, normalized for the vocabulary; no token attends to padding, which counts as no position.

        Raises:
            ValueError: The mask does not have a column for each token, a position has no learned vector, or the cache is of a fixed length.
        """
        if cache is not None and cache.is_compileable:
            raise ValueError("this decoder takes a cache that grows: leave cache_implementation out, or set it to dynamic")
        (size, length, _), past = embedded_BTH.shape, 0 if cache is None else cache.get_seq_length()
        if mask_BK is None:
            positions = torch.arange(past, past + length, device=embedded_BTH.device)[None]
        elif mask_BK.shape != (wanted := (size, past + length)):
            raise ValueError(
                f"attention_mask has shape {tuple(mask_BK.shape)}; {past} cached and {length} new tokens want {wanted}"
            )
        else:
            positions = (mask_BK.long().cumsum(1) - 1).clamp_min(0)[:, past:]
        x, rotation = self.positions(embedded_BTH, positions)
        if self.context_embed is not None:
            x = x + self.context_embed(context_BC)[:, None]
        x, bias = self.dropout(x), causal_bias(length, past, self.num_slots, mask_BK, x.device)
        for number, layer in enumerate(self.layers):
            x = layer(x, rotation, bias, context_BC, cache, number)
            if len(self.skips):
                x = x + self.skips[number](context_BC)[:, None]
        return self.dropout(self.norm(x))


class TransformerVAE(SentenceAutoencoder):
    """Sentence VAE with Transformer encoder and decoder.

    Prompts of different lengths (`generate(latents, input_ids=...)`) are padded on the left, with an `attention_mask`.
    """

    config_class = TransformerVAEConfig

    def __init__(self, config: TransformerVAEConfig):
        super().__init__(config)
        self.decoder = TransformerDecoder(config)
        self.encoder = TransformerEncoder(config)
        self.head = make_head(config.hidden_dim, config)
        self.post_init()

    def check_length(self, max_tokens: int) -> None:
        needed = max_tokens + 1 + (self.config.pooling == "first")  # with the mark at one end, and the token that is pooled
        if self.config.positions == "learned" and needed > self.config.num_positions:
            raise ValueError(
                f"a sentence may have {max_tokens} tokens, {needed} positions with its marks, and the model learns {self.config.num_positions}: "
                f"set model.num_positions={needed}, model.positions=rotary, or a lower data.max_tokens"
            )


AutoConfig.register(TransformerVAEConfig.model_type, TransformerVAEConfig)
AutoModel.register(TransformerVAEConfig, TransformerVAE)
