"""`textae results`: the table of results, made of the files that training and evaluation wrote, and held against the README's."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textae.core.card import FIGURES
from textae.core.files import write_text

BEGIN, END = "<!-- results -->", "<!-- end of results -->"

# figure of an evaluation: what the table calls it, and how it writes it
COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "nll": ("NLL", "{:.1f}".format),
    "ppl": ("PPL", "{:.1f}".format),
    "elbo_nll": ("-ELBO", "{:.1f}".format),
    "kl": ("KL", "{:.2f}".format),
    "mi": ("MI", "{:.2f}".format),
    "active_units": ("AU", "{:d}".format),
    "unknown_tokens": ("unknown %", "{:.1f}".format),
    "bleu": ("BLEU", "{:.1f}".format),
    "exact_match": ("exact %", "{:.1f}".format),
    "forward_ratio": ("forward ×", "{:.2f}".format),
    "forward_spelled_ratio": ("forward, spelled ×", "{:.2f}".format),
    "reverse_ratio": ("reverse ×", "{:.2f}".format),
    "drawn_forward_ratio": ("drawn: forward ×", "{:.2f}".format),
    "drawn_reverse_ratio": ("drawn: reverse ×", "{:.2f}".format),
    "lm_forward_ratio": ("LM forward ×", "{:.2f}".format),
    "lm_reverse_ratio": ("LM reverse ×", "{:.2f}".format),
    "copied": ("copied %", lambda share: f"{100 * share:.1f}"),
}
NONE = "–"


def collect(sources: Sequence[str | Path]) -> list[dict[str, Any]]:
    """One row for each model, in the order given.

    Args:
        sources: Folders of runs or of their models, or files that were copied from a `figures.json`, whose name is then the model's.

    Returns:
        `name`, `training` and `evaluation` as in `figures.json`.

    Raises:
        ValueError: There is no such file, it is damaged, nothing was evaluated, or two rows have one name.
    """
    rows = []
    for source in map(Path, sources):
        path = find(source)
        try:
            figures = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(figures, dict):
                raise ValueError("no mapping")
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        if "evaluation" not in figures:
            raise ValueError(f"{path} holds no evaluation: run textae evaluate --model {source} --data NAME --card first")
        rows.append({"name": _name(path), "training": figures.get("training", {}), "evaluation": figures["evaluation"]})
    names = [row["name"] for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two rows would be called {twice[0]!r}: give each model once, under a name of its own")
    return rows


def find(source: Path) -> Path:
    """The figures of a run, of a model, or the file itself.

    Raises:
        ValueError: There are none.
    """
    path = next((p for p in (source, source / FIGURES, source / "model" / FIGURES) if p.is_file()), None)
    if path is None:
        raise ValueError(f"{str(source)!r} has no {FIGURES}: give a run, its model, or such a file, as `textae evaluate --card` writes it")
    return path


def _name(path: Path) -> str:
    """Of a copied file its own, of a model's file that of the run or the model."""
    if path.name != FIGURES:
        return path.stem
    folder = path.absolute().parent
    return folder.parent.name if folder.name == "model" else folder.name


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows in Markdown, for each thing that was measured on: the figures that any of its rows has, and folded below how each row was made."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row["evaluation"].get("on", "unnamed data")), []).append(row)
    return "\n\n".join(
        f"On {on}:\n\n{_figures(group)}\n\n<details><summary>How each row was made</summary>\n\n{_origins(group)}\n\n</details>" for on, group in groups.items()
    )


def _figures(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = {key: column for key, column in COLUMNS.items() if any(_number(row["evaluation"].get(key)) for row in rows)}
    lines = [["model", *(name for name, _ in shown.values()), "draws"], ["---", *["---:"] * (len(shown) + 1)]]
    for row in rows:
        evaluation = row["evaluation"]
        figures = [write(evaluation[key]) if _number(evaluation.get(key)) else NONE for key, (_, write) in shown.items()]
        lines.append([row["name"], *figures, str(evaluation.get("samples", NONE)) if _number(evaluation.get("nll")) else NONE])
    return _markdown(lines)


def _origins(rows: Sequence[Mapping[str, Any]]) -> str:
    """The commands that trained and evaluated, and their circumstances: once where both have the same, else one after the other."""
    lines = [["model", "updates", "trained and evaluated by", "seed", "date", "hardware", "minutes"], ["---", "---:", "---", "---:", "---", "---", "---:"]]
    for row in rows:
        training, evaluation = row["training"], row["evaluation"]
        both = [[part[key] for part in (training, evaluation) if key in part] for key in ("command", "seed", "date", "hardware", "minutes")]
        commands, seeds, dates, machines, minutes = both
        lines.append([
            row["name"], _count(training.get("updates", training.get("step"))), "; ".join(f"`{c}`" for c in commands) or NONE,
            *("; ".join(dict.fromkeys(map(str, values))) or NONE for values in (seeds, dates, machines)), " + ".join(map(str, minutes)) or NONE,
        ])  # fmt: skip
    return _markdown(lines)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _count(value: Any) -> str:
    return f"{value:,}" if _number(value) else NONE


def _number(value: Any) -> bool:
    """Whether a figure is there; a bound that does not exist is stored as none or as NaN."""
    return isinstance(value, int | float) and value == value


def _block(readme: Path) -> tuple[str, str, str]:
    """A file before its table, the table, and what follows.

    Raises:
        ValueError: There is no file, or it does not hold the two marks, once each and in their order.
    """
    if not readme.is_file():
        raise ValueError(f"there is no {readme}")
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    shown, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise ValueError(f"{readme} must hold the lines {BEGIN} and {END} once each, with the table between them")
    return before + begin, shown.strip("\n"), end + after


def check(readme: Path, text: str) -> None:
    """Nothing, if the table in a file is what the figures say.

    Raises:
        ValueError: It is another; the message shows the first line that differs.
    """
    found, wanted = _block(readme)[1].split("\n"), text.split("\n")
    for number, line in enumerate(wanted):
        if number >= len(found) or found[number] != line:
            said = repr(found[number]) if number < len(found) else "nothing"
            raise ValueError(f"the results in {readme} are not what the files say: line {number + 1} of the table is {said} and must be {line!r}")
    if len(found) > len(wanted):
        raise ValueError(f"the results in {readme} are not what the files say: line {len(wanted) + 1} of the table, {found[len(wanted)]!r}, is in no file")


def write(readme: Path, text: str) -> None:
    """Put a table in the place of the one in a file; raises as `check` does where there is no place."""
    before, _, after = _block(readme)
    write_text(readme, f"{before}\n{text}\n{after}")
