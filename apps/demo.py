"""The web page around one latent space: builds it from the tabs, serves it, and asks itself one question when told to."""

import errno
import os
import socket
import time
from collections.abc import Mapping
from html import escape
from typing import Any

# Before gradio: otherwise its server looks up two hosts at start, and its client two more.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from apps import STARTED
from apps.page_style import CSS, THEME, html
from apps.tabs import TABS
from textae.core.card import LABELS, read_figures
from textae.core.space import LatentSpace

QUEUE_SIZE = 64  # waiting requests; who comes after is told that the page is busy
HEADER_FIGURES = ("ppl", "bleu", "exact_match", "active_units")  # of the card's evaluation, where it has them
SMOKE_STEPS = 7


def build(space: LatentSpace, figures: Mapping[str, Any] | None = None) -> gr.Blocks:
    """The page, filled, not yet served.

    Args:
        space: Of sentences.
        figures: Of the model's card, as `read_figures` gives them.
    """
    with gr.Blocks(analytics_enabled=False, title=f"textae · {space.name}") as page:
        html(header(space, figures or {}))
        for title, add in TABS.items():
            with gr.Tab(title, id=title.lower()):
                add(space)
    return page.queue(max_size=QUEUE_SIZE)


def header(space: LatentSpace, figures: Mapping[str, Any]) -> str:
    """The model's name and a few facts about it, as HTML."""
    facts = [
        (_rounded(space.model.num_parameters()), "parameters"),
        (f"{space.latent_dim}", "latent dimensions"),
        (f"{space.model.config.vocab_size:,}", "tokens in the vocabulary"),
    ]
    measured = figures.get("evaluation", {})
    for key in HEADER_FIGURES:
        if key in measured:
            name, unit = LABELS[key]
            facts.append((f"{measured[key]:.4g}{' %' if unit == '%' else ''}", name[:1].lower() + name[1:]))
    facts.append((str(space.device), "device"))
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for value, name in facts)
    return f'<header class="ta-head"><h1>textae</h1><span class="ta-model">{escape(space.name)}</span></header><dl class="ta-facts">{rows}</dl>'


def launch(page: gr.Blocks, host: str = "127.0.0.1", port: int = 0, share: bool = False) -> str:
    """Serve the page in the background; returns its address.

    Args:
        page: From `build`.
        host: "127.0.0.1" for this machine only, "0.0.0.0" for the network.
        port: 0 takes a free one.
        share: Also open a public address through Gradio's tunnel.

    Raises:
        ValueError: The port is taken or not allowed, or the host is not of this machine.
    """
    _, local, public = page.launch(
        server_name=host, server_port=free_port(host, port), share=share, prevent_thread_lock=True, quiet=True, ssr_mode=False,
        theme=THEME, css=CSS, run_history=False, footer_links=["api", "settings"], max_file_size="1kb",  # nothing is ever uploaded
    )  # fmt: skip
    return public or local


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
    model: str = "everyday", *, host: str = "127.0.0.1", port: int = 7860, share: bool = False, smoke: bool = False, device: str = "auto"
) -> None:
    """Open a model and serve its page until interrupted.

    Args:
        model: Bundled name, folder or Hub id.
        host, port, share: As in `launch`.
        smoke: Serve on a free port, ask one question over HTTP, print how long it all took, and stop.
        device: "auto", or a torch device name.
    """
    from apps.catalog import ZOOS, open_space
    from textae.core.catalog import find_checkpoint

    port = 0 if smoke else free_port(host, port)  # before the model is loaded: a taken port is known at once
    page = build(open_space(model, device), read_figures(find_checkpoint(model, ZOOS)))
    if smoke:
        print(ask_once(page))
        return
    print(f"The page is at {launch(page, host, port, share)} (Ctrl+C stops it)", flush=True)
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


def _rounded(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"
