"""Priors over codes: probabilities that sum to one, draws that follow them, fits that find structure, numbering kept.

Shapes: N rows, P positions, C dimensions of a code, D = P · C, K codes.
"""

import math
from itertools import product

import pytest
import torch
from torch.testing import assert_close

from textae.core.code_prior import CodeSequence, UniformCodes
from textae.core.prior import PRIORS

SIZES = {"dim": 6, "num_codes": 3, "code_dim": 2}  # three positions, three codes: 27 rows
TINY = {"hidden_dim": 8, "layers": 2, "heads": 2}
CODES = torch.tensor([[0.0, 1.0], [2.0, -1.0], [-3.0, 0.5]])
ROWS = torch.tensor(list(product(range(3), repeat=3)))


def opinionated(seed=0):
    """An unfitted prior whose weights say something, over `CODES`."""
    torch.manual_seed(seed)
    prior = CodeSequence(**SIZES, **TINY).requires_grad_(False)
    prior.take(CODES)
    for parameter in prior.parameters():
        parameter.add_(0.4 * torch.randn_like(parameter))
    return prior


def sequences(num, seed=0):
    """Rows where the second code repeats the first and the third is the next one."""
    first = torch.randint(3, (num,), generator=torch.Generator().manual_seed(seed))
    return torch.stack([first, first, (first + 1) % 3], 1)


def points(rows, codes=CODES):
    return codes[rows].flatten(1)


@pytest.fixture(scope="module")
def fitted():
    prior = CodeSequence(**SIZES, **TINY)
    said = prior.fit(points(sequences(300)), steps=150, batch_size=32, lr=1e-2)
    prior.take(CODES)
    return prior, said


@pytest.mark.parametrize("name", ["uniform_codes", "codes"])
def test_an_unfitted_prior_is_uniform(name):
    prior = PRIORS[name](**SIZES)
    prior.take(CODES)
    assert_close(prior.log_prob(points(ROWS)), torch.full((27,), -3 * math.log(3)))
    torch.manual_seed(0)
    drawn = prior.sample(9000).view(-1, 3, 2)
    shares = (drawn[:, :, None] == CODES).all(-1).float().mean(0)
    assert_close(shares, torch.full((3, 3), 1 / 3), atol=0.02, rtol=0)


@torch.no_grad()
def test_probabilities_sum_to_one():
    log_p = opinionated().log_prob(points(ROWS)).double()
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert 0.5 < log_p.std() < 3, "weights were meant to say something"


@torch.no_grad()
def test_a_code_hangs_on_those_before_it_alone():
    """The first position's probability is the same whatever follows, and so on: sums over what follows agree."""
    p = opinionated().log_prob(points(ROWS)).double().exp().view(3, 3, 3)
    other = opinionated()
    other.place[2] += torch.tensor([4.0, -4.0]).repeat(4)  # what the last position reads cannot move the first two
    q = other.log_prob(points(ROWS)).double().exp().view(3, 3, 3)
    assert_close(p.sum(2), q.sum(2), atol=1e-5, rtol=0)
    assert (p - q).abs().max() > 1e-2


@torch.no_grad()
def test_draws_follow_the_probabilities():
    prior = opinionated()
    p = prior.log_prob(points(ROWS)).double().exp()
    torch.manual_seed(0)
    drawn = prior.sample(20_000)
    rows = (drawn.view(-1, 3, 1, 2) == CODES).all(-1).float().argmax(-1)
    shares = torch.bincount(rows @ torch.tensor([9, 3, 1]), minlength=27) / 20_000
    assert_close(shares.double(), p, atol=0.012, rtol=0)


@torch.no_grad()
def test_spread_is_a_temperature():
    prior = opinionated()
    p = prior.log_prob(points(ROWS)).view(3, 3, 3).exp()
    greedy = p.sum((1, 2)).argmax()
    greedy = [greedy, p[greedy].sum(1).argmax(), p[greedy, p[greedy].sum(1).argmax()].argmax()]
    assert torch.equal(prior.sample(5, spread=0.0), points(torch.stack(greedy)[None]).expand(5, -1))
    torch.manual_seed(0)
    first = prior.sample(6000, spread=2.0)[:, :2]
    wanted = p.sum((1, 2)).sqrt()
    shares = torch.stack([(first == code).all(1).float().mean() for code in CODES])
    assert_close(shares, wanted / wanted.sum(), atol=0.02, rtol=0)


def test_draws_are_a_function_of_the_seed():
    prior = opinionated()
    for num in (1, 300):
        torch.manual_seed(1)
        first = prior.sample(num)
        torch.manual_seed(1)
        assert first.shape == (num, 6) and first.dtype == torch.float32 and torch.equal(prior.sample(num), first)


@torch.no_grad()
def test_log_prob_takes_any_shape_and_points_near_codes():
    prior, z = opinionated(), points(ROWS)
    expected = prior.log_prob(z)
    assert_close(prior.log_prob(z.view(3, 9, 6)), expected.view(3, 9))
    assert_close(prior.log_prob(z.repeat(20, 1)), expected.repeat(20))  # more than are judged at once
    assert_close(prior.log_prob(z + 0.1), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(prior.log_prob(z), expected)


# --- fitting ------------------------------------------------------------------------------------------------------


def test_a_fit_finds_what_follows_what(fitted):
    """The truth is log 3 nats: one free choice of three."""
    prior, said = fitted
    assert said == pytest.approx(-math.log(3), abs=0.12)
    assert_close(prior.log_prob(points(sequences(50, seed=9))).mean(), torch.tensor(-math.log(3)), atol=0.15, rtol=0)
    torch.manual_seed(0)
    rows = (prior.sample(200).view(-1, 3, 1, 2) == CODES).all(-1).float().argmax(-1)
    good = (rows[:, 1] == rows[:, 0]) & (rows[:, 2] == (rows[:, 0] + 1) % 3)
    assert good.float().mean() > 0.9 and not any(p.requires_grad for p in prior.parameters())


def test_a_fit_is_a_function_of_its_seed_and_leaves_the_global_generator():
    def fit(constructed, seed):
        torch.manual_seed(constructed)
        prior, before = CodeSequence(**SIZES, **TINY), torch.get_rng_state()
        with torch.no_grad():  # as after a training
            said = prior.fit(points(sequences(40)), steps=5, batch_size=8, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        return said, prior.state_dict()

    (a, one), (b, two), (c, _) = fit(1, 0), fit(2, 0), fit(1, 3)
    assert a == b != c and all(torch.equal(one[n], two[n]) for n in one)


def test_a_fit_learns_more_than_it_is_shown_at_once():
    """Batches of more vectors than are searched for codes at once."""
    many = points(sequences(6000))
    prior = CodeSequence(**SIZES, **TINY)
    prior.fit(many, steps=1)
    assert len(many) * 3 > 16_384 and {tuple(row) for row in prior.codebook.tolist()} == {tuple(row) for row in CODES.tolist()}


def test_a_codebook_keeps_its_numbering(fitted):
    """A fit numbers codes as it finds them; the model's codebook has its own order, and codes that were never met."""
    rows = sequences(300)
    found = CodeSequence(dim=6, num_codes=5, code_dim=2, **TINY)
    found.fit(points(rows), steps=60, batch_size=32, lr=1e-2)
    before = found.log_prob(points(rows))
    drawn = found.sample(100)
    assert drawn.isfinite().all(), "codes that were not met have no vector yet"
    codebook = torch.cat([torch.tensor([[7.0, 7.0]]), CODES.flip(0), torch.tensor([[8.0, 8.0]])])
    found.take(codebook)
    assert torch.equal(found.codebook, codebook)
    assert_close(found.log_prob(points(rows)), before)
    everything = codebook[torch.tensor(list(product(range(5), repeat=3)))].flatten(1)
    log_p = found.log_prob(everything)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)
    unmet = (everything.view(-1, 3, 2) > 6).all(-1).any(-1)
    assert 0 < log_p[unmet].exp().sum() < 0.1
    found.take(codebook)  # once more changes nothing
    assert_close(found.log_prob(everything), log_p)


def test_equal_codes_of_a_codebook_are_no_trouble():
    prior = CodeSequence(dim=6, num_codes=5, code_dim=2, **TINY)
    prior.fit(points(sequences(50)), steps=20, batch_size=8, lr=1e-2)
    before = prior.log_prob(points(ROWS))
    codebook = torch.cat([CODES[:1], CODES, CODES[1:2]])
    prior.take(codebook)
    prior.take(codebook)
    assert_close(prior.log_prob(points(ROWS)), before)
    assert prior.sample(20).isfinite().all()


def test_another_codebook_is_refused(fitted):
    with pytest.raises(ValueError, match="fitted to 1 codes that the model's codebook lacks"):
        fitted[0].take(torch.cat([CODES[:2], torch.tensor([[9.0, 9.0]])]))


# --- mistakes -----------------------------------------------------------------------------------------------------


def test_continuous_codes_are_refused():
    with pytest.raises(ValueError, match="not made of 3 vectors of 2 dimensions.*mixture or flow"):
        CodeSequence(**SIZES, **TINY).fit(torch.randn(50, 6))


def test_one_row_is_too_few():
    with pytest.raises(ValueError, match="at least two codes"):
        CodeSequence(**SIZES, **TINY).fit(points(ROWS[:1]))


@pytest.mark.parametrize("option", [{"steps": 0}, {"batch_size": 0}, {"held_out": 1.0}, {"held_out": 0.0}])
def test_impossible_fits_are_refused(option):
    with pytest.raises(ValueError, match=f"prior.fit: {next(iter(option))} is "):
        CodeSequence(**SIZES, **TINY).fit(points(ROWS), **option)


@pytest.mark.parametrize(
    "options, message",
    [({"num_codes": 1}, "num_codes is 1"), ({"code_dim": 4}, "6 dimensions is not made of whole codes of code_dim=4"), ({"code_dim": 0}, "code_dim=0"),
     ({"layers": 0}, "layers is 0"), ({"hidden_dim": 9}, "multiple of heads"), ({"heads": 0}, "multiple of heads, which is 0")],
)  # fmt: skip
def test_impossible_priors_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CodeSequence(**{**SIZES, **TINY, **options})


def test_a_prior_that_was_given_no_codebook_draws_nothing():
    assert UniformCodes(**SIZES).sample(3).isnan().all() and CodeSequence(**SIZES).sample(3).isnan().all()
