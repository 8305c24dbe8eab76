"""Many visitors at once, for a bounded time, on this machine: who is answered, how soon, and whether anybody gets another's answer.

    python tests/load/visitors.py --visitors 50 --minutes 5

Each visitor asks over plain HTTP what a page asks for: a path and a reconstruction of sentences of its own, an edit where a model knows
attributes. An answer that is about another sentence than the visitor asked about counts as mixed.
Between questions a visitor reads for a few seconds. Starts a page of its own unless `--address` names one; writes JSON, and exits with
1 where there was an error, a mixed answer, or a 95th percentile above `--limit`.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import threading
import time

import httpx

THINGS = ["the dog", "the letter", "a book", "the train", "my sister", "the rain", "a song", "the door", "his coat", "some bread"]
DOINGS = ["I see", "You like", "We need", "They want", "She hears"]
TIMEOUT = 60.0


class Refused(Exception):
    """The server answered with an error."""


class Visitor:
    """One visitor: a list of questions, answered one after the other until the time is over.

    Args:
        number: Tells its sentences from all others'.
        address: Of the page.
        model: That walks and rebuilds.
        editor: A model that edits; None for none.
        pause: Mean seconds between questions.
    """

    def __init__(self, number: int, address: str, model: str, editor: str | None, pause: float):
        self.number, self.address, self.model, self.editor, self.pause = number, address, model, editor, pause
        self.random = random.Random(number)
        self.seconds: dict[str, list[float]] = {}
        self.errors: list[str] = []
        self.mixed: list[str] = []

    def stay(self, until: float) -> None:
        """Ask until `until`, on the clock of `time.monotonic`."""
        with httpx.Client(timeout=TIMEOUT) as client:
            while time.monotonic() < until:
                ask = self.random.choice([self.walk, self.rebuild, self.rebuild, self.edit if self.editor else self.walk])
                begun = time.monotonic()
                try:
                    ask(client)
                except (Refused, httpx.HTTPError, KeyError, ValueError) as error:
                    self.errors.append(f"{ask.__name__}: {type(error).__name__}: {error}"[:200])
                else:
                    self.seconds.setdefault(ask.__name__, []).append(time.monotonic() - begun)
                time.sleep(self.random.uniform(0.5, 1.5) * self.pause)

    def sentence(self) -> str:
        """One that hardly anybody else asks about at the same time."""
        return f"{self.random.choice(DOINGS)} {self.random.choice(THINGS)} and {self.random.choice(THINGS)}."

    def walk(self, client: httpx.Client) -> None:
        a, b = self.sentence(), self.sentence()
        steps = self.call(client, "interpolate", [a, b, 9, "lerp", self.model])
        if len(steps) != 9 or [steps[0]["t"], steps[-1]["t"]] != [0, 1]:
            self.mixed.append(f"walk: {steps}"[:200])

    def rebuild(self, client: httpx.Client) -> None:
        sentence = self.sentence()
        found = self.call(client, "reconstruct", [sentence, 2, self.model])
        if found["sentence"] != sentence:
            self.mixed.append(f"asked {sentence!r}, was told of {found['sentence']!r}")

    def edit(self, client: httpx.Client) -> None:
        sentence = self.sentence()
        found = self.call(client, "edit", [sentence, {"tense": "past"}, "auto", 1.0, 6, self.editor])
        if found["source"] != sentence:
            self.mixed.append(f"asked {sentence!r}, was told of {found['source']!r}")

    def call(self, client: httpx.Client, name: str, data: list) -> object:
        """What an endpoint answers."""
        answer = client.post(f"{self.address}gradio_api/call/{name}", json={"data": data})
        answer.raise_for_status()
        with client.stream("GET", f"{self.address}gradio_api/call/{name}/{answer.json()['event_id']}") as events:
            event = ""
            for line in events.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in ("complete", "error"):
                    if event == "error":
                        raise Refused(line)
                    return json.loads(line.removeprefix("data: "))[0]
        raise Refused("the answer ended before it was complete")


def measure(address: str, visitors: int, minutes: float, pause: float) -> dict:
    """Let `visitors` stay for `minutes`; what they saw."""
    first = Visitor(-1, address, "", None, 0)
    with httpx.Client(timeout=TIMEOUT) as client:
        known = first.call(client, "models", [])
    editor = next((m["name"] for m in known if m["edits"] and "past" in m["attributes"].get("tense", [])), None)
    model = next(m["name"] for m in known if m["modality"] == "text")
    crowd = [Visitor(i, address, model, editor, pause) for i in range(visitors)]
    until = time.monotonic() + 60 * minutes
    threads = [threading.Thread(target=v.stay, args=(until,)) for v in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = [s for v in crowd for verb in v.seconds.values() for s in verb]
    errors, mixed = [e for v in crowd for e in v.errors], [m for v in crowd for m in v.mixed]
    of = {verb: _summary([s for v in crowd for s in v.seconds.get(verb, [])]) for verb in ("walk", "rebuild", "edit")}
    return {
        "visitors": visitors, "minutes": minutes, "answers": len(seconds), **_summary(seconds), "verbs": {k: v for k, v in of.items() if v},
        "errors": len(errors), "mixed": len(mixed), "examples": [*errors[:5], *mixed[:5]],
    }  # fmt: skip


def _summary(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    parts = statistics.quantiles(seconds, n=20, method="inclusive")
    return {"median": round(statistics.median(seconds), 3), "p95": round(parts[-1], 3), "max": round(max(seconds), 3)}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--pause", type=float, default=8.0, help="mean seconds that a visitor reads")
    parser.add_argument("--limit", type=float, default=3.0, help="seconds of the 95th percentile")
    parser.add_argument("--address", default="", help="of a page that is served already")
    parser.add_argument("--model", action="append", default=[], help="as of textae demo")
    given = parser.parse_args()
    if not (1 <= given.visitors <= 500 and 0 < given.minutes <= 30):
        parser.error("from 1 to 500 visitors, for at most 30 minutes")
    server = None
    address = given.address
    if not address:
        options = [word for name in given.model for word in ("--model", name)]
        server = subprocess.Popen([sys.executable, "-m", "apps.cli", "demo", "--port", "0", *options], stdout=subprocess.PIPE, text=True)
        line = server.stdout.readline()
        address = next((word for word in line.split() if word.startswith("http")), "")
        if not address:
            server.terminate()
            parser.error("the page did not start")
    try:
        found = measure(address, given.visitors, given.minutes, given.pause)
    finally:
        if server is not None:
            server.terminate()
            server.wait(30)
    print(json.dumps(found, indent=2))
    return int(bool(found["errors"] or found["mixed"] or found.get("p95", 0) > given.limit))


if __name__ == "__main__":
    sys.exit(main())
