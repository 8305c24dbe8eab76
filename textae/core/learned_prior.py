"""Priors p(z) that learn with the model, from the same loss; `textae.core.prior` fits others afterwards.

Shapes: N points, D latent dimensions, M components, T places of a pseudo-input, E width of a place.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from textae.core.latent import DiagonalGaussian, gaussian_log_prob


class LearnedPrior(nn.Module):
    """A prior whose parameters are the model's own, or of a term that plays with it.

    Attributes:
        trained_by: The terms of which one at least moves it; an objective without them is refused.
        in_model: Whether its parameters learn as the autoencoder's.
    """

    trained_by: tuple[str, ...] = ("kl", "iwae", "mim")
    in_model = True

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim


class LearnedMixture(LearnedPrior):
    """A mixture of diagonal Gaussians: the simple rival of Tomczak & Welling 2018, sec. 4 ("MoG").

    Args:
        dim: D.
        components: M, at least 2.
    """

    def __init__(self, dim: int, components: int = 32):
        super().__init__(dim)
        check_components("learned_mixture", components)
        self.means = nn.Parameter(torch.randn(components, dim))  # apart from each other, or they would move as one
        self.logvars = nn.Parameter(torch.zeros(components, dim))
        self.logits = nn.Parameter(torch.zeros(components))

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats, the shape of `z` without its last axis."""
        scores = gaussian_log_prob(z[..., None, :], self.means, self.logvars)
        return (scores + self.logits.log_softmax(0)).logsumexp(-1)

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """`num` draws from torch's global generator, each component's noise scaled by `spread`; shape (num, D)."""
        which = torch.multinomial(self.logits.softmax(0), num, replacement=True)
        return _scaled(DiagonalGaussian(self.means[which], self.logvars[which]), spread)


class VampPrior(LearnedPrior):
    """The mean of the posteriors of M learned pseudo-inputs: p(z) = 1/M Σ q(z|u_m) (Tomczak & Welling 2018, eq. 9).

    What the encoder reads of a sentence are word vectors, so a pseudo-input is T learned vectors in their place.

    Args:
        dim: D.
        components: M, at least 2.
        width: E, of the model's word vectors.
        length: T.
    """

    def __init__(self, dim: int, components: int = 50, width: int = 0, length: int = 12):
        super().__init__(dim)
        check_components("vamp", components)
        if width < 1:
            raise ValueError("prior vamp: this model reads no vectors that could be learned in the place of its input; take learned_mixture")
        if length < 1:
            raise ValueError(f"prior vamp: length is {length}; a pseudo-input has at least 1 place")
        self.pseudo_inputs = nn.Parameter(torch.randn(components, length, width))
        self._encode: Callable[[Tensor], DiagonalGaussian] | None = None

    def attach(self, encode: Callable[[Tensor], DiagonalGaussian]) -> None:
        """Give it the model's encoder, (M, T, E) to posteriors."""
        self._encode = encode

    def posteriors(self) -> DiagonalGaussian:
        """q(z|u_m) of every pseudo-input, as the encoder is now."""
        assert self._encode is not None, "attach() comes first"
        return self._encode(self.pseudo_inputs)

    def log_prob(self, z: Tensor) -> Tensor:
        """As in `LearnedMixture`."""
        q = self.posteriors()
        return gaussian_log_prob(z[..., None, :], q.mean, q.logvar).logsumexp(-1) - math.log(len(q.mean))

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """As in `LearnedMixture`."""
        q, which = self.posteriors(), torch.randint(len(self.pseudo_inputs), (num,), device=self.pseudo_inputs.device)
        return _scaled(DiagonalGaussian(q.mean[which], q.logvar[which]), spread)


class Generated(LearnedPrior):
    """Codes that a small network makes of noise: ARAE's generator (Zhao et al. 2018, sec. 3).

    The term `latent_generator` trains a network like it and puts the weights here. It has draws and no density.

    Args:
        dim: D.
        noise_dim: Dimensions of the Gaussian noise.
        hidden_dim: Width of the hidden layers.
        layers: Those layers.
    """

    trained_by = ("latent_generator",)
    in_model = False

    def __init__(self, dim: int, noise_dim: int = 100, hidden_dim: int = 256, layers: int = 2):
        super().__init__(dim)
        for name, count in (("noise_dim", noise_dim), ("hidden_dim", hidden_dim), ("layers", layers)):
            if count < 1:
                raise ValueError(f"prior generator: {name} is {count}; it must be at least 1")
        self.noise_dim = noise_dim
        stages: list[nn.Module] = []
        for before in [noise_dim, *[hidden_dim] * (layers - 1)]:
            stages += [nn.Linear(before, hidden_dim), nn.ReLU()]
        self.network = nn.Sequential(*stages, nn.Linear(hidden_dim, dim))

    def log_prob(self, z: Tensor) -> Tensor:
        """Refused: always a ValueError."""
        raise ValueError("a generator's codes have no density, so no code has a likelihood under them; fit a mixture or a flow for one")

    def sample(self, num: int, spread: float = 1.0) -> Tensor:
        """`num` draws, shape (num, D); `spread` scales the noise."""
        return self.network(spread * torch.randn(num, self.noise_dim, device=self.network[0].weight.device))


def check_components(name: str, components: int) -> None:
    """Refuse a mixture that is none."""
    if components < 2:
        raise ValueError(f"prior {name}: components is {components}; at least 2 are needed, one Gaussian is prior=standard")


def _scaled(components: DiagonalGaussian, spread: float) -> Tensor:
    return components.mean + spread * torch.exp(0.5 * components.logvar) * torch.randn_like(components.mean)
