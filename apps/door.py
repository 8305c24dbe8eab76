"""What stands before the page's server: how often one address may ask, how much it may send, and no links in place of files.

Gradio knows none of the three: its queue counts all visitors together, its routes read a body of any size, and a file that is
given as an address is fetched by the server itself.
"""

import ipaddress
import json
import math
import threading
import time
from collections.abc import Callable
from typing import Any

Scope, Receive, Send = dict[str, Any], Callable[..., Any], Callable[..., Any]

RATE = 10.0  # requests a second for one address: somebody who types or drags sends about so many
MAX_BODY = 4 * 2**20  # bytes of a request that is no upload
MAX_UPLOAD_BODY = 12 * 2**20  # bytes of one that is, all its files together; Gradio limits each file alone
MAX_ADDRESSES = 10_000  # whose buckets are kept
READING = ("GET", "HEAD", "OPTIONS")
UPLOAD = "/upload"  # the end of the one path that takes files


class Buckets:
    """A token bucket for each address: full at first, emptied by one at every request, filled again with time.

    Args:
        rate: Tokens a second.
        burst: Tokens of a full bucket.
        clock: Seconds, from any start.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic):
        self.rate, self.burst, self._clock = rate, burst, clock
        self._levels: dict[str, tuple[float, float]] = {}  # address → tokens, when
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Take a token; 0 if there was one, else the seconds until there is."""
        with self._lock:
            now = self._clock()
            level, since = self._levels.get(address, (float(self.burst), now))
            level = min(self.burst, level + (now - since) * self.rate)
            if level < 1:
                self._levels[address] = level, now
                return (1 - level) / self.rate
            self._levels[address] = level - 1, now
            if len(self._levels) > MAX_ADDRESSES:
                self._forget(now)
            return 0.0

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full again; of those that are not, the oldest half."""
        self._levels = {a: (n, t) for a, (n, t) in self._levels.items() if n + (now - t) * self.rate < self.burst}
        if len(self._levels) > MAX_ADDRESSES:
            self._levels = dict(sorted(self._levels.items(), key=lambda item: -item[1][1])[: MAX_ADDRESSES // 2])


class Door:
    """ASGI middleware before Gradio's routes.

    Args:
        app: What answers.
        buckets: None lets everybody ask as often as they like.
        proxied: Whether a proxy that writes the visitor's address last into `X-Forwarded-For` stands before this server.
    """

    def __init__(self, app: Callable[..., Any], buckets: Buckets | None = None, proxied: bool = False):
        self.app, self.buckets, self.proxied = app, buckets, proxied

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not pass, and hand on the rest."""
        if scope["type"] != "http" or scope["method"] in READING:
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if sum(name.lower() == b"content-type" for name, _ in scope["headers"]) > 1:
            return await _refuse(send, 400, "the request names two content types: name one")
        if self.buckets is not None and (seconds := self.buckets.wait(self._address(scope, headers))):
            whole = max(1, math.ceil(seconds))
            message = f"slow down: ask again in {whole} second{'s' if whole > 1 else ''}"
            return await _refuse(send, 429, message, [(b"retry-after", str(whole).encode())])
        if scope["path"].rstrip("/").endswith(UPLOAD) and headers.get("content-type", "").lower().startswith("multipart/form-data"):
            length = headers.get("content-length", "")
            if not length.isdecimal():
                return await _refuse(send, 411, "an upload must say how long it is")
            if int(length) > MAX_UPLOAD_BODY:
                return await _refuse(send, 413, f"an upload may have {MAX_UPLOAD_BODY // 2**20} MB in all: send less at once")
            return await self.app(scope, receive, send)
        body = await _read(receive)
        if body is None:
            return await _refuse(send, 413, f"the request is larger than {MAX_BODY // 2**20} MB: send less at once")
        if (b"http" in body.lower() or b"\\u" in body) and _links(body):  # a letter may be written as \u0068
            return await _refuse(send, 400, "a file must be uploaded here; an address in place of a file is not fetched")
        await self.app(scope, _replay(body, receive), send)

    def _address(self, scope: Scope, headers: dict[str, str]) -> str:
        forwarded = headers.get("x-forwarded-for", "").split(",")[-1].strip() if self.proxied else ""
        address = forwarded or (scope["client"] or ("unknown",))[0]
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return "unknown"
        # One household has a whole /64 of addresses.
        return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body again, and then whatever comes."""
    given = False

    async def again() -> dict[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _links(body: bytes) -> bool:
    """Whether a file of the request is an address instead of an upload."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # not JSON, so no file of Gradio's; the route says what is wrong with it
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and "meta" in value and path.strip().lower().startswith(("http:", "https:")):
                return True
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


async def _refuse(send: Send, status: int, message: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps({"detail": message}).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
