"""Random sentences' codes and batches, and tiny models of both families, for the tests of models.

Shapes: B sentences, T tokens, D latent dimensions.
"""

from itertools import product

import pytest
import torch

from textae.models.rnn import CELLS
from textae.models.transformer import TransformerVAE, TransformerVAEConfig
from textae.models.transformer_layers import POOLINGS

PAD, BOS, EOS, UNK, MASK = range(5)
WAYS = ((True, True), (True, False), (False, True))
SKIPS = dict(num_layers=2, latent_to_layers=True)
RNNS = [
    dict(cell=cell, num_layers=layers, bidirectional=both, latent_to_state=state, latent_to_input=give, tie_embeddings=tie)
    for cell, layers, both, (state, give), tie in product(CELLS, (1, 2), (True, False), WAYS, (True, False))
] + [dict(cell="lstm", **SKIPS)]
RNN_DECODERS = [
    dict(cell=cell, num_layers=layers, latent_to_state=state, latent_to_input=give)
    for cell, layers, (state, give) in product(CELLS, (1, 2), WAYS)
] + [dict(cell="gru", **SKIPS)]
TRANSFORMERS = [
    dict(positions=positions, pooling=pooling, latent_to_memory=memory, latent_to_embedding=add, tie_embeddings=pooling != "mean")
    for positions, pooling, (memory, add) in product(("rotary", "learned"), POOLINGS, WAYS)
] + [dict(latent_to_layers=True)]
TRANSFORMER_DECODERS = [
    dict(positions=positions, latent_to_memory=memory, latent_to_embedding=add)
    for positions, (memory, add) in product(("rotary", "learned"), WAYS)
] + [dict(latent_to_layers=True)]


def name_of(variant):
    return "-".join(str(v) if not isinstance(v, bool) else k[:9] for k, v in variant.items() if v is not False)


def make_transformer(processor, seed=0, scale=1.0, **changes):
    """A tiny model in eval mode; `scale` multiplies its weights, so that a random model has strong opinions."""
    torch.manual_seed(seed)
    tiny = dict(latent_dim=4, hidden_dim=16, num_heads=2, feedforward_dim=20, num_memory_slots=3, num_positions=40)
    tiny |= dict(embedding_std=0.3, attribute_dim=3, vocab_size=len(processor.tokenizer), attributes=processor.attributes)
    model = TransformerVAE(TransformerVAEConfig(**{**tiny, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    return model


@pytest.fixture(scope="module")
def batch(processor, sentences):
    """Six sentences of different lengths, neither sorted nor all as long as the longest."""
    chosen = [sentences[i] for i in (4, 2, 8, 30, 1, 5)]
    batch = processor(chosen)
    assert len(set(batch["attention_mask"].sum(1).tolist())) >= 3
    return batch


def widen(batch, columns):
    """The batch with more padding."""
    fill = {"labels": -100}
    return {n: torch.nn.functional.pad(t, (0, columns), value=fill.get(n, PAD)) for n, t in batch.items()}


def codes(num=6, seed=0):
    return 2 * torch.randn(num, 4, generator=torch.Generator().manual_seed(seed))


def trimmed(ids):
    """Rows up to their first <eos>."""
    rows = ids.tolist()
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]
