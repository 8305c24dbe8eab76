"""Reading configs: numbers, overrides, references, and messages that name the nearest known thing."""

import pytest

from textae.core.config import (
    arguments,
    build,
    call,
    check_keys,
    choose,
    differences,
    dump_config,
    nearest,
    read_config,
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("trainer: {lr: 1e-3, epochs: 2, betas: [0.9, 0.99]}\nobjective:\n  kl: {weight: 0.5}\n  reconstruction:\n")
    return path


def test_numbers_are_numbers(file):
    config = read_config(file, ["trainer.lr=5e-4", "trainer.progress=false", "name=run 1"])
    assert config["trainer"]["lr"] == 5e-4 and isinstance(config["trainer"]["lr"], float)
    assert read_config(file)["trainer"]["lr"] == 1e-3 and isinstance(read_config(file)["trainer"]["lr"], float)
    assert config["trainer"]["epochs"] == 2 and isinstance(config["trainer"]["epochs"], int)
    assert config["trainer"]["progress"] is False and config["name"] == "run 1"
    assert config["objective"]["reconstruction"] is None


def test_overrides_replace_add_and_merge(file):
    config = read_config(file, ["objective.kl.free_bits=0.2", "objective.kl.weight={schedule: linear, end: 0.3}", "trainer.betas=[0.5,0.6]"])
    assert config["objective"]["kl"] == {"weight": {"schedule": "linear", "end": 0.3}, "free_bits": 0.2}
    assert config["trainer"] == {"lr": 1e-3, "epochs": 2, "betas": [0.5, 0.6]}
    assert read_config(file, ["trainer.lr=1", "trainer.lr=2"])["trainer"]["lr"] == 2  # the last one wins
    assert read_config(file, ["data.path=a=b"])["data"]["path"] == "a=b"


def test_another_schedule_does_not_inherit_the_first_ones_options(file):
    file.write_text("objective:\n  kl:\n    weight: {schedule: linear, end: 0.3, steps: 9}\n    free_bits: 1\nprior: {name: mixture, components: 4}\n")
    steered = {"schedule": "pi", "target": 4}
    for override in ("objective.kl.weight={schedule: pi, target: 4}", "objective.kl={weight: {schedule: pi, target: 4}}"):
        assert read_config(file, [override])["objective"]["kl"] == {"weight": steered, "free_bits": 1}
    same = read_config(file, ["objective.kl={weight: {schedule: linear, end: 0.5}}", "prior={name: flow}"])
    assert same["objective"]["kl"]["weight"] == {"schedule": "linear", "end": 0.5, "steps": 9} and same["prior"] == {"name": "flow"}


def test_references_are_resolved(file):
    file.write_text("a: 3\nb: ${a}\n")
    assert read_config(file) == {"a": 3, "b": 3} and read_config(file, ["a=4"])["b"] == 4
    file.write_text("b: ${missing}\n")
    with pytest.raises(ValueError, match="missing"):
        read_config(file)


@pytest.mark.parametrize("override", ["trainer.lr", "=3", "trainer.lr.deep=3", "a=[1", "a={b"])
def test_malformed_overrides_are_named(file, override):
    with pytest.raises(ValueError, match="override"):
        read_config(file, [override])


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1\n", "a: 1\na: 2\n", "\x00"])
def test_files_that_are_no_config(file, content):
    file.write_text(content)
    with pytest.raises(ValueError, match="run.yaml"):
        read_config(file)


def test_a_missing_file_names_its_neighbours(file):
    with pytest.raises(ValueError, match="no config file.*did you mean 'run.yaml'"):
        read_config(file.with_name("rum.yaml"))
    with pytest.raises(ValueError, match="no config file"):
        read_config("no/such/folder/run.yaml")


def test_missing_values_are_refused(file):
    file.write_text("a: ???\n")
    with pytest.raises(ValueError, match="a"):
        read_config(file)
    assert read_config(file, ["a=1"]) == {"a": 1}


def test_dumped_configs_read_back_the_same(file):
    config = read_config(file)
    file.write_text(dump_config(config))
    assert read_config(file) == config and list(read_config(file)) == list(config)


def test_build_and_call_check_names():
    def make(size, shape="round"):
        return size, shape

    table = {"ball": make}
    assert build(table, {"kind": "ball", "size": 3}, kind="kind", where="toys") == (3, "round")
    for spec, message in [
        ({"kind": "bal"}, "no kind 'bal': did you mean 'ball'"),
        ({"kind": "ball", "sise": 3}, "toys .*no key 'sise': did you mean 'size'"),
        ({"kind": "ball"}, "needs the key 'size'"),
        ({"size": 3}, "toys must be a mapping with a key 'kind'"),
        (None, "toys must be a mapping"),
    ]:
        with pytest.raises(ValueError, match=message):
            build(table, spec, kind="kind", where="toys")
    assert list(arguments(make)) == ["size", "shape"]
    with pytest.raises(ValueError, match="toys has no key 'colour'"):
        call(make, {"size": 1, "colour": 2}, where="toys")


def test_choose_check_keys_and_nearest():
    assert choose({"a": 1}, "a", "letter") == 1
    with pytest.raises(ValueError, match="no letter 'z': Known: a"):
        choose({"a": 1}, "z", "letter")
    check_keys(["a"], ["a", "b"], "here")
    assert nearest("x", []) == "Known: none"


def test_differences_name_dotted_keys():
    old = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert differences(old, {"a": {"b": 1, "c": 2}, "d": [1, 2]}) == []
    assert differences(old, {"a": {"b": 3}, "d": [1], "e": None}) == ["a.b: 1 -> 3", "a.c: 2 -> unset", "d: [1, 2] -> [1]", "e: unset -> None"]
    assert differences({"a": 1}, {"a": {"b": 1}}) == ["a: 1 -> {'b': 1}"]
