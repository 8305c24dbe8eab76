"""What commands read and write: sentences in from arguments, files or pipes; text, JSON or arrays out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def read_inputs(arguments: list[str] | None, file: Path | None, column: str = "text") -> list[str]:
    """Sentences from the command line, else a file, else standard input, one a line.

    Raises:
        ValueError: Nothing was given, both were, a line is empty, or the input is not UTF-8.
    """
    if arguments and file is not None:
        raise ValueError("give sentences as arguments or with --file, not both")
    if arguments:
        return list(arguments)
    if file is not None:
        from textae.data.corpus import read_files

        return [row["text"] for row in read_files(file, text_column=column)]
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("no sentences: give them as arguments, with --file, or through a pipe")
    data = sys.stdin.buffer.read()
    try:
        # not splitlines(), which also cuts at characters that belong to a sentence, such as U+2028
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n") if data else []
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input is not UTF-8: line {data[: error.start].count(10) + 1} has invalid bytes") from None
    if not lines:
        raise ValueError("standard input is empty: one sentence a line is expected")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise ValueError(f"line {number} of standard input is empty: remove it")
    return lines


def emit(
    rows: list[dict[str, Any]], out: Path | None, as_json: bool, *, text: Callable[[dict[str, Any]], str], arrays: dict[str, Any] | None = None
) -> None:
    """Write rows as text or JSON lines, to the screen or, whole, to a file; a `.npz` file takes `arrays`."""
    if out is not None and out.suffix == ".npz":
        if arrays is None:
            raise ValueError("this command writes text or JSON; only encode writes .npz")
        _write_arrays(out, arrays)
        return
    content = "".join((json.dumps(row, ensure_ascii=False) if as_json else text(row)) + "\n" for row in rows)
    if out is None:
        sys.stdout.write(content)
        return
    from textae.core.files import write_text

    write_text(out, content)


def _write_arrays(out: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    temporary = out.with_name(f".{out.name}.new.npz")
    try:
        np.savez_compressed(temporary, **{name: np.asarray(value) for name, value in arrays.items()})
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"could not write {out}: {error.strerror or error}") from None


def short(value: Any) -> str:
    """A figure for the screen: numbers to four places, anything else as it is."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
