"""Training on a stream takes as much memory for ten times the sentences. By hand, with the target's numbers:

    TEXTAE_STREAM_LINES=1000000 pytest -m slow tests/apps/test_streaming_memory.py -s
"""

import os
import random
import subprocess
import sys

import pytest

from apps.catalog import ROOT

YAML = """\
model: {name: rnn, embedding_dim: 8, hidden_dim: 8, encoder_hidden_dim: 8, latent_dim: 2}
tokenizer: {vocab_size: 300, train_on: 20000}
data: {name: files, train: lines.txt, streaming: true, batch_size: 1024}
objective: {reconstruction: , kl: 0.1}
trainer: {epochs: 1, device: cpu, log_every: 100, save_every: 1000}
"""
SCRIPT = """\
import torch
from apps.run import train
from apps.settings import resolve
torch.set_num_threads(1)
train(resolve("run.yaml"))
# not getrusage, which counts what the parent held at the fork
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024)
"""


def peak(folder, lines: int) -> float:
    """Peak resident memory in MiB of one epoch over so many generated lines."""
    rng = random.Random(0)
    words = [f"{a}{b}" for a in "bdfgklmnprst" for b in "aeiou"]
    with open(folder / "lines.txt", "w") as file:
        for _ in range(lines):
            file.write(" ".join(rng.choices(words, k=4)) + "\n")
    (folder / "run.yaml").write_text(YAML)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    log = (folder / "runs" / "run" / "log.jsonl").read_text().splitlines()
    assert len(log) >= lines // 1024 // 100 - 1, "the whole stream was trained on"
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak is read from /proc")
def test_many_times_the_lines_take_no_more_memory(tmp_path):
    """Three times by default: below 200,000 lines the libraries' own caches still fill."""
    given = os.environ.get("TEXTAE_STREAM_LINES")
    base, times = (int(given), 10) if given else (200_000, 3)
    figures = []
    for lines in (base, times * base):
        (tmp_path / str(lines)).mkdir()
        figures.append(peak(tmp_path / str(lines), lines))
        print(f"{lines:,} lines: {figures[-1]:.0f} MiB")
    assert figures[1] < 1.05 * figures[0]
