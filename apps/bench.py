"""`textae bench`: how fast this machine trains, scores and decodes; the only place that makes claims about speed.

The model is the small LSTM that older code is quoted for: embedding 128, hidden 256, z 32, one layer, batch 64,
sentences of at most 20 words. Measurements are interleaved, and each figure is the best of its rounds: a shared machine
only ever adds time.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

BATCH, WORDS, DRAWS, BEAM_BATCH = 64, 20, 100, 64
VOCABULARY = 5800

# Older figures on the same kind of machine, one thread, from the project's measurements of other code.
OTHERS = {
    "training, bf16": "4,800-5,500",
    "IW-NLL, fp32": "0.5-0.6",
    "decode, beam 5": "8",
}


def measure(seconds: float = 8.0, threads: int = 1, device: str = "cpu") -> dict[str, Any]:
    """Run every measurement; returns the report that `table` prints.

    Args:
        seconds: Aimed at for each measurement, over its rounds.
        threads: Of torch, in this process.
        device: "cpu" or "cuda".
    """
    import torch

    from textae.core.card import hardware
    from textae.core.space import LatentSpace

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    processor, sentences, source = _corpus()
    space = LatentSpace(_model(processor).to(device), processor)
    rounds = 4
    tasks: dict[str, tuple[Callable[[], float], str, bool]] = {
        "training, fp32": (_training(processor, sentences, "fp32", device, seconds / rounds), "tokens/s", True),
        "training, bf16": (_training(processor, sentences, "bf16", device, seconds / rounds), "tokens/s", True),
        "IW-NLL, fp32": (_likelihood(space, sentences, False), "ms per sentence and draw", False),
        "IW-NLL, bf16": (_likelihood(space, sentences, True), "ms per sentence and draw", False),
        "decode, greedy": (_decoding(space, 1), "sentences/s", True),
        "decode, beam 5": (_decoding(space, 5), "sentences/s", True),
    }
    figures: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (task, _, _) in tasks.items():
            figures[name].append(task())
    rows = []
    for name, (_, unit, more_is_better) in tasks.items():
        best = max(figures[name]) if more_is_better else min(figures[name])
        rows.append({"what": name, "value": best, "unit": unit, "rounds": figures[name], "older code": OTHERS.get(name, "")})
    rows.append({"what": "IW-NLL, bf16 - fp32", "value": _difference(space, sentences), "unit": "nats per sentence", "rounds": [], "older code": ""})
    rows += _cold_start()
    return {
        "date": str(date.today()), "hardware": hardware(), "torch": torch.__version__, "device": device,
        "model": f"LSTM, embedding 128, hidden 256, z 32, vocabulary {VOCABULARY:,}, batch {BATCH}", "data": source, "rows": rows,
    }  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    head = f"{report['date']} · {report['hardware']} · torch {report['torch']} · {report['device']}\n{report['model']} · {report['data']}\n"
    lines = [head, "| what | value | unit | older code |", "|---|---:|---|---|"]
    lines += [f"| {r['what']} | {_number(r['value'])} | {r['unit']} | {r['older code']} |" for r in report["rows"]]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"


def _corpus():
    """Processor and sentences: the Penn Treebank where TEXTAE_DATA has it, else made-up words of the same lengths."""
    from textae.data import ptb
    from textae.data.processor import SentenceProcessor
    from textae.data.tokenizer import train_tokenizer

    try:
        sentences = [row["text"] for row in ptb.load()["train"] if len(row["text"].split()) <= WORDS]
        source = f"Penn Treebank, {len(sentences):,} sentences of at most {WORDS} words"
    except (ValueError, OSError):
        import numpy as np

        rng = np.random.default_rng(0)
        lengths = rng.integers(5, WORDS + 1, 20_000)
        words = rng.zipf(1.2, int(lengths.sum())) % VOCABULARY
        parts = np.split(words, np.cumsum(lengths)[:-1])
        sentences = [" ".join(f"w{w}" for w in part) for part in parts]
        source = f"{len(sentences):,} made-up sentences of 5 to {WORDS} words"
    return SentenceProcessor(train_tokenizer(sentences, kind="word", vocab_size=VOCABULARY, min_frequency=1)), sentences, source


def _model(processor):
    import torch

    from textae.models.rnn import RNNVAE, RNNVAEConfig

    torch.manual_seed(0)
    return RNNVAE(RNNVAEConfig(
        vocab_size=len(processor.tokenizer), embedding_dim=128, hidden_dim=256, encoder_hidden_dim=256, bidirectional=False,
        latent_dim=32,
    )).eval()  # fmt: skip


def _training(processor, sentences: list[str], precision: str, device: str, seconds: float) -> Callable[[], float]:
    """Tokens a second of the real trainer: collation, forward, backward, clipping, Adam."""
    from textae.core.data import Splits
    from textae.core.objectives import KL, Objective, Reconstruction
    from textae.core.options import TrainerOptions
    from textae.core.trainer import Trainer
    from textae.data.batching import in_memory

    batches = in_memory(processor, ({"text": s} for s in sentences), batch_size=BATCH)

    class Timed:
        """Batches that stop when time is up; counts what it gave."""

        tokens = 0
        until = 0.0

        def __len__(self) -> int:
            return 0

        def clean(self):
            return self

        def epoch(self, epoch: int, **position: int) -> Iterator[dict]:
            for batch in batches.epoch(epoch, **position):
                if self.tokens and time.perf_counter() > self.until:
                    return
                yield batch
                self.tokens += int((batch["labels"] >= 0).sum())

    def task() -> float:
        timed = Timed()
        with tempfile.TemporaryDirectory() as folder:
            options = TrainerOptions(epochs=1, save_every=10**9, precision=precision, progress=False, device="cpu" if device == "cpu" else "auto")
            trainer = Trainer(_model(processor), Objective({"reconstruction": Reconstruction(), "kl": KL()}), Splits(timed), folder, options)
            trainer.save = lambda: None  # what is timed is training
            trainer.model.train()
            start = time.perf_counter()
            timed.until = start + seconds
            trainer.fit()
            return timed.tokens / trainer.state.seconds

    return task


def _likelihood(space, sentences: list[str], bf16: bool) -> Callable[[], float]:
    import torch

    from textae.core.metrics import importance_nll

    batch = {n: t.to(space.device) for n, t in space.processor(sentences[:BATCH]).items()}

    def task() -> float:
        with torch.no_grad(), torch.autocast(space.device.type, torch.bfloat16, enabled=bf16):
            start = time.perf_counter()
            importance_nll(space.model, batch, DRAWS)
            if space.device.type == "cuda":
                torch.cuda.synchronize()
            return 1000 * (time.perf_counter() - start) / (BATCH * DRAWS)

    return task


def _difference(space, sentences: list[str]) -> float:
    """Mean NLL in bf16 minus that in fp32, with the same draws."""
    a, b = (space.score(sentences[:256], samples=50, seed=0, bf16=flag) for flag in (True, False))
    return sum(x.nll - y.nll for x, y in zip(a, b, strict=True)) / len(a)


def _decoding(space, beams: int) -> Callable[[], float]:
    """Sentences a second of 14 words each, the mean length of the corpus; an untrained model would not know when to end."""
    import torch

    z = torch.randn(BEAM_BATCH, space.latent_dim, generator=torch.Generator().manual_seed(0))

    def task() -> float:
        start = time.perf_counter()
        space.decode(z, num_beams=beams, min_new_tokens=14, max_new_tokens=14)
        return BEAM_BATCH / (time.perf_counter() - start)

    return task


# The child says its own peak: what the system reports of children counts the parent's memory at the fork.
_CHILD = """
import atexit, sys
def peak():
    try:
        status = open("/proc/self/status").read()
    except OSError:
        return
    sys.stderr.write("\\npeak " + status.split("VmHWM:")[1].split()[0])
atexit.register(peak)
from apps.cli import main
main()
"""


def _cold_start() -> list[dict[str, Any]]:
    """A fresh process from its start to the first reconstruction, and the page's to its first answer; peak memory of each."""
    rows = []
    for what, words in {"command line": ["reconstruct", "I was happy to see you."], "page": ["demo", "--smoke"]}.items():
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *words], capture_output=True, text=True, cwd=Path(__file__).parents[1], env=os.environ
        )
        if done.returncode:
            raise ValueError(f"textae {' '.join(words)} failed: {done.stderr.strip().splitlines()[-1:]}")
        rows.append({"what": f"first answer, {what}", "value": time.perf_counter() - start, "unit": "s", "rounds": [], "older code": ""})
        _, said, peak = done.stderr.rpartition("\npeak ")
        if said:
            rows.append({"what": f"peak memory, {what}", "value": int(peak) / 1024, "unit": "MiB", "rounds": [], "older code": ""})
    return rows
