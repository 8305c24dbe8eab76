"""Every measurement of `textae bench` runs and yields a number; how large it is, no test says."""

import math

import pytest

from apps import bench


@pytest.fixture(scope="module")
def space(processor):
    from textae.space import LatentSpace

    return LatentSpace(bench._model(processor), processor)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_counts_its_tokens(processor, sentences, precision):
    task = bench._training(processor, sentences * 10, precision, "cpu", seconds=0.2)
    assert task() > 0 and task() > 0, "a round can be repeated"


@pytest.mark.parametrize("bf16", [False, True])
def test_likelihood_is_timed(space, sentences, bf16, monkeypatch):
    monkeypatch.setattr(bench, "DRAWS", 2)
    assert bench._likelihood(space, sentences, bf16)() > 0


def test_precisions_differ_by_little(space, sentences):
    assert math.isfinite(bench._difference(space, sentences[:8])) and abs(bench._difference(space, sentences[:8])) < 0.1


@pytest.mark.parametrize("beams", [1, 5])
def test_decoding_is_timed(space, beams, monkeypatch):
    monkeypatch.setattr(bench, "BEAM_BATCH", 4)
    assert bench._decoding(space, beams)() > 0


def test_the_table_shows_every_row():
    rows = [{"what": "training, bf16", "value": 12345.6, "unit": "tokens/s", "rounds": [], "older code": "5,000"}]
    report = {"date": "d", "hardware": "h", "torch": "t", "device": "cpu", "model": "m", "data": "s", "rows": rows}
    assert "| training, bf16 | 12,346 | tokens/s | 5,000 |" in bench.table(report)


@pytest.mark.slow
def test_cold_start_is_measured():
    rows = {row["what"]: row["value"] for row in bench._cold_start()}
    assert len(rows) == 4 and all(value > 0 for value in rows.values())
    assert rows["peak memory, page"] < 4096, "the child's own memory, not that of who started it"
