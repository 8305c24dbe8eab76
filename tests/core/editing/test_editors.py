"""One contract for the table of editors, what they are asked for, and the call that finds them by name."""

import pytest
import torch
from torch.testing import assert_close

from textae.core.editing import EDITORS, AttributeCodes, edit_codes, make_editor, parse_targets

QUICK = {"offset": {}, "probe": {}, "gradient": {}, "ode": {"steps": 20}}
TARGETS = {"tense": "past", "mood": "good"}


def test_every_editor_is_covered():
    assert set(QUICK) == set(EDITORS)


@pytest.mark.parametrize("method", EDITORS)
def test_edits_make_targets_likely_and_keep_shape_and_type(method, fitted, labelled):
    z = labelled[0][:40]
    before = z.clone()
    edited = edit_codes(fitted, z, TARGETS, method, **QUICK[method])
    assert (
        edited.shape == z.shape and edited.dtype == torch.float32 and edited.isfinite().all() and torch.equal(z, before)
    )
    for name, value in TARGETS.items():
        index = fitted[name].index(value)
        gain = fitted.probabilities(edited, name)[:, index] - fitted.probabilities(z, name)[:, index]
        assert (
            fitted.probabilities(edited, name)[:, index].mean() > (0.6 if method == "offset" else 0.75)
            and gain.mean() > 0.2
        )
    assert torch.equal(edit_codes(fitted, z, TARGETS, method, **QUICK[method]), edited)
    assert_close(edit_codes(fitted, z[3], TARGETS, method, **QUICK[method]), edited[3])
    assert edit_codes(fitted, z.double(), TARGETS, method, **QUICK[method]).dtype == torch.float64


@pytest.mark.parametrize("method", EDITORS)
def test_edits_of_one_code_do_not_depend_on_its_neighbors(method, fitted, labelled):
    z = labelled[0][:9]
    together = edit_codes(fitted, z, TARGETS, method, **QUICK[method])
    assert_close(torch.stack([edit_codes(fitted, row, TARGETS, method, **QUICK[method]) for row in z]), together)


@pytest.mark.parametrize("method", EDITORS)
def test_strength_moves_further(method, fitted, labelled):
    z = labelled[0][:40]
    z = z[fitted.probabilities(z, "tense").argmax(1) == 1]
    gains = [
        fitted.probabilities(edit_codes(fitted, z, {"tense": "past"}, method, k, **QUICK[method]), "tense")[:, 0].mean()
        for k in (0.3, 1.0, 2.0)
    ]
    assert gains[0] < gains[1] < gains[2]
    by_number = edit_codes(fitted, z, {"tense": -2}, method, 0.5, **QUICK[method])
    assert_close(by_number, edit_codes(fitted, z, {"tense": "past"}, method, 1.0, **QUICK[method]))


@pytest.mark.parametrize("method", EDITORS)
@pytest.mark.parametrize("targets", [{"tense": "past"}, {"mood": "good"}, {"tense": 1.0, "mood": "flat"}], ids=str)
def test_edits_differentiate_in_the_code(method, targets, fitted):
    z = torch.tensor(
        [[0.6, -1.1, -0.4, 0.2, -0.7], [-0.9, 0.8, 0.3, 1.2, 0.1]], dtype=torch.float64, requires_grad=True
    )
    editor = make_editor(
        fitted, method, **{"ode": {"steps": 4}, "gradient": {"sizes": (0.3, 1.0), "steps": 5}}.get(method, {})
    )
    assert torch.autograd.gradcheck(lambda z: editor(z, targets), (z,), atol=1e-6)
    with torch.no_grad():
        still = editor(z, targets)
    assert not still.requires_grad and torch.equal(still, editor(z.detach(), targets))
    assert_close(still, editor(z, targets).detach())


def test_an_edit_reaches_a_loss_behind_it(fitted):
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for method in EDITORS:
        (slope,) = torch.autograd.grad(edit_codes(fitted, z, TARGETS, method, **QUICK[method]).square().sum(), z)
        assert slope.dtype == torch.float32 and slope.abs().sum() > 0


@pytest.mark.parametrize("method", EDITORS)
def test_attributes_along_orthogonal_directions_do_not_disturb_each_other(method, by_hand):
    codes = by_hand(
        {
            "a": ([[-1.0, 0, 0, 0], [1, 0, 0, 0]], [0.0, 0]),
            "b": ([[0.0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]], [0.0, 0, 0]),
        },
        means={"a": [[-1.0, 0, 0, 0], [1, 0, 0, 0]], "b": [[0.0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]]},
    )
    z = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    one, other = (edit_codes(codes, z, t, method, **QUICK[method]) for t in ({"a": "a1"}, {"b": "b2"}))
    assert_close(codes.probabilities(one, "b"), codes.probabilities(z, "b"))
    assert_close(codes.probabilities(other, "a"), codes.probabilities(z, "a"))
    if method != "gradient":  # whose number of steps is the slower target's
        assert_close(
            edit_codes(codes, z, {"a": "a1", "b": "b2"}, method, **QUICK[method]), one + other - z, atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("targets", "strength", "message"),
    [
        ({}, 1, "nothing to edit: give a value for one of mood, tense"),
        (["past"], 1, "must be a dictionary"),
        ({"tens": "past"}, 1, "no attribute 'tens' was fitted to these codes: did you mean 'tense'? Known: mood, tense"),
        ({"tense": "pas"}, 1, "no value 'pas': did you mean 'past'? Known: past, present"),
        ({"mood": 1.5}, 1, "'mood' has 3; name one of bad, flat, good"),
        ({"tense": 0}, 1, "the number's sign picks past or present"),
        ({"tense": float("nan")}, 1, "must be finite"),
        ({"tense": True}, 1, "tense is True; it must be one of past, present, or a number"),
        ({"tense": None}, 1, "tense is None"),
        ({"tense": "past"}, 0, "strength is 0"),
        ({"tense": "past"}, -1, "strength is -1"),
        ({"tense": "past"}, 11, "at most 10"),
        ({"tense": 4}, 3, "tense: the strength is 12"),
        ({"tense": "past"}, float("nan"), "strength is nan"),
        ({"tense": "past"}, "much", "strength is 'much'"),
    ],
)  # fmt: skip
def test_bad_targets_are_refused(targets, strength, message, fitted, labelled):
    with pytest.raises(ValueError) as error:
        edit_codes(fitted, labelled[0][:2], targets, "probe", strength)
    assert message in str(error.value)


def test_targets_are_read(fitted):
    named, number = parse_targets(fitted, {"mood": "good", "tense": -1.5}, 2)
    assert (named.value, named.strength, named.signed) == ("good", 2, False)
    assert (number.value, number.strength, number.signed) == ("past", 3, True)


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (torch.zeros(2, 4), "shape (2, 4); they must be rows of 5 numbers"),
        (torch.zeros(0, 5), "there are no codes"),
        (torch.zeros(2, 2, 5), "shape (2, 2, 5)"),
        (torch.full((2, 5), float("inf")), "finite"),
    ],
)
def test_bad_codes_are_refused(z, message, fitted):
    for method in EDITORS:
        with pytest.raises(ValueError) as error:
            edit_codes(fitted, z, {"tense": "past"}, method)
        assert message in str(error.value)


def test_unknown_methods_and_options_list_what_exists(fitted, labelled):
    z = labelled[0][:2]
    with pytest.raises(
        ValueError, match="no method of editing 'ofset'.*did you mean 'offset'.*gradient, ode, offset, probe"
    ):
        edit_codes(fitted, z, TARGETS, "ofset")
    with pytest.raises(ValueError, match="method 'probe' has no key 'confidance': did you mean 'confidence'"):
        edit_codes(fitted, z, TARGETS, confidance=0.9)


# --- spaces -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def space(processor, new_model):
    from textae.core.space import LatentSpace

    return LatentSpace(new_model(processor, scale=2.0), processor, name="tiny")


def test_sentences_of_a_space_are_fitted_saved_and_edited(space, sentences, tmp_path):
    rows = [
        {"person": "many" if s.startswith("she") else "one", "food": "yes" if "bread" in s else "no"} for s in sentences
    ]
    found = AttributeCodes.fit_space(space, sentences, rows, steps=40, hidden_dim=4)
    assert found.latent_dim == space.latent_dim and found["food"].counts == (18, 18)
    space.save_pretrained(tmp_path / "model")
    found.save(tmp_path / "model")
    space.folder = tmp_path / "model"
    z = space.encode(sentences[:3])
    edited = edit_codes(space, z, {"food": "yes", "person": 1.0})
    assert torch.equal(edited, edit_codes(found, z, {"food": "yes", "person": 1.0})) and edited.shape == (3, 4)
    assert len(space.decode(edited, max_new_tokens=5)) == 3
    drawn = AttributeCodes.fit_space(space, sentences, rows, sample=True, seed=3, steps=40, hidden_dim=4)
    assert not torch.equal(drawn.mean, found.mean)
    with pytest.raises(ValueError, match="36 examples come with 35 rows"):
        AttributeCodes.fit_space(space, sentences, rows[1:])


def test_a_space_without_attributes_says_so(space, fitted, tmp_path):
    space.folder = None
    with pytest.raises(ValueError, match="tiny was not loaded from a folder"):
        edit_codes(space, torch.zeros(4), TARGETS)
    space.folder = tmp_path
    with pytest.raises(ValueError, match="has no attributes.safetensors"):
        edit_codes(space, torch.zeros(4), TARGETS)
    fitted.save(tmp_path)
    with pytest.raises(ValueError, match="codes with 5 dimensions and the model has 4"):
        edit_codes(space, torch.zeros(4), TARGETS)


def test_images_are_edited_by_the_same_code():
    """Digits of 8 x 8 pixels as their principal components: an edited three is nearer to the eights, and decodes to one."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = torch.tensor(digits.data).float() / 16, torch.tensor(digits.target)
    mean = x.mean(0)
    components = torch.linalg.svd(x - mean, full_matrices=False).Vh[:16]
    z = (x - mean) @ components.T
    test = torch.arange(len(x)) % 3 == 0
    found = AttributeCodes.fit(z[~test], [{"digit": str(d)} for d in y[~test].tolist()], l2=1e-3, steps=200)
    assert found["digit"].accuracy > 0.9 and found["digit"].mlp_accuracy > 0.9
    threes = z[test & (y == 3)]
    judge = torch.stack([x[~test & (y == d)].mean(0) for d in range(10)])  # knows pixels and no codes
    for method in EDITORS:
        pixels = edit_codes(found, threes, {"digit": "8"}, method, **QUICK[method]) @ components + mean
        read = torch.cdist(pixels, judge).argmin(1)
        assert (read == 8).double().mean() > 0.5, method
