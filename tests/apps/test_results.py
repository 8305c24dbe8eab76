"""The table of results says what the files say, and a README that says otherwise is told so."""

import json
import re

import pytest

from apps.catalog import ROOT, configs
from apps.results import BEGIN, END, check, collect, table, write

TRAINED = {"command": "textae train --config text/a", "date": "2026-01-02", "seed": 3, "hardware": "a CPU", "minutes": 12.5, "step": 10520}
MEASURED = {"on": "ptb, split valid (10 sentences)", "samples": 50, "command": "textae evaluate --data ptb", "date": "2026-01-03", "seed": 0,
            "hardware": "a CPU", "minutes": 1.5, "nll": 100.06, "ppl": 98.76, "kl": 3.25, "active_units": 7, "copied": 0.051, "nll_curve": [[1, 2.0]]}  # fmt: skip


def store(path, evaluation=MEASURED, training=TRAINED):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"training": training, "evaluation": evaluation}))
    return path


def test_rows_hold_figures_and_where_they_come_from(tmp_path):
    store(tmp_path / "runs" / "vae" / "model" / "figures.json")
    store(tmp_path / "lm.json", {**{k: v for k, v in MEASURED.items() if k != "kl"}, "bleu": 50.0, "nll": 90.0})
    rows = collect([tmp_path / "runs" / "vae", tmp_path / "lm.json"])
    assert [row["name"] for row in rows] == ["vae", "lm"] and rows == collect([tmp_path / "runs" / "vae" / "model", tmp_path / "lm.json"])
    lines = table(rows).split("\n")
    assert lines[:5] == [
        "On ptb, split valid (10 sentences):", "", "| model | NLL | PPL | KL | AU | BLEU | copied % | draws |", f"| --- |{' ---: |' * 7}",
        "| vae | 100.1 | 98.8 | 3.25 | 7 | – | 5.1 | 50 |",
    ]  # fmt: skip
    assert lines[5].startswith("| lm | 90.0 | 98.8 | – | 7 | 50.0 |") and lines[7].startswith("<details>") and lines[-1] == "</details>"
    assert lines[9:12] == [
        "| model | updates | trained and evaluated by | seed | date | hardware | minutes |", "| --- | ---: | --- | ---: | --- | --- | ---: |",
        "| vae | 10,520 | `textae train --config text/a`; `textae evaluate --data ptb` | 3; 0 | 2026-01-02; 2026-01-03 | a CPU | 12.5 + 1.5 |",
    ]  # fmt: skip
    for part in (lines[2:6], lines[9:13]):
        assert len({line.count("|") for line in part}) == 1


def test_draws_belong_to_a_likelihood(tmp_path):
    point = store(tmp_path / "ae.json", {key: value for key, value in MEASURED.items() if key != "nll"})
    assert table(collect([point])).split("\n")[4].endswith("| 5.1 | – |")


def test_what_was_measured_on_other_data_stands_in_another_table(tmp_path):
    first, second = store(tmp_path / "a.json"), store(tmp_path / "b.json", {**MEASURED, "on": "yelp", "nll": float("nan"), "kl": None})
    both = table(collect([first, second]))
    assert both.count("| model | updates |") == 2 and "On yelp:" in both and "NLL" not in both.partition("On yelp:")[2]


def test_a_readme_is_written_checked_and_caught(tmp_path):
    readme, text = tmp_path / "README.md", table(collect([store(tmp_path / "a.json")]))
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    with pytest.raises(ValueError, match="line 1 of the table is 'old' and must be 'On ptb"):
        check(readme, text)
    write(readme, text)
    check(readme, text)
    assert readme.read_text().startswith("# Title\n\n") and readme.read_text().endswith("\n\nThe end.\n")
    before = readme.read_text()
    write(readme, text)
    assert readme.read_text() == before
    readme.write_text(before.replace("100.1", "99.1"))
    with pytest.raises(ValueError, match="99.1.*must be.*100.1"):
        check(readme, text)
    readme.write_text(before.replace(END, f"| more |\n{END}"))
    with pytest.raises(ValueError, match="is in no file"):
        check(readme, text)


@pytest.mark.parametrize("content", ["no marks", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}"])
def test_a_readme_without_a_place_is_refused(tmp_path, content):
    (tmp_path / "README.md").write_text(content)
    with pytest.raises(ValueError, match="must hold the lines"):
        check(tmp_path / "README.md", "x")
    with pytest.raises(ValueError, match="there is no"):
        write(tmp_path / "NOTHING.md", "x")


def test_files_that_say_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no figures.json"):
        collect([tmp_path])
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        collect([tmp_path / "a.json"])
    (tmp_path / "a.json").write_text('{"training": {}}')
    with pytest.raises(ValueError, match="holds no evaluation"):
        collect([tmp_path / "a.json"])
    good = store(tmp_path / "b.json")
    with pytest.raises(ValueError, match="two rows would be called 'b'"):
        collect([good, good])


def test_an_unnamed_pipe_in_a_command_stays_in_its_cell(tmp_path):
    piped = store(tmp_path / "a.json", {**MEASURED, "command": "cat x | textae evaluate"})
    assert table(collect([piped])).split("\n")[4].count(" | ") == table(collect([piped])).split("\n")[2].count(" | ") + 0


# --- ours ---------------------------------------------------------------------------------------------------------

STORED = sorted((ROOT / "configs" / "results").glob("*.json"))


def test_the_readme_says_what_the_files_say():
    check(ROOT / "README.md", table(collect([*STORED, ROOT / "textae" / "zoo" / "everyday"])))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_result_can_be_made_again(path):
    stored = json.loads(path.read_text())
    training, evaluation = stored["training"]["command"], stored["evaluation"]["command"]
    assert re.match(r"textae train --config (text/\S+)", training).group(1) in configs()
    assert evaluation.startswith(f"textae evaluate --model runs/{path.stem} --data ") and " --card" in evaluation
    for part in stored.values():
        assert {"date", "seed", "hardware", "versions", "minutes"} <= set(part)


def test_no_remedy_has_collapsed():
    remedies = [row for row in collect(STORED) if row["name"].startswith("ptb_vae_")]
    assert remedies and all(row["evaluation"]["active_units"] > 0 for row in remedies)
