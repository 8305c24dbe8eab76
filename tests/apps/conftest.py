"""A tiny sentence VAE trained in a second, its page on a free port (no bundled model is needed), and a browser's page that is checked."""

import os
from pathlib import Path

import pytest
import torch

from textae.data.processor import SentenceProcessor
from textae.data.tokenizer import train_tokenizer
from textae.models.rnn import RNNVAE, RNNVAEConfig
from textae.space import LatentSpace

SENTENCES = [f"{who} {does} {what}." for who in ("I", "You", "We", "They") for does in ("see", "like", "need", "want")
             for what in ("tea", "rain", "a book", "the dog")]  # fmt: skip


@pytest.fixture(scope="session")
def tiny_space() -> LatentSpace:
    """64 sentences learned nearly by heart, 8 of them as bundled examples."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    processor = SentenceProcessor(train_tokenizer(SENTENCES, vocab_size=320))
    config = RNNVAEConfig(
        vocab_size=len(processor.tokenizer), embedding_dim=24, hidden_dim=48, encoder_hidden_dim=24, latent_dim=6
    )
    model, batch = RNNVAE(config), processor(SENTENCES)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(80):
        output = model(**batch)
        (output.nll + 0.1 * output.posterior.kl().sum(1)).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return LatentSpace(model, processor, name="tiny", examples=SENTENCES[:8])


VERBS = {"see": "saw", "like": "liked", "need": "needed", "want": "wanted"}
FEELINGS = {"positive": ("tea", "a book"), "negative": ("rain", "a bill")}


@pytest.fixture(scope="session")
def told_folder(tmp_path_factory):
    """A model that is told tense and sentiment, 64 sentences learned nearly by heart, with readers beside it."""
    from textae.classifiers.bag import BagClassifier
    from textae.editing import save_readers

    rows = [
        {"text": f"{who} {verb} {thing}.", "tense": tense, "sentiment": feeling}
        for who in ("I", "You", "We", "They") for pair in VERBS.items() for tense, verb in zip(("present", "past"), pair, strict=True)
        for feeling, things in FEELINGS.items() for thing in things
    ]  # fmt: skip
    texts = [row["text"] for row in rows]
    labels = [{k: row[k] for k in ("tense", "sentiment")} for row in rows]
    torch.manual_seed(0)
    processor = SentenceProcessor(train_tokenizer(texts, vocab_size=320), {"tense": ["past", "present"], "sentiment": ["negative", "positive"]})
    config = RNNVAEConfig(
        vocab_size=len(processor.tokenizer), embedding_dim=24, hidden_dim=48, encoder_hidden_dim=24, latent_dim=6, attributes=processor.attributes,
        attribute_dim=4,
    )  # fmt: skip
    model, batch = RNNVAE(config), processor(texts, labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(100):
        output = model(**batch)
        (output.nll + 0.3 * output.posterior.kl().sum(1)).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("told") / "told"
    LatentSpace(model, processor, name="told").save_pretrained(folder)
    (folder / "examples.txt").write_text("\n".join(texts[:40]) + "\n", encoding="utf-8")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Told\nA model of *our own* sentences.\n", encoding="utf-8")
    save_readers({n: BagClassifier.train(texts, [row[n] for row in rows], buckets=500, min_steps=300) for n in ("tense", "sentiment")}, folder)
    return folder


@pytest.fixture(scope="session")
def told_space(told_folder) -> LatentSpace:
    """The space of `told_folder`."""
    return LatentSpace.from_pretrained(told_folder)


@pytest.fixture(scope="session")
def shelf(tiny_space, told_space):
    """`tiny_space`, `told_space` and a bundled model of images."""
    from apps.shelf import Shelf

    return Shelf(["mnist-vae"], "cpu", {"tiny": tiny_space, "told": told_space}, bundled=False)


@pytest.fixture(scope="session")
def address(shelf) -> str:
    """Where the page of `shelf` is served while the tests run."""
    from apps.demo import build, launch

    page = build(shelf)
    yield launch(page)
    page.close(verbose=False)


@pytest.fixture
def open_address(browser):
    """Opens an address; when the test is over, no error was on a console and no request went elsewhere."""
    contexts, problems = [], []

    def open_page(address, viewport, scheme="light", fragment="", **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        if rate := os.environ.get("TEXTAE_BROWSER_SLOWDOWN"):  # how many times slower the browser computes, to find tests that hurry
            context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": float(rate)})
        page.on("console", lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: problems.append(f"error: {e}"))
        ours = (address.rpartition("/")[0], "data:", "blob:")
        page.on("request", lambda r: problems.append(f"left: {r.url}") if not r.url.startswith(ours) else None)
        page.goto(f"{address}?__theme={scheme}{fragment}" if address.startswith("http") else address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def shot(tmp_path):
    """Takes a screenshot, into the folder in TEXTAE_ARTIFACTS or pytest's temporary one."""
    folder = Path(os.environ.get("TEXTAE_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def fits():
    """Whether a page needs no scrolling sideways."""
    return lambda page: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture(scope="session")
def settle():
    """Waits until a page has not changed for a while: what Gradio has just shown is filled with its first value a moment later."""

    def wait(page, quiet_ms=400, limit_ms=15_000):
        page.evaluate(
            """([quiet, limit]) => new Promise((done) => {
                let timer = setTimeout(done, quiet);
                const watch = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, quiet); });
                watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
                setTimeout(done, limit);
            })""",
            [quiet_ms, limit_ms],
        )

    return wait
