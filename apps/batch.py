"""Lists of sentences that a visitor pastes or uploads: how they are read, shown while they are worked on, and given back.

Nothing is written: results go to the browser, which makes the file.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from apps.editing import MAX_ROWS
from apps.limits import MAX_CHARS, check_sentence
from apps.page_style import changed, text
from textae.editing import Edit

MAX_FILE = 2**20  # bytes; two hundred sentences have a tenth of it
MAX_SHOWN = 50  # rows of the table while it grows
COLUMNS = ("text", "sentence")  # of tables; where neither is there, the first column


def gather(pasted: str, file: str | None) -> list[str]:
    """The sentences of a visitor's list.

    Args:
        pasted: One a line; empty lines are left out.
        file: Path of an upload, which counts where nothing is pasted.

    Raises:
        ValueError: There are none or too many, one is no sentence, or the file cannot be read.
    """
    if not isinstance(pasted, str):
        raise ValueError("the list must be text, one sentence a line")
    if pasted.strip() and file:
        raise ValueError("there are pasted sentences and a file: empty the box, or remove the file")
    if pasted.strip():
        lines = [line.strip() for line in pasted[: MAX_ROWS * (MAX_CHARS + 2) + 1].split("\n") if line.strip()]
        where = "line"
    elif file:
        lines, where = read_upload(Path(file)), "row"
    else:
        raise ValueError("there is nothing to edit: paste sentences, one a line, or give a file")
    if len(lines) > MAX_ROWS:
        raise ValueError(f"there are {len(lines):,} sentences; this page takes at most {MAX_ROWS} at once, textae edit --file any number")
    return [check_sentence(line, f"{where} {i}") for i, line in enumerate(lines, 1)]


def read_upload(path: Path) -> list[str]:
    """Sentences of an uploaded .txt, .csv or .jsonl file, at most one more than `MAX_ROWS`.

    Raises:
        ValueError: It is too large, of another kind, not UTF-8, or not what its name says; never shows where it lies.
    """
    kind, name = path.suffix.lower(), path.name[:80]
    if kind not in (".txt", ".csv", ".jsonl"):
        raise ValueError(f"{name}: a file must end in .txt, .csv or .jsonl")
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"{name} has {path.stat().st_size / 2**20:.1f} MB; this page takes at most {MAX_FILE // 2**20} MB")
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8 text: save it as UTF-8") from None
    if "\0" in content:
        raise ValueError(f"{name} is no text: it holds zero bytes")
    rows = {".txt": _lines, ".csv": _csv, ".jsonl": _jsonl}[kind](content, name)
    if not rows:
        raise ValueError(f"{name} has no sentences")
    return rows


def _lines(content: str, name: str) -> list[str]:
    return [line.strip() for line in content.split("\n") if line.strip()][: MAX_ROWS + 1]


def _csv(content: str, name: str) -> list[str]:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        header = next(reader, [])
        column = next((header.index(c) for c in COLUMNS if c in header), 0)
        found = []
        for number, row in enumerate(reader, 2):
            if not row:
                continue
            if column >= len(row):
                raise ValueError(f"{name}, row {number} has {len(row)} columns where the header has {len(header)}")
            found.append(row[column])
            if len(found) > MAX_ROWS:
                break
    except csv.Error as error:
        raise ValueError(f"{name} is no CSV: {error}") from None
    return found


def _jsonl(content: str, name: str) -> list[str]:
    found = []
    for number, line in enumerate(_lines(content, name), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(f"{name}, line {number} is no JSON") from None
        if isinstance(row, dict):
            row = next((row[c] for c in COLUMNS if c in row), None)
        if not isinstance(row, str):
            raise ValueError(f'{name}, line {number} must be a string, or look like {{"text": "..."}}')
        found.append(row)
    return found


def progress_bar(done: int, total: int, words: str = "") -> str:
    """How far a list is, as HTML."""
    words = words or (f"{done} of {total} sentences" if total else "Nothing has been edited yet.")
    return f'<p class="ta-progress"><progress max="{max(1, total)}" value="{done}" aria-label="Progress"></progress> <span role="status">{escape(words)}</span></p>'


def results_table(found: Sequence[Edit]) -> str:
    """Edits as a table."""
    rows = "".join(
        f'<tr><td class="ta-s">{text(e.source)}</td><td class="ta-s">{changed(e.text, e.source)}'
        f'{f"<br><span class=ta-note>{escape(e.reason)}</span>" if e.reason else ""}</td></tr>'
        for e in found
    )
    return (
        '<div class="ta-card ta-scroll" tabindex="0" role="region" aria-label="Edits"><table class="ta-steps"><thead><tr><th scope="col">Sentence</th>'
        f'<th scope="col">Edit</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def outputs(found: Sequence[Edit]) -> dict[str, str]:
    """Edits as the text of a .csv and of a .jsonl file."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["source", "text", "changed", "reached", "reason"])
    for e in found:
        writer.writerow([_cell(e.source), _cell(e.text), e.changed, "" if e.reached is None else e.reached, e.reason])
    lines = "".join(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in found)
    return {"csv": "\ufeff" + table.getvalue(), "jsonl": lines}


def _cell(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + value if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
