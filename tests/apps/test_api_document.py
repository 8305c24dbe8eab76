"""What `apps/API.md` shows runs as it stands, against a page of this machine; and it names every endpoint."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from gradio_client import Client

DOCUMENT = (Path(__file__).resolve().parents[2] / "apps" / "API.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860/"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_python_runs(address, capsys):
    code = "\n".join(blocks("python"))
    assert ADDRESS in code
    names = {}
    exec(compile(code.replace(ADDRESS, address), "API.md", "exec"), names)
    shown = capsys.readouterr().out
    assert "100%" in shown and names["editing"] == ["told"] and len(names["many"]) == 2 and len(names["digit"]) == 28


def test_the_shell_runs(address):
    (code,) = blocks("bash")
    run = subprocess.run(["bash", "-c", code.replace(ADDRESS, address).replace("everyday", "tiny")], capture_output=True, text=True, timeout=120)
    data = next(line.removeprefix("data: ") for line in run.stdout.splitlines() if line.startswith("data: "))
    assert "event: complete" in run.stdout and len(json.loads(data)[0]) == 3, run.stdout + run.stderr


def test_every_endpoint_is_listed(address):
    client = Client(address, verbose=False, analytics_enabled=False)
    named = set(client.view_api(return_format="dict", print_info=False)["named_endpoints"])
    listed = set(re.findall(r"`(/[a-z_]+)`", DOCUMENT.split("## Endpoints")[1].split("## Limits")[0]))
    assert named <= listed
    assert all(name.startswith("/digit_") for name in listed - named)  # of models that do not stand on this shelf


def test_every_endpoint_has_types_and_words(address):
    client = Client(address, verbose=False, analytics_enabled=False)
    for name, info in client.view_api(return_format="dict", print_info=False)["named_endpoints"].items():
        assert info["description"], name
        for parameter in info["parameters"]:
            assert parameter["type"], (name, parameter)
        if name not in ("/models", "/digit_samples", "/digit_interpolate", "/digit_denoise", "/digit_anomaly"):
            assert any(p["parameter_name"] == "model" and p["parameter_has_default"] for p in info["parameters"]), name


@pytest.mark.parametrize("number", ["64 at once", "1,000", "200 sentences", "10 requests a second, 100 at once", "4 MB, an upload 10 MB"])
def test_the_numbers_are_those_of_the_code(number):
    from apps.demo import BURST, MAX_UPLOAD
    from apps.door import MAX_BODY, RATE
    from apps.editing import MAX_ROWS
    from apps.endpoints.text import MAX_ENCODED
    from apps.space.bulk import MAX_NUM

    said = [
        f"{MAX_ENCODED} at once", f"{MAX_NUM:,}", f"{MAX_ROWS} sentences", f"{RATE:g} requests a second, {RATE * BURST:g} at once",
        f"{MAX_BODY // 2**20} MB, an upload {MAX_UPLOAD[:-2]} MB",
    ]  # fmt: skip
    assert number in said and number in DOCUMENT
