"""Folders are whole or absent, whatever goes wrong while they are written."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from textae.core.files import recover, whole_folder, write_text


def fill(folder, text):
    with whole_folder(folder) as new:
        (new / "a").write_text(text)
        (new / "sub").mkdir()
        (new / "sub" / "b").write_text(text)


def content(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_appears_whole_and_replaces_the_old(tmp_path):
    final = tmp_path / "deep" / "model"
    fill(final, "one")
    assert content(final) == {"a": "one", "sub/b": "one"}
    (final / "stale").write_text("gone with the old folder")
    fill(final, "two")
    assert content(final) == {"a": "two", "sub/b": "two"}
    assert [p.name for p in final.parent.iterdir()] == ["model"]  # nothing temporary stays


def test_it_is_invisible_until_complete(tmp_path):
    with whole_folder(tmp_path / "model") as new:
        (new / "a").write_text("x")
        assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_inside_leaves_the_old(tmp_path, error):
    final = tmp_path / "model"
    fill(final, "one")
    with pytest.raises(error), whole_folder(final) as new:
        (new / "a").write_text("two")
        raise error("half-way")
    assert content(final) == {"a": "one", "sub/b": "one"}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_leftovers_of_a_kill_are_replaced(tmp_path):
    (tmp_path / ".model.new").mkdir()
    (tmp_path / ".model.new" / "half").write_text("of a killed run")
    fill(tmp_path / "model", "one")
    assert "half" not in content(tmp_path / "model")


def test_recover_puts_the_old_back_only_where_the_new_never_arrived(tmp_path):
    final = tmp_path / "model"
    fill(final, "one")
    final.rename(tmp_path / ".model.old")  # a kill between the two renames
    recover(final)
    assert content(final)["a"] == "one" and not (tmp_path / ".model.old").exists()
    fill(tmp_path / ".model.old", "stale")
    recover(final)
    assert content(final)["a"] == "one"
    recover(tmp_path / "never")  # nothing to do, nothing said
    assert not (tmp_path / "never").exists()


def test_files_are_readable_by_others(tmp_path):
    with whole_folder(tmp_path / "model") as new:
        (new / "weights").write_text("x")
        (new / "weights").chmod(0o600)
    assert (tmp_path / "model" / "weights").stat().st_mode & 0o777 == 0o644


def test_an_error_of_the_disk_is_said_in_a_sentence(tmp_path):
    fill(tmp_path / "model", "one")
    with pytest.raises(OSError, match="could not save .*model: No space left.*untouched"), whole_folder(tmp_path / "model"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "model"):  # a mistake of ours is not blamed on the disk
        (tmp_path / "missing").read_text()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_checkpoint(small_disk, processor, new_model):
    from textae.core.space import LatentSpace

    final = small_disk / "model"
    LatentSpace(new_model(processor), processor).save_pretrained(final)
    before = {p.name: p.read_bytes() for p in final.iterdir()}
    assert before
    with pytest.raises(OSError, match="could not save .*; what was saved before is untouched"):
        LatentSpace(new_model(processor, hidden_dim=200), processor).save_pretrained(final)
    assert {p.name: p.read_bytes() for p in final.iterdir()} == before
    assert [p.name for p in small_disk.iterdir()] == ["model"]


def test_write_text_replaces_as_a_whole(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "one")
    write_text(path, "zwei é")
    assert path.read_text(encoding="utf-8") == "zwei é" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(OSError, match="could not write .*b.json"):
        write_text(Path(tmp_path / "none" / "b.json"), "x")
