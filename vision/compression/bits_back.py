"""Lossless coding by bits-back with asymmetric numeral systems (BB-ANS) through a VAE (Townsend et al. 2019).

To code an image x: *take* a code z from the stack of bits as if it were random, by decoding it with q(z|x); *put* x with
p(x|z); *put* z with p(z). The stack grows by -log p(x|z) - log p(z) + log q(z|x) bits, whose mean is -ELBO. Decoding runs
backwards and gives the taken bits back.

Codes are discretized into 2^16 buckets of equal prior mass (sec. 2.5): p(z) is then exactly uniform. The prior is N(0, I)
even where another was fitted after training, for it has to be independent over dimensions. A bucket is coded as a cell
and a place in it, 256 of each: the coder gives every symbol at least 2^-24 of the mass, and of 65,536 symbols that is
0.4 %, by which one image in four would get a code of 64 dimensions with a wrong one among them.

Images are coded in blocks through one stack, so that the network runs on many at once. A block takes the codes of all
its images before it puts any, so it can be no larger than what lies on the stack allows: the first holds one image and
the next ones grow. Only the first images take bits that carry nothing, from a fixed pseudo-random stream below the stack.

**What must be equal where a file is written and where it is read**: the model, and every probability to the last bit.
For that the network and the likelihood run in float64 on one thread of a CPU, in blocks of the same images, and end in
integers of 20 bits (`integer_pmf`); equal versions of PyTorch on CPUs of one kind then agree. AVX2 and AVX-512 were seen
to agree as well, but nothing promises it, nor for other versions. The caller keeps a hash of the pixels, so that a
disagreement is noticed, and no wrong images are returned.

Shapes: B images of a block, C channels, H, W height and width, D latent dimensions, N all images.
"""

import copy
import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import torch
from constriction import stream
from torch import Tensor
from tqdm import tqdm

from textae.core.latent import DiagonalGaussian
from vision.models.base import ImageAutoencoder
from vision.models.discrete import LEVELS, EightBitLikelihood

PRECISION = 24  # bits of the coder's probabilities; a symbol costs at most this many
CELLS = 256  # of the code's range, and places of a cell
BUCKETS = CELLS * CELLS
DEAREST = 2 * PRECISION  # bits that one dimension of a code can take
BLOCK, BLOCK_DIMS = 128, 2**14  # images of a block at most, and their dimensions in all: 34 MB for each table of cells
RESERVE = 64  # words of the pseudo-random stream for each dimension: what 42 images take at their dearest


@dataclass(frozen=True)
class Coded:
    """What came of coding images.

    Attributes:
        words: The stack, uint32, without those of the pseudo-random stream that were never taken.
        kept: Words of that stream that lie untouched below.
        initial_bits: Bits of that stream that were taken.
        blocks: Images of each block, in the order of coding.
    """

    words: np.ndarray
    kept: int
    initial_bits: int
    blocks: list[int]


class BitsBack:
    """A coder through one model.

    Args:
        model: An image VAE with a likelihood of 8-bit pixels; copied in float64 to the CPU.

    Raises:
        ValueError: The model has a point posterior, or a likelihood that gives levels no probabilities.
    """

    def __init__(self, model: ImageAutoencoder):
        if model.config.posterior != "gaussian" or not isinstance(model.likelihood, EightBitLikelihood):
            raise ValueError(
                "lossless compression needs a VAE (posterior=gaussian) with a likelihood of 8-bit pixels (such as "
                f"zero_inflated_levels); this model has posterior={model.config.posterior}, likelihood={model.config.likelihood}"
            )
        self.model = copy.deepcopy(model).cpu().double().eval()
        self.dim = model.config.latent_dim
        self.largest = max(1, min(BLOCK, BLOCK_DIMS // self.dim))
        self.reserve = initial_words(RESERVE * self.dim)

    @torch.no_grad()
    def encode(self, levels: Tensor, progress: bool = False) -> Coded:
        """Code images.

        Args:
            levels: uint8, shape (N, C, H, W).
            progress: Whether to draw a bar on standard error.
        """
        coder, blocks, start = stream.stack.AnsCoder(self.reserve), [], 0
        with one_thread(), tqdm(total=len(levels), desc="code", unit="image", disable=not progress) as bar:
            while start < len(levels):
                spare = (coder.num_words() - len(self.reserve)) * 32 // (DEAREST * self.dim)
                block = levels[start : start + min(max(spare, 1), self.largest)]
                if (coder.num_words() - 2) * 32 < DEAREST * self.dim * len(block):
                    raise ValueError("the stack of bits ran dry: the codes of these images carry more bits than their pixels")
                buckets = take(coder, *self._posterior(block))
                outputs = self._outputs(buckets, len(block))
                for i in reversed(range(len(block))):
                    coder.encode_reverse(block[i].flatten().numpy().astype(np.int32), CATEGORICAL, self._pmf(outputs, i))
                coder.encode_reverse(buckets, PRIOR)
                blocks.append(len(block))
                start += len(block)
                bar.update(len(block))
        words = coder.get_compressed()
        both = min(len(words), len(self.reserve))
        kept = int(np.argmin(np.append(words[:both] == self.reserve[:both], False)))
        return Coded(words[kept:], kept, 32 * (len(self.reserve) - kept), blocks)

    @torch.no_grad()
    def decode(self, coded: Coded, shape: tuple[int, int, int], progress: bool = False) -> Tensor | None:
        """The images again, uint8 (N, C, H, W).

        Args:
            coded: What `encode` gave.
            shape: C, H, W.
            progress: Whether to draw a bar on standard error.

        Returns:
            None where what is left on the stack is not what lay there at first: the probabilities were other ones.
        """
        coder, parts = stream.stack.AnsCoder(np.concatenate([self.reserve[: coded.kept], coded.words])), []
        with one_thread(), tqdm(total=sum(coded.blocks), desc="decode", unit="image", disable=not progress) as bar:
            for size in reversed(coded.blocks):
                buckets = coder.decode(PRIOR, size * self.dim)
                outputs = self._outputs(buckets, size)
                block = [coder.decode(CATEGORICAL, self._pmf(outputs, i)) for i in range(size)]
                levels = torch.from_numpy(np.stack(block).astype(np.uint8)).view(size, *shape)
                put_back(coder, buckets, *self._posterior(levels))
                parts.append(levels)
                bar.update(size)
        return torch.cat(parts[::-1]) if np.array_equal(coder.get_compressed(), self.reserve) else None

    def _posterior(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of a block's codes, each of shape (B · D,)."""
        posterior = self.model.encode(pixel_values=levels.double() / (LEVELS - 1))
        assert isinstance(posterior, DiagonalGaussian)
        mean, std = posterior.mean.double().flatten(), torch.exp(0.5 * posterior.logvar.double()).flatten()
        if not (torch.isfinite(mean).all() and torch.isfinite(std).all()):
            raise ValueError("the model's posteriors are not finite numbers: its weights are damaged")
        return mean, std

    def _outputs(self, buckets: np.ndarray, size: int) -> Tensor:
        """What the network says about a block's pixels at its codes."""
        outputs = self.model.pixels(middles()[torch.from_numpy(buckets)].view(size, self.dim))
        if not torch.isfinite(outputs).all():
            raise ValueError("what the model says about pixels is not finite: its weights are damaged")
        return outputs

    def _pmf(self, outputs: Tensor, image: int) -> np.ndarray:
        """Integer probabilities of one image's pixels, shape (C · H · W, 256)."""
        likelihood = self.model.likelihood
        assert isinstance(likelihood, EightBitLikelihood)
        one = outputs[image : image + 1].clone()  # its own memory: where a row begins can change a product's last bit
        return integer_pmf(likelihood.pmf(one).view(-1, LEVELS))


CATEGORICAL = stream.model.Categorical(perfect=False)
PRIOR = stream.model.Uniform(BUCKETS)


def take(coder: stream.stack.AnsCoder, mean: Tensor, std: Tensor) -> np.ndarray:
    """Buckets off the stack, as if its bits were drawn: int32, shape (B · D,) as `mean` and `std` of N(mean, std²)."""
    cells = coder.decode(CATEGORICAL, _cells(mean, std))
    return cells * CELLS + coder.decode(CATEGORICAL, _places(cells, mean, std))


def put_back(coder: stream.stack.AnsCoder, buckets: np.ndarray, mean: Tensor, std: Tensor) -> None:
    """Undo `take`."""
    cells, places = np.divmod(buckets, CELLS)
    coder.encode_reverse(places.astype(np.int32), CATEGORICAL, _places(cells, mean, std))
    coder.encode_reverse(cells.astype(np.int32), CATEGORICAL, _cells(mean, std))


def _cells(mean: Tensor, std: Tensor) -> np.ndarray:
    """Integer probabilities of the cells under N(mean, std²), shape (B · D, CELLS)."""
    return integer_pmf(masses(edges()[::CELLS].expand(len(mean), -1), mean, std))


def _places(cells: np.ndarray, mean: Tensor, std: Tensor) -> np.ndarray:
    """Integer probabilities of the places in given cells under N(mean, std²), shape (B · D, CELLS)."""
    return integer_pmf(masses(edges().unfold(0, CELLS + 1, CELLS)[torch.from_numpy(cells).long()], mean, std))


def masses(bounds: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Shares of N(mean, std²) between neighboring bounds, of what lies between the first and the last.

    Args:
        bounds: Rising, shape (M, n + 1).
        mean, std: Shape (M,).

    Returns:
        Shape (M, n); uniform where all of it is too far out for float64.
    """
    white = (bounds - mean[:, None]) * (math.sqrt(0.5) / std[:, None])
    # Twice the masses below and above each bound; erfc, since `torch.special.ndtr` loses the digits of small ones.
    below, above = torch.erfc(-white), torch.erfc(white)
    share = torch.where(white[:, 1:] + white[:, :-1] > 0, above[:, :-1] - above[:, 1:], below[:, 1:] - below[:, :-1])
    total = share.sum(1, keepdim=True)
    return torch.where(total > 0, share / total, 1 / share.shape[1])


def integer_pmf(pmf: Tensor) -> np.ndarray:
    """Probabilities as integers that the coder takes as they are.

    The coder gives each of n symbols 1 of 2^24 parts and shares the others out in proportion. Integers that sum to
    2^24 - n are their own proportion. Here all are multiples of 16, so that arithmetic has to err by 1e-6 of the whole
    before another integer comes out; what rounding leaves over goes to the most probable symbol.

    Args:
        pmf: float64, shape (M, n) with n a multiple of 16; rows sum to one.

    Returns:
        float32, same shape; each row sums to 2^24 - n.
    """
    units = (2**PRECISION - pmf.shape[1]) // 16
    counts = (pmf * units).floor_()
    counts.scatter_add_(1, pmf.argmax(1, keepdim=True), units - counts.sum(1, keepdim=True))
    return counts.mul_(16).float().numpy()


@lru_cache(maxsize=1)
def edges() -> Tensor:
    """Where the buckets of equal mass under N(0, 1) begin and end, float64, shape (BUCKETS + 1,)."""
    normal = NormalDist()
    inner = [normal.inv_cdf(i / BUCKETS) for i in range(1, BUCKETS)]
    return torch.tensor([-math.inf, *inner, math.inf], dtype=torch.float64)


@lru_cache(maxsize=1)
def middles() -> Tensor:
    """The value that stands for each bucket: the median of N(0, 1) inside it, float64, shape (BUCKETS,)."""
    normal = NormalDist()
    return torch.tensor([normal.inv_cdf((i + 0.5) / BUCKETS) for i in range(BUCKETS)], dtype=torch.float64)


def initial_words(num: int) -> np.ndarray:
    """A pseudo-random stream, the same for everyone: the first bits that are taken. uint32, shape (num,)."""
    words = np.frombuffer(hashlib.shake_128(b"textae bits back").digest(4 * num), dtype="<u4").astype(np.uint32)
    words[-1] |= 1  # a coder's stack does not end in zeros
    return words


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute on one thread for a moment: sums over more threads end in other last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
