"""What stands before the server: rates by address, sizes, links in place of files, and paths outside the folder of uploads."""

import asyncio
import json
import time

import gradio as gr
import httpx
import pytest

from apps.demo import MAX_UPLOAD, launch
from apps.door import MAX_ADDRESSES, MAX_BODY, MAX_UPLOAD_BODY, Buckets, Door


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_empties_and_fills_again():
    clock = Clock()
    buckets = Buckets(2, 3, clock)
    assert [buckets.wait("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.wait("a") == pytest.approx(0.5) and buckets.wait("b") == 0
    clock.now = 0.5
    assert buckets.wait("a") == 0 and buckets.wait("a") > 0
    clock.now = 100
    assert [buckets.wait("a") for _ in range(3)] == [0, 0, 0] and buckets.wait("a") > 0  # never more than a full bucket


def test_buckets_of_many_addresses_stay_few_and_the_busy_ones_stay_empty():
    clock = Clock()
    buckets = Buckets(1, 2, clock)
    for i in range(3 * MAX_ADDRESSES):
        clock.now += 1e-6
        buckets.wait(str(i))
        if i % 1000 == 0:
            while not buckets.wait("busy"):
                pass
    assert len(buckets._levels) <= MAX_ADDRESSES + 1 and buckets.wait("busy") > 0


def ask(door, headers=(), body=b"{}", client="1.2.3.4", method="POST", path="/gradio_api/queue/join"):
    """Status, headers and body of one request to a door."""
    scope = {"type": "http", "method": method, "path": path, "headers": [(k.encode(), v.encode()) for k, v in headers], "client": (client, 1)}
    waiting, sent = [{"type": "http.request", "body": body, "more_body": False}], []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(door(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def inside(scope, receive, send):
    """A server that gives back what it is sent."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message.get("body", b"")})


def test_a_busy_address_is_told_how_long_to_wait():
    clock = Clock()
    door = Door(inside, Buckets(0.5, 2, clock))
    assert [ask(door)[0] for _ in range(3)] == [200, 200, 429]
    status, headers, body = ask(door)
    assert json.loads(body)["detail"] == "slow down: ask again in 2 seconds" and headers[b"retry-after"] == b"2"
    assert ask(door, client="1.2.3.5")[0] == 200 and ask(door, method="GET")[0] == 200
    clock.now = 2
    assert ask(door)[0] == 200


def test_addresses_behind_a_proxy_are_told_apart_only_where_there_is_one():
    far = lambda n: [("x-forwarded-for", f"9.9.9.9, 10.0.0.{n}")]  # noqa: E731
    behind, bare = Door(inside, Buckets(1, 1, Clock()), proxied=True), Door(inside, Buckets(1, 1, Clock()))
    assert [ask(behind, far(n))[0] for n in (1, 2, 1)] == [200, 200, 429]
    assert [ask(bare, far(n))[0] for n in (1, 2)] == [200, 429]  # whoever asks cannot choose an address


def test_one_network_of_ipv6_is_one_address():
    door = Door(inside, Buckets(1, 1, Clock()))
    assert [ask(door, client=c)[0] for c in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [200, 429, 200]


def test_a_request_passes_as_it_came():
    assert ask(Door(inside), body=b'{"data": ["http://is.only.text"]}')[2] == b'{"data": ["http://is.only.text"]}'


@pytest.mark.parametrize("path", ["http://127.0.0.1:1/x", "https://example.org/x.png", "HTTP://x", " http://x", "\\u0068ttp://x"])
def test_a_link_is_no_file(path):
    body = f'{{"data": [[{{"path": "{path}", "meta": {{"_type": "gradio.FileData"}}}}]]}}'.encode()
    status, _, answer = ask(Door(inside), body=body)
    assert status == 400 and b"must be uploaded" in answer


def test_a_body_may_not_be_huge():
    assert ask(Door(inside), body=b" " * (MAX_BODY + 1))[0] == 413
    assert ask(Door(inside), body=b"[" * 100_000 + b"http")[0] == 200  # not JSON: the route's own business


def test_only_an_upload_is_not_read_and_it_says_its_length():
    huge, form = b" " * (MAX_BODY + 1), ("content-type", "multipart/form-data; boundary=x")
    assert ask(Door(inside), [("content-type", "multipart/x")], huge)[0] == 413
    assert ask(Door(inside), [form], huge)[0] == 413  # not where files go
    assert ask(Door(inside), [("content-type", "application/json"), ("content-type", "multipart/x")], b"{}")[0] == 400
    upload = {"path": "/gradio_api/upload"}
    assert ask(Door(inside), [form, ("content-length", str(len(huge)))], huge, **upload)[0] == 200
    assert ask(Door(inside), [form, ("content-length", str(MAX_UPLOAD_BODY + 1))], huge, **upload)[0] == 413
    assert ask(Door(inside), [form], huge, **upload)[0] == 411


# --- a real server --------------------------------------------------------------------------------------------


def hello() -> str:
    """A greeting."""
    return "here"


@pytest.fixture(scope="module")
def reader():
    """A page with one private event that reads an upload, and one endpoint."""
    with gr.Blocks(analytics_enabled=False) as page:
        file, out = gr.File(), gr.Textbox()
        file.upload(lambda path: open(path).read(), file, out, api_name="read")
        gr.api(hello, api_name="hello")
    address = launch(page.queue(), rate=0)
    yield address
    page.close(verbose=False)


def call(address, name, data):
    begun = time.perf_counter()
    answer = httpx.post(f"{address}gradio_api/call/{name}", json={"data": data}, timeout=20)
    if answer.status_code != 200:
        return answer.status_code, answer.text, time.perf_counter() - begun
    events = httpx.get(f"{address}gradio_api/call/{name}/{answer.json()['event_id']}", timeout=20).text
    return 200, events, time.perf_counter() - begun


def file_data(path):
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def test_uploads_are_read_and_nothing_else_is(reader, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    for path in (str(secret), "/etc/hostname", "../../etc/hostname", "file:///etc/hostname", "pyproject.toml"):
        status, events, seconds = call(reader, "read", [file_data(path)])
        assert "event: error" in events and "the secret" not in events, (path, events)
    for url in (f"{reader}config", "http://127.0.0.1:1/", "http://169.254.169.254/"):
        status, events, seconds = call(reader, "read", [file_data(url)])
        assert status == 400 and "must be uploaded" in events and seconds < 5
    (uploaded,) = httpx.post(f"{reader}gradio_api/upload", files={"files": ("a.txt", b"mine")}).json()
    assert "mine" in call(reader, "read", [file_data(uploaded)])[1]
    for path in ("/etc/hostname", str(secret), "pyproject.toml"):
        assert httpx.get(f"{reader}gradio_api/file={path}").status_code in (403, 404)


def test_an_upload_may_not_be_huge(reader):
    size = int(MAX_UPLOAD.removesuffix("mb")) * 10**6
    answer = httpx.post(f"{reader}gradio_api/upload", files={"files": ("a.txt", b"x" * (size + 10**6))}, timeout=60)
    assert answer.status_code == 413
    assert "here" in call(reader, "hello", [])[1]


def test_a_served_page_slows_one_address_down():
    with gr.Blocks(analytics_enabled=False) as page:
        gr.api(hello, api_name="hello")
    address = launch(page.queue(), rate=0.2)  # a burst of two
    try:
        found = [httpx.post(f"{address}gradio_api/call/hello", json={"data": []}).status_code for _ in range(3)]
        assert found == [200, 200, 429]
    finally:
        page.close(verbose=False)
