"""`LatentSpace.edit`: the wanted value comes, the content stays, and what was not edited says so."""

import pytest
import torch

from textae import LatentSpace
from textae.editing import METHODS, load_readers, save_readers
from textae.editing.candidates import KeepWords, kept_words
from textae.editing.edit import MAX_CANDIDATES
from textae.editing.refine import refine

PAST = ("drank", "sang", "saw", "wanted")


@pytest.fixture(scope="module")
def space(trained):
    return LatentSpace.from_pretrained(trained)


def test_one_sentence_gives_one_edit(space):
    edit = space.edit("songs we sing .", tense="past")
    assert edit.text == "songs we sang ." and edit.changed and edit.reached and not edit.reason and edit.method == "condition"
    assert edit.kept == pytest.approx(2 / 3, abs=0.1) and 0 < edit.similarity < 1 and 0 < edit.nll < 10
    assert max(edit.attributes["tense"], key=edit.attributes["tense"].get) == "past"
    assert sum(edit.attributes["tense"].values()) == pytest.approx(1, abs=1e-5)


def test_a_list_gives_a_list_in_order(space):
    sentences = ["tea I drink .", "songs we sing .", "war you want .", "rats they see ."] * 3
    together = space.edit(sentences, tense="past")
    assert [e.source for e in together] == sentences
    assert [e.text for e in together] == [space.edit(s, tense="past").text for s in sentences], "a batch changes nothing"
    right = [s.replace("drink", "drank").replace("sing", "sang").replace("want", "wanted").replace("see", "saw") for s in sentences]
    assert sum(e.text == r for e, r in zip(together, right, strict=True)) >= 9


def test_several_attributes_at_once(space):
    edit = space.edit("tea I drink .", tense="past", sentiment="negative")
    assert edit.wanted == {"tense": "past", "sentiment": "negative"} and edit.text.split()[-2] in PAST
    assert edit.reached == all(max(edit.attributes[n], key=edit.attributes[n].get) == v for n, v in edit.wanted.items())
    assert edit.reached or "does not find" in edit.reason
    by_name, by_number = space.edit("tea I drink .", sentiment="negative"), space.edit("tea I drink .", sentiment=-1.0)
    assert by_name.text == by_number.text and by_name.wanted == by_number.wanted == {"sentiment": "negative"}


def test_what_cannot_be_edited_says_why(space):
    fragment, there, foreign = space.edit(["the old mud .", "rats they saw .", "ziemlich fremd"], tense="past")
    assert not fragment.changed and fragment.text == "the old mud ." and "no finite verb" in fragment.reason
    assert not there.changed and "past already" in there.reason and there.reached
    assert not foreign.changed and foreign.text == "ziemlich fremd" and "cannot say" in foreign.reason
    assert foreign.nll is None and foreign.candidates == []


def test_an_edit_is_never_a_copy(space, trained):
    """A method that moves nothing gives the source back as unchanged, with a reason."""
    for method in METHODS:
        for edit in space.edit(["tea I drink .", "war we want ."], tense="past", method=method):
            assert edit.changed == (edit.text != edit.source) and (edit.changed or edit.reason)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"tens": "past"}, "knows no attribute 'tens'"),
        ({"tense": "pas"}, "no value 'pas'"),
        ({"tense": 1.5}, "a number moves between two values"),
        ({"sentiment": 0.0}, "must be finite and not 0"),
        ({"sentiment": float("nan")}, "must be finite and not 0"),
        ({}, "nothing to edit"),
        ({"tense": "past", "method": "magic"}, "magic"),
        ({"tense": "past", "strength": 3.0}, "at most 2"),
        ({"tense": "past", "strength": -1.0}, "above 0"),
        ({"tense": "past", "candidates": 0}, "candidates is 0"),
        ({"tense": "past", "candidates": MAX_CANDIDATES + 1}, "candidates is"),
        ({"tense": "past", "steps": 3}, "steps"),
    ],
)
def test_mistakes_are_told(space, targets, said):
    with pytest.raises((ValueError, TypeError), match=said):
        space.edit("tea I drink .", **targets)


def test_unconditional_models_say_what_they_lack():
    with pytest.raises(ValueError, match="knows no attributes"):
        space = LatentSpace.from_pretrained("everyday")
        if space.attributes:
            raise ValueError("knows no attributes: the bundled model does")
        space.edit("I am here.", tense="past")


def test_samples_take_attributes_by_name(space):
    past = space.sample(30, seed=0, tense="past")
    present = space.sample(30, seed=0, tense="present")
    said = [sum(any(w in PAST for w in s.split()) for s in drawn) for drawn in (past, present)]
    assert said[0] >= 20 and said[1] <= 5, "the same codes, in another tense"
    assert past == space.sample(30, seed=0, attributes={"tense": "past"})
    with pytest.raises(ValueError, match="future"):
        space.sample(2, tense="future")


# --- the parts ----------------------------------------------------------------------------------------------------


def test_refined_codes_say_their_sentences(space):
    sentences = ["tea I drink .", "rats they see .", "war you want ."]
    batch = space.processor(sentences, None)
    attributes = torch.from_numpy(space.processor.attribute_ids([{"tense": "present"}] * 3))
    before = space.model.encode(**batch).mean
    z, exact, said = refine(space.model, batch, attributes, steps=60)
    assert exact.all() and space.processor.decode(said) == sentences
    assert space.processor.decode(space.model.generate(z, attributes=attributes, max_new_tokens=8)) == sentences
    still, _, _ = refine(space.model, batch, attributes, steps=0)
    assert torch.allclose(still, before, atol=1e-5)
    assert all(p.requires_grad for p in space.model.decoder.parameters()) and all(p.grad is None for p in space.model.parameters())
    near, _, _ = refine(space.model, batch, attributes, steps=60, pull=1e4)
    assert (near - before).norm() <= (z - before).norm() + 1e-6


def test_words_kept_are_likelier():
    keep = KeepWords([[5, 6], [7]], 2.0, vocab_size=10)
    scores = torch.zeros(4, 10)  # two beams of each row
    biased = keep(torch.zeros(4, 1, dtype=torch.long), scores)
    assert biased[:2, [5, 6]].eq(2).all() and biased[2:, 7].eq(2).all() and biased.sum() == 12 and scores.sum() == 0


def test_words_in_the_same_order_count():
    assert kept_words("a b c d", "a c d") == pytest.approx(6 / 7)
    assert kept_words("a b", "b a") == 0.5 and kept_words("a b", "c d") == 0


def test_content_and_attribute_are_weighed(space):
    """With all weight on words kept a candidate that keeps more of them is taken, whatever it says of the attribute."""
    free, bound = (space.edit("tea I drink .", sentiment="negative", keep=keep) for keep in (0.0, 1000.0))
    assert bound.kept >= free.kept and set(bound.candidates) == set(free.candidates)
    assert bound.text == max(bound.candidates, key=lambda t: kept_words("tea I drink .", t))
    assert space.edit("tea I drink .", tense="past", candidates=1).candidates in (["tea I drank ."], [])


def test_readers_beside_a_model(trained, tmp_path):
    readers = load_readers(trained)
    assert sorted(readers) == ["sentiment", "tense"] and load_readers(tmp_path) == {} and load_readers(None) == {}
    with pytest.raises(ValueError, match="no model"):
        save_readers(readers, tmp_path)
    (tmp_path / "config.json").write_text("{}")
    save_readers(readers, tmp_path)
    assert load_readers(tmp_path)["tense"].predict(["tea I drank ."]) == ["past"]
    with pytest.raises(ValueError, match="no name of an attribute"):
        save_readers({"../up": readers["tense"]}, tmp_path)
    (tmp_path / "readers" / "tense" / "classifier.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="damaged"):
        load_readers(tmp_path)


def test_a_copy_keeps_what_edits_need(space, tmp_path):
    space.save_pretrained(tmp_path / "copy")
    copy = LatentSpace.from_pretrained(tmp_path / "copy")
    assert copy.attributes == space.attributes and sorted(copy.readers) == ["sentiment", "tense"]
    assert copy.edit("tea I drink .", tense="past") == space.edit("tea I drink .", tense="past")
