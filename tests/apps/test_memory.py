"""Freed memory is used again: after a few rounds large tensors bring no new pages."""

import platform
import subprocess
import sys

import pytest

from apps.catalog import ROOT

ROUNDS = """
import resource, sys, torch
from apps.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(6):  # the first ones make the room
    before = faults()
    for megabytes in (48, 20, 64):
        torch.ones(megabytes * 2**18)
print(faults() - before)
"""


def new_pages(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", ROUNDS, how], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_a_step_uses_the_pages_of_the_one_before():
    assert new_pages("keep") < 500
    assert new_pages("give back") > 5000
