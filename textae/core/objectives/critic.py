"""The network of a critic: plain layers, and the checks of what they may be."""

from torch import nn

from textae.core.config import choose

PARTS = ("all", "categories", "style")  # of a code, which a critic may be shown
ACTIVATIONS = {"leaky_relu": lambda: nn.LeakyReLU(0.2), "relu": nn.ReLU, "elu": nn.ELU, "tanh": nn.Tanh}


def check_critic(hidden_dim: int, layers: int, activation: str) -> None:
    """Refuse sizes and names that no critic can have.

    Raises:
        ValueError: A width or a number of layers below one, or an unknown activation.
    """
    for name, count in (("hidden_dim", hidden_dim), ("layers", layers)):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"a critic's {name} is {count!r}; it must be a whole number of at least 1")
    choose(ACTIVATIONS, activation, "activation of a critic")


def make_critic(in_dim: int, out_dim: int, hidden_dim: int, layers: int, activation: str) -> nn.Sequential:
    """`layers` hidden layers of one width and a linear one: (B, in_dim) -> (B, out_dim).

    Without batch norm, whose running statistics would be those of both players.
    """
    stages: list[nn.Module] = []
    for before in [in_dim, *[hidden_dim] * (layers - 1)]:
        stages += [nn.Linear(before, hidden_dim), ACTIVATIONS[activation]()]
    return nn.Sequential(*stages, nn.Linear(hidden_dim, out_dim))
