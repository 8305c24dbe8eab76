"""Distributions that a critic holds against codes: what `prior` of an adversary names. They are drawn from, nothing else.

Shapes: B examples, D dimensions of the judged part of the code.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot


class Target:
    """A distribution over (a part of) codes, perhaps a mixture whose components stand for labels.

    Attributes:
        components: Parts that can be asked for by label; 0: none.
    """

    components: int = 0

    def bind(self, width: int, categories: int) -> None:
        """Called once, before training: refuse a code that such draws cannot resemble.

        Args:
            width: D.
            categories: Leading dimensions of the D that are probabilities.

        Raises:
            ValueError: Width or categories do not fit.
        """
        if categories:
            raise ValueError(
                "probabilities never resemble draws from prior=normal, gaussian_mixture or swiss_roll: take prior=categorical, "
                "or part=style to judge the other dimensions alone"
            )

    def draw(self, like_BD: Tensor, labels_B: Tensor | None = None) -> Tensor:
        """Draws of the shape, device and type of `like_BD`, from torch's global generator.

        Args:
            like_BD: Codes.
            labels_B: The component of each draw; -1, or None for all, stands for the whole mixture.
        """
        raise NotImplementedError

    def _pick(self, like_BD: Tensor, labels_B: Tensor | None) -> Tensor:
        """Components, shape (B,): those of the labels, and any with the same chance where there is none."""
        any_B = torch.randint(self.components, (len(like_BD),), device=like_BD.device)
        return any_B if labels_B is None else torch.where(labels_B < 0, any_B, labels_B)


class Normal(Target):
    """N(0, I)."""

    def draw(self, like_BD: Tensor, labels_B: Tensor | None = None) -> Tensor:
        return torch.randn_like(like_BD)


class Planar(Target):
    """A distribution in the plane.

    Args:
        components: Of the mixture, equally likely.
    """

    def __init__(self, components: int = 10):
        if components < 1:
            raise ValueError(f"an adversary's prior has components={components}; at least 1 is needed")
        self.components = components

    def bind(self, width: int, categories: int) -> None:
        super().bind(width, categories)
        if width != 2:
            raise ValueError(f"an adversary's prior lies in the plane, and the judged part of the code has {width} dimensions: it must have 2")


class Ring(Planar):
    """Elongated 2-D Gaussians that point outwards, number k at the angle 2πk/M (Makhzani et al. 2016, fig. 4, top).

    Args:
        components: M.
        radius: Distance of the means from the origin. The paper prints no sizes; the three are those of re-implementations.
        radial_std: Standard deviation outwards.
        tangential_std: Standard deviation across.
    """

    def __init__(self, components: int = 10, radius: float = 1.4, radial_std: float = 0.5, tangential_std: float = 0.1):
        super().__init__(components)
        if min(radius, radial_std, tangential_std) <= 0:
            raise ValueError("an adversary's gaussian_mixture needs a radius, radial_std and tangential_std above 0")
        self.radius, self.radial_std, self.tangential_std = radius, radial_std, tangential_std

    def draw(self, like_BD: Tensor, labels_B: Tensor | None = None) -> Tensor:
        angle_B = self._pick(like_BD, labels_B).to(like_BD.dtype) * (2 * math.pi / self.components)
        outward_B, across_B = torch.randn_like(like_BD).unbind(1)
        outward_B, across_B = self.radius + self.radial_std * outward_B, self.tangential_std * across_B
        sine_B, cosine_B = angle_B.sin(), angle_B.cos()
        return torch.stack([outward_B * cosine_B - across_B * sine_B, outward_B * sine_B + across_B * cosine_B], 1)


class SwissRoll(Planar):
    """A spiral from the origin outwards, number k the k-th of M segments (Makhzani et al. 2016, fig. 4, bottom).

    A point at the share u of the roll, uniform in [0, 1), lies at the radius `radius`·√u and the angle 2π·`turns`·√u, so
    that segments have almost the same length.

    Args:
        components: M.
        radius: Of the outer end.
        turns: Windings. The paper prints no sizes; both are those of re-implementations.
    """

    def __init__(self, components: int = 10, radius: float = 3.0, turns: float = 2.0):
        super().__init__(components)
        if min(radius, turns) <= 0:
            raise ValueError("an adversary's swiss_roll needs a radius and turns above 0")
        self.radius, self.turns = radius, turns

    def draw(self, like_BD: Tensor, labels_B: Tensor | None = None) -> Tensor:
        segment_B = self._pick(like_BD, labels_B)
        share_B = (segment_B + torch.rand(len(like_BD), device=like_BD.device, dtype=like_BD.dtype)) / self.components
        root_B = share_B.sqrt()
        angle_B = 2 * math.pi * self.turns * root_B
        return self.radius * root_B[:, None] * torch.stack([angle_B.cos(), angle_B.sin()], 1)


class Categorical(Target):
    """One-hot vectors, all with the same chance, and N(0, I) in what the judged part holds beside the categories.

    Component k is the one-hot vector of category k (Makhzani et al. 2016, sec. 5 and 6).
    """

    def bind(self, width: int, categories: int) -> None:
        if not categories:
            raise ValueError("an adversary's prior=categorical needs categories to judge: set model.categories, and part=categories or all")
        self.components = categories

    def draw(self, like_BD: Tensor, labels_B: Tensor | None = None) -> Tensor:
        category_BK = one_hot(self._pick(like_BD, labels_B), self.components).to(like_BD.dtype)
        return torch.cat([category_BK, torch.randn_like(like_BD[:, self.components :])], 1)


TARGETS: dict[str, type[Target]] = {
    "normal": Normal,
    "gaussian_mixture": Ring,
    "swiss_roll": SwissRoll,
    "categorical": Categorical,
}
