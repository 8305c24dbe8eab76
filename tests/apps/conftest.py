"""A tiny sentence VAE trained in a second, and its page on a free port: no bundled model is needed to test the page."""

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


@pytest.fixture(scope="session")
def address(tiny_space) -> str:
    """Where the page of `tiny_space` is served while the tests run."""
    from apps.demo import build, launch

    page = build(tiny_space)
    yield launch(page)
    page.close(verbose=False)
