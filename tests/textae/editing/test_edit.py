"""`LatentSpace.edit`: the wanted value comes, the content stays, and what was not edited says so."""

import shutil
from dataclasses import replace

import pytest
import torch

from textae import LatentSpace
from textae.core.editing import EDITORS, LinearProbe, Unreachable
from textae.editing import METHODS, load_readers, save_readers
from textae.editing import sentences as sentences_module
from textae.editing.candidates import KeepWords, heavy_words, kept_words, shares_a_word, token_nats
from textae.editing.edit import MAX_CANDIDATES, make_wish
from textae.editing.refine import refine
from textae.editing.sentences import _Job

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


def test_unconditional_models_say_what_they_lack(processor, new_model):
    with pytest.raises(ValueError, match="knows no attributes"):
        LatentSpace(new_model(processor), processor).edit("the cat sees bread .", tense="past")


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
    keep = KeepWords([{5: 2.0, 6: 2.0}, {7: 2.0}], vocab_size=10)
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


# --- found by review --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["offset", "probe", "gradient"])
def test_longer_steps_stay_within_the_strengths_that_exist(space, method):
    """Candidates go 1.5 and 2 times as far as asked: from 6 that would be 12, and 10 is the limit."""
    assert space.edit("tea I drink .", tense="past", method=method, strength=6.0).method == method
    with pytest.raises(ValueError, match="strength is 11"):
        space.edit("tea I drink .", tense="past", method=method, strength=11.0)


def test_a_model_without_attributes_of_codes_says_so(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model")
    (tmp_path / "model" / "attributes.safetensors").unlink()
    bare = LatentSpace.from_pretrained(tmp_path / "model")
    for method in ("probe", "offset", "gradient", "ode"):
        with pytest.raises(ValueError, match="no attributes.safetensors"):
            bare.edit("tea I drink .", tense="past", method=method)
    assert bare.edit("tea I drink .", tense="past").changed, "conditioning needs none"


def test_a_number_means_the_same_for_every_method(space, monkeypatch):
    """The sign picks by the model's order of values, whatever order the attributes of codes were fitted in."""
    codes = space.attribute_codes.attributes
    old = codes["sentiment"]
    turned = replace(
        old, values=old.values[::-1], counts=old.counts[::-1], means=old.means.flip(0),
        probe=replace(old.probe, weight=old.probe.weight.flip(0), bias=old.probe.bias.flip(0)),
    )  # fmt: skip
    before = space.edit("tea I drink .", sentiment=-1.0, method="offset")
    monkeypatch.setitem(codes, "sentiment", turned)
    after = space.edit("tea I drink .", sentiment=-1.0, method="offset")
    assert before.wanted == after.wanted == {"sentiment": "negative"} and before.text == after.text


def test_a_value_that_the_reader_never_met_is_not_read(space, monkeypatch):
    reader = space.readers["tense"]
    seen = [v for v in reader.values if v != "past"]
    columns = [reader.values.index(v) for v in seen]
    monkeypatch.setitem(space.readers, "tense", type(reader)(seen, reader.table_HK[:, columns]))
    edit = space.edit("tea I drink .", tense="past")
    assert edit.reached is None and edit.text == "tea I drank ."


def test_codes_that_no_step_can_bring_there_are_left_alone(space):
    calls = []

    class Picky(LinearProbe):
        def edit(self, z_BD, targets):
            calls.append(len(z_BD))
            if len(z_BD) > 1:
                raise Unreachable("some", torch.arange(len(z_BD)) == 1)
            return super().edit(z_BD, targets)

    EDITORS["picky"] = Picky
    try:
        job = make_wish(space, {"tense": "past"}, method="probe")
        found = _Job(space, replace(job, method="picky")).edit(["tea I drink .", "war we want ."])
    finally:
        del EDITORS["picky"]
    assert calls[:2] == [2, 1]
    assert found[0].changed and not found[1].changed and "no step of its code" in found[1].reason


def test_another_sentence_is_no_edit():
    assert shares_a_word("tea I drink .", "tea I drank .") and shares_a_word("Go home.", "Went away.")
    assert not shares_a_word("tea I drink .", "coins on singers .")


def test_what_the_model_cannot_say_is_not_called_past_already(space, monkeypatch):
    """A reader says something of every text; the model's own word comes first."""
    reader = space.readers["tense"]
    sure = reader.table_HK * 0
    sure[:, reader.values.index("past")] = 20
    monkeypatch.setitem(space.readers, "tense", type(reader)(reader.values, sure))
    assert "cannot say" in space.edit("ziemlich fremd", tense="past").reason


def test_refining_touches_nothing_that_is_shared(space):
    wanted = [p.requires_grad for p in space.model.parameters()]
    before = [p.clone() for p in space.model.parameters()]
    batch = space.processor(["tea I drink .", "rats they saw ."], None)
    refine(space.model, batch, None, steps=5)
    assert [p.requires_grad for p in space.model.parameters()] == wanted and all(p.grad is None for p in space.model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, space.model.parameters(), strict=True))


def test_each_sentence_is_held_to_its_own_words(space, monkeypatch):
    """With a bias that nothing outweighs: held words alone are said, and released ones never."""
    monkeypatch.setattr(sentences_module, "BIAS", 60.0)
    for release in (False, True):
        monkeypatch.setattr(sentences_module, "WAYS", [(1.0, release), (2.0, release)])
        for edit, verb in zip(space.edit(["tea I drink .", "war we want ."], tense="past"), ("drink", "want"), strict=True):
            said = {word for text in edit.candidates for word in text.split()}
            assert verb not in said if release else said <= set(edit.source.split())


def test_heavy_words_are_what_the_reader_counts_against_the_wish():
    def log_odds(texts):
        return [-4.0 * text.count("drink") - 1.5 * text.count("now") - 0.5 * text.count("tea") for text in texts]

    text = "I drink tea now ."
    assert heavy_words(text, log_odds, 0.5) == [(2, 7)] and heavy_words(text, log_odds, 0.2) == [(2, 7), (12, 15)]
    assert heavy_words("tea .", log_odds, 0.0) == [], "half a nat is none"
    assert heavy_words("drink", log_odds, 0.5) == [], "of one word nothing would be left"


def test_tokens_of_heavy_words_lose_what_others_gain():
    ids, places = [7, 8, 9, 8], [(0, 1), (2, 5), (5, 7), (8, 10)]
    assert token_nats(ids, places, [(2, 7)], 1.5) == {7: 1.5, 8: 1.5, 9: -1.5}, "8 stands in another word too"
    assert token_nats(ids, places, [], 1.5) == {7: 1.5, 8: 1.5, 9: 1.5}


def test_the_pull_keeps_codes_near_their_mean(space):
    batch = space.processor(["tea I drink .", "rats they saw ."], None)
    mean = space.model.encode(**batch).mean.detach()
    other = {**batch, **{name: batch[name].flip(0) for name in ("labels", "decoder_input_ids")}}  # each is to say the other's words
    away = [(refine(space.model, other, None, steps=10, pull=pull)[0] - mean).norm().item() for pull in (0.0, 3.0)]
    assert away[1] < 0.8 * away[0]


def test_decoding_is_told_what_sentences_say_of_themselves(space, processor, new_model):
    sentences = ["tea I drink .", "rats they saw .", "the old mud ."]
    own = space.own_values(sentences)
    assert [row["tense"] for row in own] == ["present", "past", "other"] and own[1]["sentiment"] == "negative"
    z = space.encode(sentences)
    told = space.reconstruct(sentences)
    assert told == [space.decode(z[i], attributes=own[i]) for i in range(3)] and told[1] == space.reconstruct(sentences[1])
    assert space.reconstruct(sentences[0], attributes={"tense": "past"}) == space.decode(z[0], attributes={"tense": "past"})
    bare = LatentSpace(new_model(processor), processor)
    assert bare.told(["the cat sees bread ."]) is None and bare.own_values(["the cat sees bread ."]) == [{}]
    assert space.own_values([]) == []


def test_a_path_mixes_what_its_ends_say_of_themselves(space):
    a, b = "tea I drink .", "rats they saw ."
    path = space.interpolate(a, b, steps=5)
    assert [path[0], path[-1]] == space.reconstruct([a, b])
    halfway = (space.told([a]) + space.told([b])) / 2
    assert path[2] == space.decode(space.encode([a, b]).mean(0), attributes=halfway)
    assert space.interpolate(a, b, steps=2, attributes={"tense": "past"})[0] == space.reconstruct(a, attributes={"tense": "past"})
    with pytest.raises(ValueError, match="two ends"):
        space.interpolate(a, b, steps=1)
