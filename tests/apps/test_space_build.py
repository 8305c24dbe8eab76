"""The folder of a Space: whole or absent, complete, started from where it lies; and its upload to a Hub that answers over HTTP.

TEXTAE_SPACE_PYTHON may name the interpreter of a fresh environment, made from the folder's own `requirements.txt` and Gradio.
"""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from apps.catalog import ZOOS, models
from apps.space import build as building
from apps.space.build import MARK, build, build_static, kind_of
from apps.space.push import push
from textae.core.catalog import find_checkpoint


@pytest.fixture(scope="module")
def space(tmp_path_factory, told_folder):
    return build(tmp_path_factory.mktemp("space") / "mine", [str(told_folder)], hardware="cpu-basic")


def front_matter(folder: Path) -> dict:
    return yaml.safe_load(folder.joinpath("README.md").read_text().split("---")[1])


def test_a_space_is_complete(space):
    front = front_matter(space)
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py" and re.fullmatch(r"6\.\d+\.\d+", front["sdk_version"])
    assert front["python_version"] == "3.12.12" and len(front["short_description"]) <= 60
    needed = (space / "requirements.txt").read_text().splitlines()
    for name in ("torch", "transformers", "pillow", "safetensors"):
        assert any(line.startswith(name) for line in needed), name
    assert not any(line.startswith(("gradio", "textae")) for line in needed)
    for name in models():
        assert any((space / zoo / "zoo" / name / "model.safetensors").is_file() for zoo in ("textae", "vision")), name
    assert (space / "models" / "told" / "readers").is_dir()
    assert kind_of(space) == "gradio"
    assert not list(space.rglob("__pycache__")) and not list(space.rglob("*.pyc"))
    compile((space / "app.py").read_text(), "app.py", "exec")


def test_zero_gpu_gets_a_torch_that_it_runs():
    assert "torch>=2.8,<2.12\n" in building.requirements("zero-a10g")


def test_hub_models_are_fetched_when_the_space_is_built(tmp_path, told_folder, monkeypatch):
    known = {**{name: find_checkpoint(name, ZOOS) for name in models()}, "someone/model": told_folder}
    monkeypatch.setattr(building, "find_checkpoint", lambda name, zoos: known[name])  # the Hub, without asking it
    space = build(tmp_path / "s", ["someone/model"])
    front = front_matter(space)
    assert front["preload_from_hub"] == ["someone/model"] == front["models"] and front["suggested_hardware"] == "zero-a10g"
    assert not (space / "models").exists() and '["someone/model"]' in (space / "app.py").read_text()


def test_what_is_there_is_not_touched(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    for target, message in ((tmp_path / "other", "holds other files"), (tmp_path / "other" / "letter.txt", "is a file")):
        with pytest.raises(ValueError, match=message):
            build(target)
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["letter.txt"]


def test_a_space_that_fails_leaves_the_old_one(tmp_path, told_folder):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / MARK).write_text('{"kind": "gradio"}')
    with pytest.raises(ValueError, match="the title must be"):
        build(tmp_path / "s", title='a "title"')
    assert [p.name for p in tmp_path.iterdir()] == ["s"] and [p.name for p in (tmp_path / "s").iterdir()] == [MARK]
    with pytest.raises(ValueError, match="there is no model"):
        build(tmp_path / "s", ["nothing-of-that-name"])
    with pytest.raises(ValueError, match="hardware"):
        build(tmp_path / "s", hardware="abacus")


def test_only_a_space_is_pushed(tmp_path):
    with pytest.raises(ValueError, match="is no Space of ours"):
        push("someone/x", tmp_path, token="t")


# --- the upload -----------------------------------------------------------------------------------------------


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload of small files asks for."""

    def do_GET(self):
        self.server.asked.append(("GET", self.path))
        if self.headers.get("authorization") != "Bearer right":
            return self._answer({"error": "no"}, 401)
        if "/tree/" in self.path:
            return self._answer([{"type": "file", "path": "stale.txt", "size": 1, "oid": "0"}])
        self._answer({"id": "someone/page", "sha": "0" * 40, "siblings": [{"rfilename": "stale.txt"}], "private": False})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(("POST", self.path))
        if self.headers.get("authorization") != "Bearer right":
            return self._answer({"error": "no"}, 401)
        if self.path.endswith("/preupload/main"):
            files = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]]
            return self._answer({"files": files})
        if self.path.endswith("/commit/main"):
            self.server.commit = [json.loads(line) for line in body.splitlines()]
            return self._answer({"success": True, "commitUrl": "https://huggingface.co/spaces/someone/page/commit/1", "commitOid": "1" * 40, "hookOutput": ""})
        if self.path.endswith("/repos/create"):
            self.server.created = json.loads(body)
            return self._answer({"url": "https://huggingface.co/spaces/someone/page", "name": "someone/page", "id": "1"})
        self._answer({})

    def _answer(self, content, status=200):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # the only host asked is this one
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.commit, server.created = [], [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / MARK).write_text('{"kind": "static"}')
    (folder / "index.html").write_text("<p>hello</p>")
    return folder


def test_push_creates_the_space_and_uploads_every_file(hub, small):
    assert push("someone/page", small, private=True, token="right", endpoint=hub.address).endswith("spaces/someone/page")
    assert hub.created["type"] == "space" and hub.created["sdk"] == "static" and hub.created["name"] == "page"
    files = {op["value"]["path"]: op["value"] for op in hub.commit if op["key"] == "file"}
    assert base64.b64decode(files["index.html"]["content"]) == b"<p>hello</p>" and MARK in files
    assert [op["value"]["path"] for op in hub.commit if op["key"] == "deletedFile"] == ["stale.txt"]


def test_push_says_what_is_wrong(hub, small, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="refuses to write 'someone/page' with this token"):
        push("someone/page", small, token="wrong", endpoint=hub.address)
    with pytest.raises(ValueError, match="no name of a Space: give ORG/NAME"):
        push("page", small, token="right", endpoint=hub.address)
    with pytest.raises(ValueError, match="no name of a Space"):
        push("some one/p..age", small, token="right", endpoint=hub.address)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ValueError, match="the Hub cannot be reached"):
            push("someone/page", small, token="right", endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ValueError, match="no token of the Hugging Face Hub was found"):
        push("someone/page", small)


# --- started from its folder ----------------------------------------------------------------------------------


def test_a_static_space_is_a_page_of_its_own(tmp_path):
    space = build_static(tmp_path / "static")
    front = front_matter(space)
    assert front["sdk"] == "static" and front["app_file"] == "index.html" and kind_of(space) == "static"
    page = (space / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?https?:""", page)


@pytest.mark.browser
def test_a_static_space_opens_and_asks_nobody(tmp_path, browser):
    space, problems = build_static(tmp_path / "static"), []
    handler = partial(SimpleHTTPRequestHandler, directory=str(space))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        page = browser.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" and "favicon" not in m.location.get("url", "") else None)
        page.on("pageerror", lambda e: problems.append(str(e)))
        page.on("request", lambda r: problems.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
        page.goto(address, timeout=60_000)
        page.locator(".playground canvas").first.wait_for(state="attached", timeout=60_000)
        assert page.locator(".digits canvas").count() > 0
        page.wait_for_timeout(1000)
        page.close()
        server.shutdown()
    assert problems == []


@pytest.mark.slow
def test_a_space_starts_from_its_folder(space):
    """In the folder, with nothing of this repository on the path; answers a decode and a bulk draw."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TEXTAE_DATA")}
    env = {**kept, "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    python = os.environ.get("TEXTAE_SPACE_PYTHON", sys.executable)
    where = subprocess.run([python, "-c", "import apps.demo; print(apps.demo.__file__)"], cwd=space, env=env, capture_output=True, text=True)
    assert where.returncode == 0, where.stderr
    assert Path(where.stdout.strip().splitlines()[-1]).is_relative_to(space)
    server = subprocess.Popen([python, "app.py"], cwd=space, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{port}/"
        for _ in range(240):
            if server.poll() is not None:
                pytest.fail(server.stderr.read())
            try:
                if httpx.get(f"{address}config", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.5)
        from gradio_client import Client

        client = Client(address, verbose=False, analytics_enabled=False)
        assert client.predict(api_name="/models")[0]["name"] == "told"
        assert client.predict("I see tea.", api_name="/reconstruct")["reconstruction"]
        assert len(client.predict(100, api_name="/sample_many")) == 100
    finally:
        server.terminate()
        server.wait(30)
