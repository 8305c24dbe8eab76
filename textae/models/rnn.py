"""The recurrent sentence VAE (Bowman et al. 2016): LSTM or GRU encoder, decoder and token likelihood.

Shapes: B sentences, T tokens, D latent dimensions, E embedding, H hidden, A attributes, N = B·T positions.
"""

from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from textae.core.families import make_head
from textae.models.conditioning import AttributeEmbedding
from textae.models.sentence import SentenceAutoencoder, SentenceConfig, SentenceDecoder
from textae.models.tokens import VariationalDropout, WordEmbedding, generation_options

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


@strict
class RNNVAEConfig(SentenceConfig):
    """Config of `RNNVAE`.

    Attributes:
        cell: "lstm" or "gru". The LSTM runs on oneDNN's fused kernels on a CPU; the GRU does not.
        embedding_std: Standard deviation of fresh word vectors. Where they are output weights too, 1 leaves rare words with
            noise in their logits for good, and 0.1 is worth nats; but small inputs make a decoder slow to want z.
        forget_bias: What the biases of an LSTM's forget gates begin with, as a sum of its two; None leaves them as torch draws them, around
            0. 1 (Jozefowicz et al. 2015, sec. 2.2) or more lets what was read survive to the end of a long sentence from the first step on.
        embedding_dim: E.
        hidden_dim: H of the decoder.
        encoder_hidden_dim: Width of each direction of the encoder.
        num_layers: Layers of encoder and decoder.
        bidirectional: Whether the encoder also reads from the right.
        latent_to_state: Whether z sets the decoder's initial state.
        latent_to_input: Whether z is appended to the decoder's input at every step. At least one must be on.
        latent_to_layers: Whether z is also appended to the input of every further layer, and a linear map of it added to the last
            layer's states: the skip connections of Dieng et al. 2019, sec. 3.
        tie_embeddings: Whether the output layer shares the input embeddings; adds a projection where H differs from E.
        dropout: Variational dropout (one mask for all steps, Gal & Ghahramani 2016) on embeddings, between layers
            and on outputs; 0 is none.
    """

    model_type = "textae_rnn"
    ways_of_z = ("latent_to_state", "latent_to_input")
    cell: str = "lstm"
    embedding_std: float | int = 1.0
    forget_bias: float | int | None = None
    embedding_dim: int = 256
    hidden_dim: int = 256
    encoder_hidden_dim: int = 256
    num_layers: int = 1
    bidirectional: bool = True
    latent_to_state: bool = True
    latent_to_input: bool = True
    latent_to_layers: bool = False
    tie_embeddings: bool = True
    dropout: float | int = 0.0

    @property
    def input_dim(self) -> int:
        """Width of the word vectors, which is what a pseudo-input consists of."""
        return self.embedding_dim

    def validate_choices(self) -> None:
        """The values that exist; called by `strict`."""
        if self.cell not in CELLS:
            raise ValueError(f"cell is {self.cell!r}; it must be one of {', '.join(CELLS)}")
        if self.forget_bias is not None and self.cell != "lstm":
            raise ValueError(f"forget_bias is {self.forget_bias}, and a {self.cell} has no forget gate: leave it out, or take cell lstm")


class OpenLSTM(nn.LSTM):
    """An LSTM of one layer whose forget gates begin with a bias."""

    def __init__(self, *sizes: int, forget_bias: float, **options: Any):
        self.forget_bias = forget_bias
        super().__init__(*sizes, **options)

    def reset_parameters(self) -> None:
        """Torch's own draws, and the bias, whole in one of the two vectors of which torch adds up every gate's."""
        super().reset_parameters()
        forget = slice(self.hidden_size, 2 * self.hidden_size)  # the order of gates is input, forget, cell, output
        with torch.no_grad():
            self.bias_ih_l0[forget] = self.forget_bias
            self.bias_hh_l0[forget] = 0.0


def make_cell(config: RNNVAEConfig, in_dim: int, hidden_dim: int) -> nn.RNNBase:
    """A layer of one direction."""
    if config.forget_bias is not None:
        return OpenLSTM(in_dim, hidden_dim, batch_first=True, forget_bias=config.forget_bias)
    return CELLS[config.cell](in_dim, hidden_dim, batch_first=True)


class RNNEncoder(nn.Module):
    """Reads right-padded sentences; padding never reaches a state that is used.

    Sentences are not packed: packing leaves oneDNN's kernels (200 times slower in bf16). The state of the last valid
    step is gathered instead, and the backward direction reads each sentence's valid prefix reversed by index.
    """

    def __init__(self, config: RNNVAEConfig):
        super().__init__()
        width = config.encoder_hidden_dim
        directions = 2 if config.bidirectional else 1
        self.out_dim = width * directions
        self.dropout = VariationalDropout(config.dropout)
        self.layers = nn.ModuleList(
            nn.ModuleList(make_cell(config, config.embedding_dim if layer == 0 else self.out_dim, width) for _ in range(directions))
            for layer in range(config.num_layers)
        )

    def forward(self, x_BTE: Tensor, mask_BT: Tensor) -> Tensor:
        """The last layer's final states, shape (B, out_dim)."""
        lengths_B = mask_BT.sum(1)
        steps_T = torch.arange(x_BTE.shape[1], device=x_BTE.device)
        # position of step t in the reversed valid prefix; padding stays where it is
        mirror_BT = torch.where(mask_BT.bool(), lengths_B[:, None] - 1 - steps_T, steps_T)
        last_B = (lengths_B - 1).clamp_min(0)
        rows_B = torch.arange(x_BTE.shape[0], device=x_BTE.device)
        rows_B1 = rows_B[:, None]
        for directions in self.layers:
            x_BTE = self.dropout(x_BTE)
            outputs = [directions[0](x_BTE)[0]]
            if len(directions) == 2:
                outputs.append(directions[1](x_BTE[rows_B1, mirror_BT])[0])
            if directions is self.layers[-1]:
                return torch.cat([o[rows_B, last_B] for o in outputs], -1)
            if len(directions) == 2:
                outputs[1] = outputs[1][rows_B1, mirror_BT]
            x_BTE = torch.cat(outputs, -1)
        raise AssertionError("an encoder has at least one layer")


class RecurrentCache:
    """The decoder's states between calls, in the shape that `GenerationMixin` expects of a cache.

    Attributes:
        states: One tuple of tensors (1, B, H) for each layer: (h, c) of an LSTM, (h,) of a GRU.
        seen: Tokens read so far.
    """

    is_compileable = False
    is_croppable = False

    def __init__(self) -> None:
        self.states: list[tuple[Tensor, ...]] | None = None
        self.seen = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.seen

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Follow the beams that survived, shape (B · beams,)."""
        assert self.states is not None
        self.states = [tuple(s.index_select(1, beam_idx.to(s.device)) for s in layer) for layer in self.states]


def run_layer(layer: nn.RNNBase, x_BTE: Tensor, state: Any) -> tuple[Tensor, Any]:
    """What a layer of one direction makes of its input; on a CPU token by token where the fused kernel does more than is needed.

    For one token it packs its weights for longer than the token takes: at 512 units the cell needs 0.12, 0.45 and 0.6 of its
    time for 1, 6 and 24 rows. And its backward pass computes the weights' gradients even where only the code's are wanted, as
    in an evaluation with gradients: there the cells need 0.33 of its time for 1 row, 0.56 for 4 to 24.
    """
    by_token = x_BTE.shape[1] == 1 or (torch.is_grad_enabled() and not layer.training)
    if not by_token or x_BTE.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return layer(x_BTE, state)
    weights = layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0
    outputs, lstm = [], isinstance(layer, nn.LSTM)
    state = tuple(s[0] for s in state) if lstm else state[0]
    for x_BE in x_BTE.unbind(1):
        state = torch.lstm_cell(x_BE, state, *weights) if lstm else torch.gru_cell(x_BE, state, *weights)
        outputs.append(state[0] if lstm else state)
    return torch.stack(outputs, 1), tuple(s[None] for s in state) if lstm else state[None]


class RNNDecoder(SentenceDecoder):
    """p(x|z, a): a recurrent language model that is given z in its first state, at every step, or both."""

    config_class = RNNVAEConfig
    _is_stateful = True  # a state cannot be rolled back: generation modes that need to are refused by the library

    def __init__(self, config: RNNVAEConfig):
        super().__init__(config)
        context_dim = config.latent_dim + config.attribute_dim * len(config.decoder_attributes)
        self.embed = WordEmbedding(config.vocab_size, config.embedding_dim, config.embedding_std)
        self.attribute_embed = AttributeEmbedding(config.decoder_attributes, config.attribute_dim)
        num_states = 2 if config.cell == "lstm" else 1
        self.init_state = (
            nn.Linear(context_dim, config.num_layers * num_states * config.hidden_dim) if config.latent_to_state else None
        )
        input_dim = config.embedding_dim + (context_dim if config.latent_to_input else 0)
        further_dim = config.hidden_dim + (context_dim if config.latent_to_layers else 0)
        self.layers = nn.ModuleList(
            make_cell(config, input_dim if layer == 0 else further_dim, config.hidden_dim)
            for layer in range(config.num_layers)
        )
        self.skip = nn.Linear(context_dim, config.hidden_dim, bias=False) if config.latent_to_layers else None
        out_dim = config.embedding_dim if config.tie_embeddings else config.hidden_dim
        self.project = nn.Linear(config.hidden_dim, out_dim) if out_dim != config.hidden_dim else nn.Identity()
        self.output = None if config.tie_embeddings else nn.Linear(out_dim, config.vocab_size, bias=False)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = VariationalDropout(config.dropout)
        self.generation_config = generation_options(config)

    def new_cache(self) -> RecurrentCache:
        return RecurrentCache()

    def states(
        self, embedded_BTE: Tensor, context_BC: Tensor, mask_BK: Tensor | None = None, cache: RecurrentCache | None = None
    ) -> Tensor:
        """Outputs of the last layer, projected for the vocabulary; the mask must be all ones."""
        x = self.dropout(embedded_BTE)
        context_BTC = context_BC[:, None].expand(-1, x.shape[1], -1).to(x.dtype)
        if self.config.latent_to_input:
            x = torch.cat([x, context_BTC], -1)
        previous = cache.states if cache is not None and cache.states is not None else self.first_states(context_BC)
        following = []
        for number, (layer, state) in enumerate(zip(self.layers, previous, strict=True)):
            if number and self.skip is not None:
                x = torch.cat([x, context_BTC], -1)
            x, state = run_layer(layer, x, self._as_argument(state, x))
            following.append(state if isinstance(state, tuple) else (state,))
            x = self.dropout(x)
        if cache is not None:
            cache.states, cache.seen = following, cache.seen + embedded_BTE.shape[1]
        return self.project(x if self.skip is None else x + self.skip(context_BC)[:, None])

    def first_states(self, context_BC: Tensor) -> list[tuple[Tensor, ...]]:
        """The initial states of all layers: tanh of a linear map of the context, or zeros."""
        num_states, num_layers, width = 2 if self.config.cell == "lstm" else 1, len(self.layers), self.config.hidden_dim
        if self.init_state is None:
            flat = context_BC.new_zeros(num_layers, num_states, 1, context_BC.shape[0], width)
        else:
            flat = torch.tanh(self.init_state(context_BC)).view(context_BC.shape[0], num_layers, num_states, 1, width)
            flat = flat.permute(1, 2, 3, 0, 4).contiguous()
        return [tuple(layer) for layer in flat]

    def _as_argument(self, state: tuple[Tensor, ...], like: Tensor) -> Any:
        state = tuple(s.to(like.dtype).contiguous() for s in state)
        return state if self.config.cell == "lstm" else state[0]

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False


class RNNVAE(SentenceAutoencoder):
    """Sentence VAE with recurrent encoder and decoder."""

    config_class = RNNVAEConfig

    def __init__(self, config: RNNVAEConfig):
        super().__init__(config)
        self.decoder = RNNDecoder(config)
        self.encoder = RNNEncoder(config)
        self.head = make_head(self.encoder.out_dim, config)
        self.post_init()


AutoConfig.register(RNNVAEConfig.model_type, RNNVAEConfig)
AutoModel.register(RNNVAEConfig, RNNVAE)
