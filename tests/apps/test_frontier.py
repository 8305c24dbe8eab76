"""The frontier: whose β is what, and which points a line may join."""

import json

import pytest

from apps.frontier import COLUMNS, collect, draw, plot, table

# run: (its objective, the β that it has)
RUNS = {
    "small": ("kl: 0.1", 0.1),
    "defaults": ("kl:", 1.0),
    "climbs": ("kl: {weight: {schedule: linear, end: 0.45, steps: 2000}}", 0.45),
    "stands": ("kl: {weight: {schedule: constant, value: 0.3}, free_bits: 1}", 0.3),
    "named": ("kl: {weight: linear}", 1.0),
    "ae": ("latent_adversary: 3", None),
    "held": ("kl: {weight: {schedule: pi, target: 4.0}}", None),
    "least": ("kl: {weight: {schedule: minimum_rate, target: 4.0}}", None),
}


@pytest.fixture
def folders(tmp_path):
    made = []
    for number, (name, (term, _)) in enumerate(RUNS.items()):
        folder = tmp_path / name / "model"
        folder.mkdir(parents=True)
        (folder / "run.yaml").write_text(f"objective:\n  reconstruction:\n  {term}\n")
        figures = {**dict.fromkeys(COLUMNS, 1.5), "bleu": 10.0 + number, "active_units": 3}
        if name == "ae":
            del figures["kl_standard"]
        (folder / "figures.json").write_text(json.dumps({"evaluation": figures}))
        made.append(tmp_path / name)
    return made


def test_only_a_kl_with_a_weight_of_its_own_has_a_beta(folders):
    rows = collect(folders)
    assert {row["name"]: row["beta"] for row in rows} == {name: beta for name, (_, beta) in RUNS.items()}
    assert [row["name"] for row in rows] == ["small", "stands", "climbs", "defaults", "named", "ae", "held", "least"]


def test_others_stand_alone_under_their_names(folders):
    rows = collect(folders)
    for axis in plot(rows, chosen=rows[-1]).axes:
        lines = {line.get_label(): line for line in axis.lines}
        assert lines["β sweep"].get_xdata().tolist() == [10, 13, 12, 11, 14] and lines["β sweep"].get_linestyle() == "-"
        assert lines["without a β"].get_xdata().tolist() == [15, 16, 17] and lines["without a β"].get_linestyle() == "None"
        assert [text.get_text() for text in axis.texts] == ["β=0.1", "β=0.3", "β=0.45", "β=1", "β=1", "ae", "held", "least"]
        assert "bundled, least" in lines
    assert "β sweep" not in {line.get_label() for line in plot(rows[5:]).axes[0].lines}


def test_table_and_file(folders, tmp_path):
    rows = collect(folders)
    lines = table(rows).splitlines()
    assert len(lines) == 2 + len(RUNS) and len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| 0.1 | 1.50 | 1.50 | 10.00 |") and lines[7].startswith("| ae | – | 1.50 | 15.00 |")
    draw(rows, tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_bytes().startswith(b"<?xml")


def test_a_model_without_an_evaluation_is_named(folders, tmp_path):
    with pytest.raises(ValueError, match="has no figures.json: .* as `textae evaluate --card` writes it"):
        collect([tmp_path])
    (folders[0] / "model" / "figures.json").write_text(json.dumps({"evaluation": {"nll": 1.0}}))
    with pytest.raises(ValueError, match="small was evaluated without reconstructions or samples: run `textae evaluate --model .*small --data NAME --card`"):
        collect(folders)


def test_files_alone_tell_names_and_show_drawn_samples_open(tmp_path):
    for number, name in enumerate(("vae", "aae")):
        figures = {"bleu": 10.0 + number, "forward_ratio": 0.2, "reverse_ratio": 9.0, "kl_standard": None}
        if name == "vae":
            figures |= {"drawn_forward_ratio": 1.5, "drawn_reverse_ratio": 1.25}
        (tmp_path / f"{name}.json").write_text(json.dumps({"evaluation": figures}))
    rows = collect([tmp_path / "vae.json", tmp_path / "aae.json"])
    assert [(row["name"], row["beta"]) for row in rows] == [("aae", None), ("vae", None)]
    for axis, drawn in zip(plot(rows).axes, (1.5, 1.25), strict=True):
        lines = {line.get_label(): line for line in axis.lines}
        assert set(lines) == {"likeliest words", "words drawn", "real text"} and axis.get_yscale() == "log"
        assert lines["words drawn"].get_data()[0].tolist() == [10] and lines["words drawn"].get_data()[1].tolist() == [drawn]
        assert lines["words drawn"].get_fillstyle() == "none" and lines["likeliest words"].get_fillstyle() == "full"
    assert table(rows).splitlines()[0] == "| model | BLEU | forward × | reverse × | drawn: forward × | drawn: reverse × |"
