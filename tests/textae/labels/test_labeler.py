"""The table of labelers as a whole, and corpora that are labelled while they are read."""

from functools import partial
from itertools import islice

import pytest

from textae.data.corpus import Corpus, read_files
from textae.labels import LABELERS
from textae.labels.labeler import CHUNK, Labeler, find_labelers, labelled

TEXTS = ["I loved it.", "We will see a terrible storm.", "a table by the wall", "She is here."]


def corpus(rows, attributes=()):
    return Corpus("rows", attributes, partial(iter, rows))


@pytest.mark.parametrize("name", LABELERS)
def test_every_labeler_gives_a_value_of_its_list_or_none(name):
    labeler = LABELERS[name]
    found = labeler(TEXTS)
    assert len(found) == len(TEXTS) and set(found) <= {*labeler.values, None} and len(set(found)) > 1
    assert labeler([]) == [] and found == [labeler([text])[0] for text in TEXTS]
    with pytest.raises(ValueError, match="list of sentences"):
        labeler(TEXTS[0])


def test_rows_get_every_attribute():
    rows = [{"text": text} for text in TEXTS]
    out = labelled(corpus(rows), LABELERS)
    assert out.attributes == ("tense", "sentiment") and out.name == "rows"
    assert list(out) == list(out)  # as often as it is asked
    assert [row["tense"] for row in out] == ["past", "future", "other", "present"]
    assert [row["sentiment"] for row in out] == ["positive", "negative", None, None]
    assert rows == [{"text": text} for text in TEXTS], "the corpus itself is untouched"


def test_own_values_stay_and_gaps_are_filled():
    rows = [{"text": "I ran.", "tense": "future"}, {"text": "I ran.", "tense": None}]
    out = labelled(corpus(rows, ("tense",)), {"tense": LABELERS["tense"]})
    assert out.attributes == ("tense",) and [row["tense"] for row in out] == ["future", "past"]


def test_a_stream_is_read_no_further_than_needed():
    read = []

    def endless():
        while True:
            read.append(1)
            yield {"text": "I ran."}

    out = labelled(Corpus("endless", (), endless), {"tense": LABELERS["tense"]})
    assert [row["tense"] for row in islice(out, 3)] == ["past"] * 3 and len(read) == CHUNK


def test_order_survives_chunks(tmp_path):
    texts = [f"He {'was' if i % 2 else 'is'} number {i}." for i in range(2 * CHUNK + 7)]
    (tmp_path / "a.txt").write_text("\n".join(texts) + "\n")
    rows = list(labelled(read_files(tmp_path / "a.txt", streaming=True), {"tense": LABELERS["tense"]}))
    assert [row["text"] for row in rows] == texts
    assert all(row["tense"] == ("past" if i % 2 else "present") for i, row in enumerate(rows))


def test_a_missing_package_says_what_to_install():
    absent = Labeler(("a",), "no_such_package_of_anyone", list)
    for use in (lambda: absent(["x"]), lambda: find_labelers(["a"], {"a": absent})):
        with pytest.raises(ValueError, match=r"no_such_package_of_anyone: pip install 'textae\[labels\]'"):
            use()


@pytest.mark.parametrize(
    "names, says", [(["tens"], "did you mean 'tense'"), (["tense", "tense"], "named twice"), ([], "at least one")]
)
def test_names_that_cannot_be(names, says):
    with pytest.raises(ValueError, match=says):
        find_labelers(names, LABELERS)
