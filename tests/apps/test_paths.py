"""Paths of sentences: between two, and through attributes; their ends, their figures, and what they refuse."""

import pytest
import torch

from apps.paths import SPARE, between, costs, evenly, read_values, through

A, B = "We need rain.", "They want the dog."


@pytest.mark.parametrize("way", ["lerp", "slerp"])
def test_the_ends_are_the_reconstructions(tiny_space, way):
    steps = between(tiny_space, A, B, way).steps(evenly(5))
    assert [steps[0].sentence, steps[-1].sentence] == tiny_space.reconstruct([A, B])
    assert [s.t for s in steps] == [0, 0.25, 0.5, 0.75, 1]
    assert steps[0].like_a == 1 and steps[-1].like_b == 1 and steps[0].like_b < 1


def test_costs_are_the_decoders(tiny_space):
    z = tiny_space.encode([A, B])
    found = costs(tiny_space, z, [A, ""])
    batch = tiny_space.processor([A])
    with torch.no_grad():
        nll, _ = tiny_space.model.nll(z[:1], **batch)
    assert found[0] == pytest.approx(nll.item(), rel=1e-5) and found[1] is None


def test_attributes_turn_with_the_strength(told_space):
    steps = through(told_space, "I see tea.", {"tense": "past"}, strength=1.0).steps(evenly(9))
    assert steps[0].sentence == "I see tea." and steps[0].like_a == 1
    first, last = (read_values(told_space, [s.sentence])[0]["tense"]["past"] for s in (steps[0], steps[-1]))
    assert last > 0.5 > first
    assert all(s.nll is not None for s in steps)


def test_told_values_are_mixed_in_a_straight_line(told_space):
    path = through(told_space, "I see tea.", {"tense": "past"}, strength=1.5)
    _, told = path.at(torch.tensor([0.0, 0.5, 1.0]))
    assert torch.allclose(told[1], (told[0] + told[2]) / 2) and torch.allclose(told.sum(1), torch.full((3,), 2.0))  # two attributes
    assert told.max() == pytest.approx(1.5)


def test_between_two_sentences_the_values_go_from_the_first_to_the_second(told_space):
    """What the readers find in each end is what the decoder is told there."""
    a, b = "I see tea.", "They wanted rain."
    _, told = between(told_space, a, b).at(torch.tensor([0.0, 0.25, 1.0]))
    ends = told_space.told([a, b])
    assert not torch.equal(ends[0], ends[1])
    assert torch.allclose(told, torch.stack([ends[0], 0.75 * ends[0] + 0.25 * ends[1], ends[1]]))


def test_a_step_never_runs_on_and_on(tiny_space):
    path = between(tiny_space, A, B)
    far = type(path)(path.space, lambda t: (1e3 * torch.randn(len(t), 6, generator=torch.Generator().manual_seed(0)), None), path.ends)
    longest = max(len(tiny_space.processor.tokenize([end])[0]) for end in (A, B)) + SPARE
    points, _ = far.at(torch.tensor(evenly(20)))
    with torch.no_grad():
        free = tiny_space.model.generate(points, max_new_tokens=257)
    assert free.shape[1] > 100  # left alone, some of these codes would run to the end
    cut = tiny_space.processor.decode(free[:, : longest + 1])
    assert [s[:20] for s in far.sentences(evenly(20))] == [s[:20] for s in cut] and max(map(len, far.sentences(evenly(20)))) <= max(map(len, cut))


def test_what_cannot_be_is_refused(tiny_space, told_space):
    with pytest.raises(ValueError, match="knows no attributes"):
        through(tiny_space, A, {"tense": "past"})
    with pytest.raises(ValueError, match="no value 'pest'"):
        through(told_space, "I see tea.", {"tense": "pest"})
    with pytest.raises(ValueError, match="the path must be one of"):
        between(tiny_space, A, B, "spiral")
    with pytest.raises(ValueError, match="second sentence is empty"):
        between(tiny_space, A, "")
