"""The web page around the models of a shelf: builds it from the tabs, serves it, and asks itself one question when told to."""

import errno
import os
import socket
import time
from collections.abc import Callable, Sequence

# Before gradio: otherwise its server looks up two hosts at start, and its client two more.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from starlette.middleware import Middleware

from apps import STARTED
from apps.door import RATE, Buckets, Door
from apps.endpoints import register
from apps.page_style import CSS, THEME, html
from apps.shelf import Shelf
from apps.tabs import TABS

MAX_UPLOAD = "10mb"  # of one file
QUEUE_SIZE = 64  # waiting requests; who comes after is told that the page is busy
HEADER = '<header class="ta-head"><h1>textae</h1><span class="ta-note">Sentences and pictures as points that you can walk between</span></header>'
SMOKE_STEPS = 7
BURST = 10  # seconds' worth of requests that may come at once
SESSIONS = 500  # visitors whose state is kept; the one away longest is forgotten first. A third of a megabyte each
UPLOADS = (600, 3600)  # seconds: how often what was uploaded is looked through, and how old it may become
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def build(shelf: Shelf, gpu: Callable | None = None) -> gr.Blocks:
    """The page, filled, not yet served.

    Args:
        shelf: The models that it may open.
        gpu: Wraps what is worth a GPU: `spaces.GPU` on a Space with ZeroGPU.
    """
    with gr.Blocks(analytics_enabled=False, title="textae", delete_cache=UPLOADS) as page:
        html(HEADER)
        for title, add in TABS.items():
            with gr.Tab(title, id=title.lower()):
                add(shelf)
        register(shelf, gpu)
    return page.queue(max_size=QUEUE_SIZE)


def launch(
    page: gr.Blocks, host: str = "127.0.0.1", port: int = 0, share: bool = False, *, rate: float | None = None, mcp: bool = False
) -> str:
    """Serve the page in the background; returns its address.

    Args:
        page: From `build`.
        host: "127.0.0.1" for this machine only, "0.0.0.0" for the network.
        port: 0 takes a free one.
        share: Also open a public address through Gradio's tunnel.
        rate: Requests a second that one address may send on average, bursts of `BURST` seconds' worth allowed; 0 for any number;
            None is 0 where only this machine can ask, and `RATE` elsewhere.
        mcp: Also offer the endpoints as tools of an MCP server, at `gradio_api/mcp/`.

    Raises:
        ValueError: The port is taken or not allowed, the host is not of this machine, or the extra for MCP is missing.
    """
    if mcp:
        check_mcp()
    if rate is None:
        rate = 0 if host in LOOPBACK and not share else RATE
    # On a Space every visitor comes through one proxy, which writes the address last.
    door = Middleware(Door, buckets=Buckets(rate, max(1, round(rate * BURST))) if rate else None, proxied="SPACE_ID" in os.environ)
    _, local, public = page.launch(
        server_name=host, server_port=free_port(host, port), share=share, prevent_thread_lock=True, quiet=True, ssr_mode=False,
        theme=THEME, css=CSS, run_history=False, footer_links=["api", "settings"], max_file_size=MAX_UPLOAD, mcp_server=mcp, state_session_capacity=SESSIONS,
        app_kwargs={"middleware": [door]},
    )  # fmt: skip
    return public or local


def check_mcp() -> None:
    """Raise a ValueError that says how to install what the MCP server needs, where it is missing."""
    try:
        import mcp  # noqa: F401
    except ImportError:
        raise ValueError('the MCP server needs an extra: pip install "textae[mcp]"') from None


def free_port(host: str, port: int) -> int:
    """`port` if a server can listen there; a free one for 0.

    Raises:
        ValueError: It cannot, and why; a taken port comes with one that is free.
    """
    try:
        return _bind(host, port)
    except socket.gaierror:
        raise ValueError(f"host {host!r} is not known: 127.0.0.1 serves this machine, 0.0.0.0 the network") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f"port {port} is taken: try --port {_bind(host, 0)}, or --port 0 for any free one") from None
        if error.errno == errno.EACCES:
            raise ValueError(f"port {port} needs rights that this user lacks: take one above 1023, such as --port 7860") from None
        raise ValueError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None


def serve(
    models: Sequence[str] = (), *, host: str = "127.0.0.1", port: int = 7860, share: bool = False, smoke: bool = False, device: str = "auto",
    rate: float | None = None, mcp: bool = False,
) -> None:  # fmt: skip
    """Open a page and serve it until interrupted.

    Args:
        models: Bundled names, folders or Hub ids; the first of each modality is the one that tabs begin with. The bundled models
            stand beside them.
        host, port, share, rate, mcp: As in `launch`.
        smoke: Serve on a free port, ask one question over HTTP, print how long it all took, and stop.
        device: "auto", or a torch device name.
    """
    port = 0 if smoke else free_port(host, port)  # before the model is loaded: a taken port is known at once
    if mcp:
        check_mcp()
    page = build(Shelf(models, device))
    if smoke:
        print(ask_once(page))
        return
    address = launch(page, host, port, share, rate=rate, mcp=mcp)
    print(f"The page is at {address} (Ctrl+C stops it)", flush=True)
    if mcp:
        print(f"Its MCP server is at {address}gradio_api/mcp/", flush=True)
    page.block_thread()


def ask_once(page: gr.Blocks) -> str:
    """Serve the page on a free port, ask `/interpolate` over HTTP, close; one line with the time since the process began.

    Raises:
        RuntimeError: The answer is not `SMOKE_STEPS` sentences.
    """
    from gradio_client import Client

    from apps.tabs.interpolate import PAIRS

    try:
        client = Client(launch(page), verbose=False, analytics_enabled=False)
        a, b = PAIRS[0]
        found = client.predict(a, b, SMOKE_STEPS, "lerp", api_name="/interpolate")
        seconds = time.perf_counter() - STARTED
    finally:
        page.close(verbose=False)
    sentences = [step["sentence"].strip() for step in found]
    if len(sentences) != SMOKE_STEPS or not all(sentences):
        raise RuntimeError(f"the page answered {sentences} where {SMOKE_STEPS} sentences were asked for")
    return f"first answer after {seconds:.1f} s: {' | '.join(sentences)}"


def _bind(host: str, port: int) -> int:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return probe.getsockname()[1]
