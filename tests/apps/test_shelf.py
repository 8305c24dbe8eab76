"""The models that a page may open: their names, their order, and nothing else."""

import threading

import pytest

from apps.shelf import Shelf


def test_given_models_come_first_and_bundled_ones_stand_beside_them(told_folder):
    shelf = Shelf([str(told_folder)], "cpu")
    assert shelf.names("text")[:2] == ["told", "everyday"] and "mnist-vae" in shelf.names("images")
    assert not any("/" in name for kind in ("text", "images") for name in shelf.names(kind))  # no visitor learns where files lie


def test_folders_of_one_name_are_told_apart(told_folder, tmp_path):
    import shutil

    for run in ("a", "b"):
        shutil.copytree(told_folder, tmp_path / run / "told")
    shutil.copytree(told_folder, tmp_path / "mine" / "model")
    shelf = Shelf([str(tmp_path / "a" / "told"), str(tmp_path / "b" / "told"), str(tmp_path / "mine" / "model")], "cpu", bundled=False)
    assert shelf.names("text") == ["told", "told-2", "mine"]
    assert shelf.open("told-2").folder == tmp_path / "b" / "told" and shelf.open("told-2").name == "told-2"


def test_nothing_else_is_opened(told_folder, tiny_space):
    shelf = Shelf([str(told_folder)], "cpu", {"tiny": tiny_space}, bundled=False)
    for name in (str(told_folder), "someone/model", "mnist-vae", "", None, ["told"], "../told"):
        with pytest.raises(ValueError, match="there is no model"):
            shelf.open(name)
    with pytest.raises(ValueError, match="there is no model"):
        shelf.open("told", "images")


def test_two_visitors_at_once_load_a_model_once(told_folder):
    shelf, found = Shelf([str(told_folder)], "cpu", bundled=False), []
    threads = [threading.Thread(target=lambda: found.append(shelf.open("told"))) for _ in range(4)]
    assert not shelf.is_open("told")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(space) for space in found}) == 1 and shelf.is_open("told")


def test_a_summary_is_the_same_before_and_after_loading(told_folder):
    shelf = Shelf([str(told_folder)], "cpu", bundled=False)
    before = shelf.summary("told")
    shelf.open("told")
    assert shelf.summary("told") == before
    assert before["attributes"] == {"tense": ["past", "present"], "sentiment": ["negative", "positive"]} and before["edits"]
