"""The codebook against brute force and a hand computation; who gets whose gradient; dead codes; several processes.

Shapes: B examples, P positions, C dimensions of a code, K codes, N vectors.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from textae.core import codebook
from textae.core.codebook import Codebook, nearest, perplexity
from textae.core.latent import PointPosterior, QuantizedPosterior

ROOT = Path(__file__).parents[2]


def make_codebook(codes, **options):
    book = Codebook(len(codes), len(codes[0]), **options)
    book.codes.copy_(torch.tensor(codes))
    return book


# --- quantization -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale, offset", [(1.0, 0.0), (1e-4, 0.0), (1.0, 300.0), (1e4, 0.0)])
def test_the_nearest_code_is_brute_forces(scale, offset):
    """Far from the origin float32's products would leave no digit to tell codes apart."""
    torch.manual_seed(0)
    x, codes = scale * torch.randn(700, 5) + offset, scale * torch.randn(40, 5) + offset
    distances = (x[:, None].double() - codes.double()).square().sum(2)
    assert torch.equal(nearest(x, codes), distances.argmin(1))


def test_memory_is_bounded_and_parts_change_nothing(monkeypatch):
    torch.manual_seed(0)
    x, codes = torch.randn(101, 3), torch.randn(7, 3)
    whole, sizes = nearest(x, codes), []
    multiply = torch.addmm
    monkeypatch.setattr(codebook, "PAIRS", 70)
    monkeypatch.setattr(torch, "addmm", lambda *a, **k: sizes.append(len(a[1])) or multiply(*a, **k))
    assert torch.equal(nearest(x, codes), whole) and max(sizes) == 10 and sum(sizes) == 101


def test_a_posterior_is_made_of_codes():
    torch.manual_seed(0)
    book, x = Codebook(6, 3).eval(), torch.randn(4, 5, 3)
    posterior = book(x)
    assert isinstance(posterior, QuantizedPosterior) and isinstance(posterior, PointPosterior)
    assert posterior.indices.shape == (4, 5) and posterior.distance.shape == (4,) and posterior.mean.shape == (4, 15)
    codes = book.codes[posterior.indices]
    assert torch.equal(posterior.mean, codes.flatten(1))
    assert_close(posterior.distance, (x - codes).square().sum((1, 2)))
    assert posterior.sample() is posterior.mean


def test_the_code_is_exact_with_gradients_too():
    """x + (e - x) would round; whoever looks codes up again needs every bit."""
    torch.manual_seed(0)
    book, x = Codebook(6, 3).eval(), (1e3 * torch.randn(9, 5, 3)).requires_grad_()
    posterior = book(x)
    assert posterior.mean.requires_grad and torch.equal(posterior.mean, book.codes[posterior.indices].flatten(1))


def test_gradients_pass_straight_through():
    torch.manual_seed(0)
    book, x, weight = Codebook(6, 3).eval(), torch.randn(4, 5, 3, requires_grad=True), torch.randn(4, 15)
    (book(x).mean * weight).sum().backward()
    assert torch.equal(x.grad.flatten(1), weight)
    assert not list(book.parameters())


def test_the_distance_pulls_the_vector_alone():
    torch.manual_seed(0)
    book, x = Codebook(6, 3).eval(), torch.randn(4, 5, 3, requires_grad=True)
    posterior = book(x)
    posterior.distance.sum().backward()
    assert_close(x.grad, 2 * (x.detach() - book.codes[posterior.indices]))


def test_bfloat16_chooses_as_float32_does():
    torch.manual_seed(0)
    book, x = Codebook(50, 8).eval(), torch.randn(4, 20, 8)
    with torch.autocast("cpu", torch.bfloat16):
        posterior = book(x)
    assert torch.equal(posterior.indices, book(x).indices) and posterior.mean.dtype == posterior.distance.dtype == torch.float32
    assert book(x.bfloat16()).mean.dtype == torch.float32


def test_snapping_moves_points_to_codes_and_leaves_codes():
    torch.manual_seed(0)
    book = Codebook(6, 3)
    z = book.eval()(torch.randn(4, 5, 3)).mean
    assert torch.equal(book.snap(z), z)
    assert torch.equal(book.snap(z + 1e-6 * torch.randn_like(z)), z)


# --- moving averages ----------------------------------------------------------------------------------------------


def test_averages_equal_a_hand_computation():
    """van den Oord et al. 2017, eq. 6-8, and the smoothed counts of their code: (N + ε) / (ΣN + K ε) ΣN."""
    book = make_codebook([[0.0], [10.0], [99.0]], decay=0.5, revive_after=0)
    book(torch.tensor([[[1.0], [2.0]], [[9.0], [3.0]]]))
    assert_close(book.counts, torch.tensor([1.5, 0.5, 0.0]))
    assert_close(book.sums, torch.tensor([[3.0], [4.5], [0.0]]))
    smoothed = [(n + 1e-5) / (2.0 + 3e-5) * 2.0 for n in (1.5, 0.5)]
    assert_close(book.codes[:, 0], torch.tensor([3.0 / smoothed[0], 4.5 / smoothed[1], 99.0]))
    posterior = book(torch.tensor([[[4.0], [8.0]], [[7.0], [9.0]]]))  # codes 2 and 9 as they were before
    assert posterior.indices.tolist() == [[0, 1], [1, 1]]
    assert_close(book.counts, torch.tensor([1.25, 1.75, 0.0]))
    assert_close(book.sums, torch.tensor([[3.5], [14.25], [0.0]]))
    assert_close(book.codes[:, 0], torch.tensor([3.5 / 1.25, 14.25 / 1.75, 99.0]), atol=2e-4, rtol=0)


def test_codes_become_the_means_of_clusters():
    """With a stationary input this is online k-means."""
    torch.manual_seed(0)
    centers = torch.tensor([[0.0, 5.0], [5.0, 0.0], [-5.0, -5.0]])
    book = make_codebook([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]], decay=0.9, revive_after=0)
    for _ in range(150):
        book((centers[torch.randint(3, (30,))] + 0.3 * torch.randn(30, 2))[None])
    assert_close(book.codes, centers, atol=0.1, rtol=0)


def test_only_training_moves_codes():
    torch.manual_seed(0)
    book, x = Codebook(6, 3), torch.randn(4, 5, 3)
    before = {n: t.clone() for n, t in book.state_dict().items()}
    book.eval()(x)
    assert all(torch.equal(t, before[n]) for n, t in book.state_dict().items())
    posterior = book.train()(x)
    assert all(not torch.equal(t, before[n]) for n, t in book.state_dict().items())
    assert torch.equal(posterior.mean, before["codes"][posterior.indices].flatten(1)), "a batch is quantized before it moves codes"
    assert not any(t.requires_grad for t in book.state_dict(keep_vars=True).values())


def test_moving_codes_does_not_spoil_a_gradient_under_way():
    """Two forward passes before one backward, as with gradients that accumulate."""
    torch.manual_seed(0)
    book, x = Codebook(6, 3), torch.randn(2, 4, 5, 3, requires_grad=True)
    first, second = book(x[0]), book(x[1])
    expected = [2 * (x[i].detach() - p.mean.detach().view(4, 5, 3)) + 1 for i, p in enumerate((first, second))]
    (first.distance.sum() + second.distance.sum() + first.mean.sum() + second.mean.sum()).backward()
    assert_close(x.grad, torch.stack(expected))


# --- dead codes ---------------------------------------------------------------------------------------------------


def test_a_fresh_codebook_starts_at_vectors_of_its_first_batch():
    torch.manual_seed(0)
    book, x = Codebook(8, 3), torch.randn(5, 7, 3) + 100
    used = book(x).indices.unique()
    fresh = [k for k in range(8) if k not in used]
    assert len(fresh) >= 6 and len(book.codes.unique(dim=0)) == 8
    assert all((x == book.codes[k]).all(2).any() for k in fresh)
    assert (book.counts > 0).all() and perplexity(torch.bincount(book(x).indices.flatten(), minlength=8).float()) > 4


def test_a_batch_smaller_than_the_codebook_gives_what_it_has():
    book, x = Codebook(8, 1), torch.tensor([[[3.0], [5.0]]])
    book(x)
    assert set(book.codes.flatten().tolist()) >= {3.0, 5.0} and book.codes.isfinite().all()


@pytest.mark.parametrize("decay, revive_after", [(0.9, 30), (0.99, 7)])
def test_a_code_dies_after_as_many_batches_without_a_use(decay, revive_after):
    torch.manual_seed(0)
    book = make_codebook([[0.0], [1.0], [50.0]], decay=decay, revive_after=revive_after)
    for table in (book.counts, book.sums):
        table.copy_(torch.ones_like(table) if table is book.counts else book.codes)
    x, lives = torch.tensor([0.0, 1.0]).repeat(50)[None, :, None], 0
    while book.codes[2].item() == pytest.approx(50, abs=0.1):
        book(x)
        lives += 1
    assert abs(lives - revive_after) <= 1 and book.codes[2].item() in (0.0, 1.0)
    assert book.counts[2].item() == 1.0 and book.sums[2].item() == book.codes[2].item()


def test_rare_codes_of_tiny_batches_live():
    """Eight codes and two vectors a batch: none is used in every batch, and none is dead."""
    torch.manual_seed(0)
    places = 10 * torch.arange(8.0)
    book = make_codebook(places[:, None].tolist(), revive_after=200)
    book.counts.fill_(0.25)
    book.sums.copy_(0.25 * book.codes)
    for _ in range(400):
        book(places[torch.randint(8, (2,))][None, :, None])
    assert_close(book.codes[:, 0], places, atol=0.05, rtol=0)


def test_dead_codes_stay_dead_where_it_is_said():
    book = make_codebook([[0.0], [1.0], [50.0]], decay=0.5, revive_after=0)
    for _ in range(100):
        book(torch.tensor([[[0.0], [1.0]]]))
    assert book.codes[2].item() == 50 and book.counts[2].item() == 0


def test_revival_is_a_function_of_the_seed():
    x = 100 + torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0))

    def codes(seed):
        torch.manual_seed(0)
        book = Codebook(8, 3)
        torch.manual_seed(seed)
        book(x)
        return book.codes

    assert torch.equal(codes(1), codes(1)) and not torch.equal(codes(1), codes(2))


# --- usage and mistakes -------------------------------------------------------------------------------------------


def test_perplexity_counts_codes_in_use():
    assert perplexity(torch.tensor([3.0, 3.0, 3.0, 0.0])) == pytest.approx(3)
    assert perplexity(torch.tensor([0.0, 7.0])) == pytest.approx(1)
    assert perplexity(torch.tensor([1.0, 3.0])) == pytest.approx(math.exp(0.25 * math.log(4) + 0.75 * math.log(4 / 3)))
    book = Codebook(4, 2)
    assert book.perplexity == 4
    book.counts.copy_(torch.tensor([2.0, 2.0, 0.0, 0.0]))
    assert book.perplexity == pytest.approx(2)


@pytest.mark.parametrize(
    "arguments, message",
    [((1, 2), "at least 2 codes"), ((4, 0), "needs at least 1"), ((4, 2, 1.0), "between 0 and 1"), ((4, 2, 0.0), "between 0 and 1"),
     ((4, 2, 0.9, -1), "number of batches, or 0")],
)  # fmt: skip
def test_impossible_codebooks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Codebook(*arguments)


# --- several processes --------------------------------------------------------------------------------------------

TWO = """
import sys, torch
from safetensors.torch import save_file
from textae.core.codebook import Codebook
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
everything = torch.randn(6, 8, 5, 3, generator=torch.Generator().manual_seed(0))
found = {}
for revive_after in (0, 2):
    torch.manual_seed(0)
    book = Codebook(12, 3, decay=0.5, revive_after=revive_after)
    for step, x in enumerate(everything):
        torch.manual_seed(10 * step + rank)
        book(x[4 * rank : 4 * rank + 4] + (100 if revive_after else 0))
    found |= {f"{revive_after}.{n}": t.clone() for n, t in book.state_dict().items()}
save_file(found, f"{sys.argv[1]}/{rank}.safetensors")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_share_one_codebook(tmp_path):
    from safetensors.torch import load_file

    (tmp_path / "two.py").write_text(TWO)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(tmp_path / "two.py"), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    assert len(first) == 6 and all(torch.equal(first[n], second[n]) for n in first), "replicas part, and revival chooses for itself"
    torch.manual_seed(0)
    alone = Codebook(12, 3, decay=0.5, revive_after=0)
    for x in torch.randn(6, 8, 5, 3, generator=torch.Generator().manual_seed(0)):
        alone(x)
    for name, table in alone.state_dict().items():
        assert_close(first[f"0.{name}"], table)
    assert (first["2.codes"] > 50).all(), "codes that no vector was near came to where vectors are"
