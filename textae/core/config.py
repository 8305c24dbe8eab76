"""Configs: YAML in, checked names and arguments out. Nothing here knows what is built."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

IDENTITIES = ("name", "schedule")  # keys by which a mapping says what its other keys are options of


def nearest(name: str, known: Iterable[str]) -> str:
    """The tail of an error message: the nearest known name, then all of them.

    >>> nearest("coslne", ["cosine", "linear"])
    "did you mean 'cosine'? Known: cosine, linear"
    """
    known = sorted(str(k) for k in known)
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}Known: {', '.join(known) or 'none'}"


def check_keys(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise a ValueError that names the first key of `given` that is not in `known`."""
    known = list(known)
    for key in given:
        if key not in known:
            raise ValueError(f"{where} has no key {key!r}: {nearest(key, known)}")


def check_counts(where: str, **counts: int) -> None:
    """Raise a ValueError that names the first of `counts` that is no whole number of at least 1."""
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"{where}: {name} is {count!r}; it must be a whole number of at least 1")


def choose(table: Mapping[str, Any], name: str, kind: str) -> Any:
    """The entry of a table, or a ValueError that lists what exists."""
    if name not in table:
        raise ValueError(f"there is no {kind} {name!r}: {nearest(name, table)}")
    return table[name]


def arguments(target: Callable) -> dict[str, inspect.Parameter]:
    """The named parameters of a class or function, in order."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {n: p for n, p in inspect.signature(target).parameters.items() if p.kind in kinds and n != "self"}


def build(table: Mapping[str, Callable], spec: Mapping[str, Any] | str, *, kind: str, where: str) -> Any:
    """Call the entry that `spec[kind]` names with the rest of `spec` as its arguments.

    Args:
        table: Name to class or function.
        spec: `{kind: name, argument: value, ...}`, or the bare name.
        kind: The key that holds the name, and the word for it in errors.
        where: The place in the config, for errors.

    Raises:
        ValueError: Unknown name, unknown or missing argument, or a value the target refuses.
    """
    if isinstance(spec, str):
        spec = {kind: spec}
    if not isinstance(spec, Mapping) or kind not in spec:
        raise ValueError(f"{where} must be a mapping with a key {kind!r}; got {spec!r}")
    target = choose(table, spec[kind], kind)
    return call(target, {k: v for k, v in spec.items() if k != kind}, where=f"{where} ({kind} {spec[kind]!r})")


def call(target: Callable, options: Mapping[str, Any], where: str) -> Any:
    """Call `target(**options)` after checking the names of its arguments."""
    if not isinstance(options, Mapping):
        raise ValueError(f"{where} must hold keys and values; got {options!r}")
    known = arguments(target)
    check_keys(options, known, where)
    for name, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            raise ValueError(f"{where} needs the key {name!r}")
    try:
        return target(**options)
    except TypeError as error:  # a value of a type that its checks could not even compare
        raise ValueError(f"{where}: {error}") from None


def _make_room(new: Any, old: Any) -> bool:
    """Empty each mapping of `old` in whose place `new` puts another thing; whether `old` itself is one."""
    if not (isinstance(new, Mapping) and isinstance(old, MutableMapping)):
        return False
    if any(key in new and key in old and new[key] != old[key] for key in IDENTITIES):
        return True
    for key in [key for key in new if key in old and _make_room(new[key], old[key])]:
        del old[key]
    return False


def read_config(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a YAML file, apply `key.sub=value` overrides and resolve `${...}` references.

    OmegaConf reads `1e-3` as a number, which PyYAML does not.

    Raises:
        ValueError: The file is missing, is not YAML or not a mapping, or an override is malformed or names a key
            below a plain value. Sections that do not exist are made: whoever builds from them knows their names.

    Keys and values in braces join those that stand there, but where they name another thing: another schedule's options are not its own.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = Path(path)
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise ValueError(f"no config file {str(path)!r}: {nearest(path.name, near)}")
    try:
        tree = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not OmegaConf.is_dict(tree):
        raise ValueError(f"{path} must hold a mapping of sections, such as 'model:' and 'data:'")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ValueError(f"override {override!r} must look like objective.kl.free_bits=0.2")
        try:
            parts = key.split(".")
            for depth in range(1, len(parts)):  # OmegaConf would replace the value by a section and say nothing
                above = OmegaConf.select(tree, ".".join(parts[:depth]))
                if above is not None and not OmegaConf.is_config(above):
                    raise TypeError(f"{'.'.join(parts[:depth])} is {above!r} and has no keys")
            parsed = OmegaConf.from_dotlist([f"value={value}"])["value"]
            OmegaConf.update(tree, key, parsed, merge=not _make_room(parsed, OmegaConf.select(tree, key)), force_add=True)
        except (YAMLError, OmegaConfBaseException, TypeError) as error:
            raise ValueError(f"override {override!r} cannot be applied: {' '.join(str(error).split())}") from None
    try:
        return OmegaConf.to_container(tree, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def dump_config(config: Mapping[str, Any]) -> str:
    """The config as YAML text, keys in their order."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Dotted keys whose values differ between two configs, as `key: old -> new`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = []
        for key in [*old, *(k for k in new if k not in old)]:
            found += differences(old.get(key, "unset"), new.get(key, "unset"), f"{prefix}.{key}" if prefix else str(key))
        return found
    return [] if old == new else [f"{prefix}: {old} -> {new}"]
