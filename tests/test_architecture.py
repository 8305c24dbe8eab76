"""Who may import whom, over the syntax trees; and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("textae", "vision", "apps")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST = 450  # lines; past 300 ask which second idea moved in


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Modules of ours that a file imports or names in a string such as "textae.models.rnn", anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, line {node.lineno}"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.replace(".", "").isidentifier():
            found |= {node.value} if "." in node.value else set()
    return {m for m in found if m.split(".")[0] in PACKAGES}


def inside(module, package):
    return module == package or module.startswith(f"{package}.")


def allowed(importer, module):
    if inside(importer, "apps"):
        return True
    if inside(importer, "textae.core"):
        return inside(module, "textae.core") or module == "textae"  # `from textae import core` names both
    if inside(importer, "vision"):
        return inside(module, "vision") or inside(module, "textae.core")
    return inside(module, "textae")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_keep_to_the_street(path):
    wrong = sorted(m for m in imported(path) if not allowed(name_of(path), m))
    assert not wrong, f"{path} imports {', '.join(wrong)}; see the street in ARCHITECTURE: apps → vision → textae.core ← textae"


def test_the_street_would_be_noticed():
    assert not allowed("textae.core.space", "textae.models.rnn") and not allowed("vision.models.mlp", "textae.data")
    assert not allowed("textae.data.corpus", "vision") and not allowed("textae.space", "apps.run")
    assert allowed("vision.models.mlp", "textae.core.latent") and allowed("apps.run", "vision.models")
    assert len(FILES) > 25


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_file_says_what_room_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{path} has {lines} lines: which second idea moved in?"


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package):
    code = f"import sys, {package}; print(sorted({{'torch', 'transformers', 'datasets', 'gradio', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_public_names_exist():
    import textae

    for name in textae.__all__:
        assert getattr(textae, name).__name__ == name and name in dir(textae)
    with pytest.raises(AttributeError, match="no attribute 'LatentSpac'"):
        textae.LatentSpac  # noqa: B018
