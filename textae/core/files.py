"""Folders that are either whole or absent: written under a temporary name, then renamed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


@contextmanager
def whole_folder(final: str | Path) -> Iterator[Path]:
    """Give a temporary folder to write into; put it in `final`'s place only when the block ends well.

    A `final` that exists is kept until the new one is complete. A kill between the two renames leaves it under a
    hidden name, and `recover` puts it back.

    Raises:
        OSError: Writing failed (a full disk, say); says so in a sentence, and `final` is as it was.
    """
    final = Path(final)
    temporary, old = _beside(final, "new"), _beside(final, "old")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                path.chmod(0o644)  # safetensors are born private to the user who saved them
                with path.open("rb") as file:
                    os.fsync(file.fileno())
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError | SafetensorError) and _is_disk_error(error):
            kept = "; what was saved before is untouched" if final.exists() else ""
            raise OSError(f"could not save {final}: {_reason(error)}{kept}") from None
        raise
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    temporary.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def recover(final: str | Path) -> None:
    """Undo a replacement that was killed half-way: put the old folder back where the new one never arrived."""
    final = Path(final)
    old = _beside(final, "old")
    if old.is_dir() and not final.exists():
        old.rename(final)


def write_text(path: str | Path, text: str) -> None:
    """Write a file as a whole: readers see the old text or the new, never a part."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"could not write {path}: {_reason(error)}") from None


def _beside(final: Path, what: str) -> Path:
    final = Path(os.path.abspath(final))  # "." has no name of its own
    return final.with_name(f".{final.name}.{what}")


def _is_disk_error(error: Exception) -> bool:
    return isinstance(error, SafetensorError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
