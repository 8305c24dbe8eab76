"""Corruption: its rates, its bounds, and everything that it must leave alone."""

import pytest
import torch

from textae.data.corruption import Corruption, word_dropout

PAD, EOS, MASK, VOCAB, FIRST = 0, 2, 4, 105, 5
NAMES = {"mask_id": MASK, "vocab_size": VOCAB}


def batch(num_examples=400, num_tokens=24):
    """Rows of 0 to T tokens, each ending in eos; every ordinary id of a row is different, to follow it."""
    torch.manual_seed(0)
    lengths_B = torch.arange(num_examples) % (num_tokens + 1)
    mask_BT = (torch.arange(num_tokens) < lengths_B[:, None]).long()
    ids_BT = torch.rand(num_examples, VOCAB - FIRST).argsort(dim=1)[:, :num_tokens] + FIRST
    ids_BT = ids_BT * mask_BT
    full = lengths_B > 0
    ids_BT[full, lengths_B[full] - 1] = EOS
    return ids_BT, mask_BT


def rows(ids_BT, mask_BT):
    return [ids_T[mask_T.bool()].tolist() for ids_T, mask_T in zip(ids_BT, mask_BT, strict=True)]


@pytest.mark.parametrize("protect_last", [True, False])
@pytest.mark.parametrize(
    "rates", [{}, {"drop": 0.3}, {"drop": 1.0}, {"mask": 0.3}, {"substitute": 0.3}, {"shuffle": 4},
              {"drop": 0.2, "mask": 0.2, "substitute": 0.2, "shuffle": 3}],
)  # fmt: skip
def test_invariants(rates, protect_last):
    ids_BT, mask_BT = batch()
    before = ids_BT.clone(), mask_BT.clone()
    new_ids_BT, new_mask_BT = Corruption(**rates, protect_last=protect_last)(ids_BT, mask_BT, **NAMES)
    assert torch.equal(ids_BT, before[0]) and torch.equal(mask_BT, before[1])
    assert new_ids_BT.data_ptr() != ids_BT.data_ptr() and new_mask_BT.data_ptr() != mask_BT.data_ptr()
    assert new_ids_BT.shape == ids_BT.shape and new_ids_BT.dtype == ids_BT.dtype and new_mask_BT.dtype == mask_BT.dtype
    assert (new_ids_BT[new_mask_BT == 0] == PAD).all()
    assert (new_mask_BT.diff(dim=1) <= 0).all()
    for old, new in zip(rows(ids_BT, mask_BT), rows(new_ids_BT, new_mask_BT), strict=True):
        assert len(new) <= len(old) and bool(new) == bool(old)
        if protect_last and old:
            assert new[-1] == EOS and EOS not in new[:-1]
            assert len(new) > 1 or len(old) == 1  # a free token survives
        if not rates.get("substitute"):
            assert set(new) <= {*old, MASK}
    if not rates:
        assert torch.equal(new_ids_BT, ids_BT) and torch.equal(new_mask_BT, mask_BT)


def test_padding_that_is_not_pad_id_stays():
    ids_BT, mask_BT = torch.tensor([[10, 11, 12, 2, 77, 77]]), torch.tensor([[True] * 4 + [False] * 2])
    new_ids_BT, new_mask_BT = Corruption(drop=1.0)(ids_BT, mask_BT, pad_id=9, **NAMES)
    assert new_ids_BT[0, 1:].tolist() == [2, 9, 9, 77, 77] and new_ids_BT[0, 0] in (10, 11, 12)
    assert new_mask_BT.tolist() == [[True, True, False, False, False, False]]


def test_drop_keeps_the_order_and_the_rate():
    ids_BT, mask_BT = torch.arange(5, 105).repeat(300, 1), torch.ones(300, 100, dtype=torch.long)
    torch.manual_seed(1)
    new_ids_BT, new_mask_BT = Corruption(drop=0.25)(ids_BT, mask_BT, **NAMES)
    assert all(row == sorted(row) for row in rows(new_ids_BT, new_mask_BT))
    # 29,700 draws: a standard deviation of 0.0025
    assert 1 - (new_mask_BT.sum() - 300) / (300 * 99) == pytest.approx(0.25, abs=0.01)


def test_the_survivor_of_drop_is_drawn_evenly():
    ids_BT, mask_BT = torch.tensor([[10, 11, 12, 13, 2]]).repeat(4000, 1), torch.ones(4000, 5)
    torch.manual_seed(1)
    new_ids_BT, _ = Corruption(drop=1.0)(ids_BT, mask_BT, **NAMES)
    share = new_ids_BT[:, 0].bincount(minlength=14)[10:] / 4000
    assert share.tolist() == pytest.approx([0.25] * 4, abs=0.03)  # a standard deviation of 0.007


def test_mask_and_substitute_rates():
    ids_BT, mask_BT = torch.full((300, 100), 50), torch.ones(300, 100, dtype=torch.long)
    torch.manual_seed(1)
    masked_BT, _ = Corruption(mask=0.3, protect_last=False)(ids_BT, mask_BT, **NAMES)
    assert (masked_BT == MASK).float().mean() == pytest.approx(0.3, abs=0.01)
    substituted_BT, _ = Corruption(substitute=1.0, protect_last=False)(ids_BT, mask_BT, **NAMES)
    counts = substituted_BT.flatten().bincount(minlength=VOCAB)
    assert counts[:FIRST].sum() == 0 and len(counts) == VOCAB
    assert counts[FIRST:].min() > 200 and counts[FIRST:].max() < 400  # 300 each on average, deviation 17


@pytest.mark.parametrize("window", [1, 2, 3, 6])
def test_shuffle_moves_no_token_further_than_its_window(window):
    num_tokens = 60
    ids_BT = torch.arange(5, 5 + num_tokens).repeat(2000, 1)
    torch.manual_seed(1)
    new_ids_BT, _ = Corruption(shuffle=window)(ids_BT, torch.ones_like(ids_BT), **NAMES)
    assert torch.equal(new_ids_BT.sort(dim=1).values, ids_BT)
    distance = (new_ids_BT - ids_BT).abs()
    assert distance.max() == window - 1
    assert (distance[:, -1] == 0).all()


def test_a_rate_of_zero_draws_nothing():
    ids_BT, mask_BT = batch()
    torch.manual_seed(3)
    Corruption()(ids_BT, mask_BT, **NAMES)
    word_dropout(ids_BT, 0.0, replacement_id=3)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))


def test_the_same_seed_gives_the_same_noise():
    corruption = Corruption(drop=0.2, mask=0.2, substitute=0.2, shuffle=3)
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(corruption(*batch(), **NAMES)[0])
    assert torch.equal(*drawn)


def test_word_dropout():
    ids_BT = torch.full((300, 101), 50)
    before = ids_BT.clone()
    torch.manual_seed(1)
    new_ids_BT = word_dropout(ids_BT, 0.4, replacement_id=3)
    assert torch.equal(ids_BT, before) and (new_ids_BT[:, 0] == 50).all()
    assert (new_ids_BT[:, 1:] == 3).float().mean() == pytest.approx(0.4, abs=0.012)
    assert (word_dropout(ids_BT, 1.0, replacement_id=3, keep_first=False) == 3).all()
    unchanged_BT = word_dropout(ids_BT, 0.0, replacement_id=3)
    assert torch.equal(unchanged_BT, ids_BT) and unchanged_BT.data_ptr() != ids_BT.data_ptr()


@pytest.mark.parametrize(
    "settings", [{"drop": -0.1}, {"mask": 1.1}, {"substitute": float("nan")}, {"shuffle": -1}, {"shuffle": 1.5}]
)
def test_settings_out_of_range(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Corruption(**settings)


def test_calls_that_make_no_sense():
    ids_BT = torch.full((1, 3), 50)
    with pytest.raises(ValueError, match="padded on the right"):
        Corruption(drop=0.1)(ids_BT, torch.tensor([[0, 1, 1]]), **NAMES)
    with pytest.raises(ValueError, match="vocab_size is 5"):
        Corruption(substitute=0.1)(ids_BT, torch.ones_like(ids_BT), mask_id=4, vocab_size=5)
    with pytest.raises(ValueError, match="rate is 2"):
        word_dropout(ids_BT, 2, replacement_id=3)
