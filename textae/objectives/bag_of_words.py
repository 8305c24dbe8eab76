"""A second, simple reader of the code: which words a sentence has, whatever their order.

Shapes: B sentences, T tokens, D latent dimensions, V vocabulary.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.base import Term, TermValue, frozen_call
from textae.core.objectives.critic import check_critic, make_critic
from textae.core.schedules import Schedule
from textae.models.tokens import IGNORED


class BagOfWords(Term):
    """-Σ log p(word|z) over a sentence's words, from z alone, in nats per sentence (Zhao et al. 2017, eq. 7).

    A decoder may foretell words from the words before them and leave z alone; this reader has nothing but z, so that z is worth
    telling. Its network is a player of its own, trained on `z.detach()`, and the encoder reads it through detached weights: the same
    gradients as of one loss. The end mark is no word here.

    Args:
        weight: Of the encoder's side.
        hidden_dim: Width of the hidden layers.
        layers: Those layers.
        activation: Of those: "leaky_relu", "relu", "elu" or "tanh".
        lr: The reader's learning rate as a share of the autoencoder's.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, hidden_dim: int = 256, lr: float = 1.0, *,
        layers: int = 1, activation: str = "tanh",
    ):  # fmt: skip
        super().__init__(weight, lr)
        check_critic(hidden_dim, layers, activation)
        self.sizes = hidden_dim, layers, activation
        self.reader: nn.Module | None = None

    def bind(self, model: Autoencoder) -> None:
        self.reader = make_critic(model.config.latent_dim, model.config.vocab_size, *self.sizes)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        assert self.reader is not None, "bind() comes first"
        labels_BT = batch["labels"]
        words_BT = (labels_BT != IGNORED) & (labels_BT != model.config.eos_token_id)

        def cost(logits_BV: Tensor) -> Tensor:
            picked_BT = logits_BV.float().log_softmax(1).gather(1, labels_BT.clamp_min(0))
            return -(picked_BT * words_BT).sum(1)

        value_B = cost(frozen_call(self.reader, output.z))
        return TermValue(value_B, value_B, cost(self.reader(output.z.detach())).mean())
