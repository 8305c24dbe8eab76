"""The trade-off figure and table, by what they show."""

import pytest

from apps.tradeoff import COLUMNS, draw, measure, plot, table
from textae.edit_metrics import EditFigures


def figures(accuracy, self_bleu, ppl_ratio, intervals=None, **changes):
    given = dict(
        num_edits=10, accuracy=accuracy, accuracy_by_judge={"n": accuracy}, source_accuracy=5.0, self_bleu=self_bleu,
        geometric_mean=(accuracy * self_bleu) ** 0.5, reference_bleu=None, exact_match=None, ppl=40 * ppl_ratio, source_ppl=40.0,
        ppl_ratio=ppl_ratio, content_overlap=70.0, unchanged=1.0, empty=0.0, distinct_1=0.1, distinct_2=0.4, intervals=intervals or {},
    )  # fmt: skip
    return EditFigures(**{**given, **changes})


BARS = {"accuracy": (35.0, 47.0), "self_bleu": (66.0, 71.0), "ppl_ratio": (1.0, 1.2)}
CURVES = {
    "offset": {0.5: figures(40.0, 70.0, 1.1, BARS), 1.0: figures(80.0, 50.0, 1.4, {n: (60.0, 90.0) for n in BARS})},
    "probe": {1.0: figures(90.0, 60.0, 1.2)},
}


def test_lines_points_and_labels():
    left, right = plot(CURVES).axes
    lines = {
        line.get_label(): line.get_xydata().tolist() for line in left.lines if not line.get_label().startswith("_")
    }
    assert lines == {"offset": [[70.0, 40.0], [50.0, 80.0]], "probe": [[60.0, 90.0]]}
    lines = {
        line.get_label(): line.get_xydata().tolist() for line in right.lines if not line.get_label().startswith("_")
    }
    assert lines["offset"] == [[40.0, 1.1], [80.0, 1.4]] and lines["probe"] == [[90.0, 1.2]]
    assert [y for _, y in lines["bar 1.25"]] == [1.25, 1.25]
    assert [(text.get_text(), text.xy) for text in left.texts] == [
        ("k=0.5", (70, 40)),
        ("k=1", (50, 80)),
        ("k=1", (60, 90)),
    ]
    assert "self-BLEU" in left.get_xlabel() and "accuracy" in left.get_ylabel() and "perplexity" in right.get_ylabel()


def test_bars_are_the_intervals():
    left, _ = plot({"offset": {0.5: CURVES["offset"][0.5]}}).axes
    segments = [segment.tolist() for bars in left.collections for segment in bars.get_segments()]
    assert [[66.0, 40.0], [71.0, 40.0]] in segments and [[70.0, 35.0], [70.0, 47.0]] in segments
    assert not plot({"probe": CURVES["probe"]}).axes[0].collections


def test_a_figure_outside_its_own_interval_has_no_negative_bar():
    outside = figures(50.0, 60.0, 1.0, {n: (0.5, 0.9) for n in BARS})
    plot({"odd": {1.0: outside}})


@pytest.mark.parametrize(("name", "start"), [("f.svg", b"<?xml"), ("f.png", b"\x89PNG"), ("f.pdf", b"%PDF")])
def test_files(name, start, tmp_path):
    draw(CURVES, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_unknown_format_is_named_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="'doc' is not supported"):
        draw(CURVES, tmp_path / "f.doc")
    assert not list(tmp_path.iterdir())


def test_table():
    lines = table(CURVES).splitlines()
    assert len(lines) == 2 + 3 and len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| method | k | ACC % | self-BLEU |")
    assert lines[2] == "| offset | 0.5 | 40.0 | 70.0 | 52.9 | – | – | 1.10 | 70.0 | 1.0 | 0.400 |"
    assert lines[4].startswith("| probe | 1 | 90.0 | 60.0 |") and len(COLUMNS) == 9


def test_a_method_may_have_candidates_of_its_own(monkeypatch):
    class Space:
        asked = []

        def edit(self, texts, **how):
            self.asked.append(how)
            return [type("Edit", (), {"text": text}) for text in texts]

    monkeypatch.setattr("apps.catalog.open_space", lambda *_: Space())
    monkeypatch.setattr("apps.judging.fluency_model", lambda *_: None)
    monkeypatch.setattr("apps.judging.open_judge", lambda *_: None)
    monkeypatch.setattr("textae.edit_metrics.tradeoff", lambda sources, edits, *_, **__: edits)
    how = {"strengths": [1.0, 2.0], "judges": ["j"], "fluency": "tatoeba", "candidates": 7}
    curves = measure(["m"], ["A."], "tense", "past", methods=["auto", "offset:1"], **how)
    assert curves == {"auto": {1.0: ["A."], 2.0: ["A."]}, "offset:1": {1.0: ["A."], 2.0: ["A."]}}
    assert Space.asked[::2] == [{"strength": 1.0, "method": m, "candidates": n, "tense": "past"} for m, n in (("auto", 7), ("offset", 1))]
    both = measure(["zoo/m", "runs/n/model"], ["A."], "tense", "past", methods=["auto"], **how)
    assert list(both) == ["m auto", "n auto"]
    assert list(measure(["a/m", "b/m"], ["A."], "tense", "past", methods=["auto"], **how)) == ["a/m auto", "b/m auto"]
    for wrong in ("offset:", "offset:0", "offset:x"):
        with pytest.raises(ValueError, match=f"method '{wrong}': behind the colon"):
            measure(["m"], ["A."], "tense", "past", methods=["auto", wrong], **how)
    with pytest.raises(ValueError, match="method of editing 'ofset'"):
        measure(["m"], ["A."], "tense", "past", methods=["auto", "ofset:1"], **how)
