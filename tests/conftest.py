"""Small real components that all tests share: own sentences, a tokenizer, models, a trainer; and what skips where.

Everything is a plain function of its arguments, so that scripts that a test starts can use it too (`runpy.run_path`).
"""

import os
import shutil
from itertools import product
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # measured: small models run seven times slower on two threads that other tests want too

SENTENCES = [
    f"{who} {does} {what} {when} ."
    for who, does, what, when in product(
        ["the cat", "my old friend", "she"], ["sees", "buys"], ["a red house", "bread"], ["today", "in the evening", ""]
    )
]
SENTENCES = [" ".join(s.split()) for s in SENTENCES]
ATTRIBUTES = {"tense": ["past", "present"], "mood": ["good", "bad", "flat"]}


def make_processor(attributes=None, max_length=32):
    from textae.data.processor import SentenceProcessor
    from textae.data.tokenizer import train_tokenizer

    return SentenceProcessor(train_tokenizer(SENTENCES, kind="word", vocab_size=100, min_frequency=1), attributes, max_length)


def make_model(processor, seed=0, scale=1.0, **changes):
    """A tiny RNNVAE in eval mode; `scale` multiplies its weights, so that a random model has strong opinions."""
    from textae.models.rnn import RNNVAE, RNNVAEConfig

    torch.manual_seed(seed)
    tiny = dict(latent_dim=4, embedding_dim=12, hidden_dim=14, encoder_hidden_dim=10, attribute_dim=3, vocab_size=len(processor.tokenizer))
    config = RNNVAEConfig(**{"attributes": processor.attributes, **tiny, **changes})
    model = RNNVAE(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model


def make_trainer(out, objective=None, *, splits=None, batch_size=4, corruption=None, model=None, valid=True, **options):
    """A trainer of a tiny model on the sentences above; `splits` wraps them, for a test that interrupts."""
    from textae.core.data import Splits
    from textae.core.objectives import TERMS, Objective
    from textae.core.options import TrainerOptions
    from textae.core.trainer import Trainer
    from textae.data.batching import Noise, in_memory
    from textae.data.corruption import Corruption

    processor = make_processor()
    rows = [{"text": s} for s in SENTENCES]
    noise = None if corruption is None else Noise(Corruption(**corruption))
    train = in_memory(processor, rows, batch_size=batch_size, seed=1, noise=noise, pool=2)
    held_out = in_memory(processor, rows[::3], batch_size=batch_size, shuffle=False)
    options = TrainerOptions(**{"epochs": 2, "lr": 0.01, "device": "cpu", "progress": False, **options})
    model = make_model(processor, dropout=0.1) if model is None else model
    data = (splits or Splits)(train, held_out if valid else None)
    terms = objective or {"reconstruction": None, "kl": {"weight": 0.5, "free_bits": 0.1}}
    return Trainer(model.train(), Objective.from_config(terms, TERMS), data, out, options)


@pytest.fixture(scope="session")
def sentences():
    return list(SENTENCES)


@pytest.fixture(scope="session")
def processor():
    return make_processor()


@pytest.fixture(scope="session")
def attribute_processor():
    return make_processor(ATTRIBUTES)


@pytest.fixture(scope="session")
def new_model():
    return make_model


@pytest.fixture(scope="session")
def new_trainer():
    return make_trainer


@pytest.fixture(params=["lstm", "gru"])
def tiny_model(request, processor):
    return make_model(processor, cell=request.param)


@pytest.fixture
def data_folder():
    return Path(os.environ["TEXTAE_DATA"])


def pytest_collection_modifyitems(items):
    """Skip what this machine cannot run."""
    chromium = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    reasons = {
        "data": None if os.environ.get("TEXTAE_DATA") else "TEXTAE_DATA is not set",
        "gpu": None if torch.cuda.is_available() else "no GPU",
        "browser": None if chromium else "no Chromium",
    }
    for item in items:
        for mark, reason in reasons.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all tests that need one: playwright's loop runs once in a process, and a second refuses to start."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
