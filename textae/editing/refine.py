"""Latent optimization at test time: a few gradient steps on a code until the model says its sentence word for word.

A posterior mean says roughly what the sentence said; an edit of it would be charged with the encoder's mistakes. A code
near the mean that decodes to the sentence itself keeps them out.

Shapes: B sentences, T tokens, D latent dimensions, V vocabulary.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from textae.core.autoencoder import Autoencoder
from textae.core.data import Batch
from textae.models.tokens import IGNORED


def refine(
    model: Autoencoder, batch: Batch, attributes: Tensor | None, *, steps: int = 15, lr: float = 0.1, pull: float = 0.5
) -> tuple[Tensor, Tensor, Tensor]:
    """Codes from which greedy decoding writes the batch's own sentences, where `steps` suffice.

    Adam from the posterior mean on -log p(x|z, a) + pull / 2 · |z - mean|², each sentence by itself: one that is exact stops,
    and keeps its code.

    Args:
        model: A model of sentences, in eval mode.
        batch: What it reads, with `decoder_input_ids` and `labels`.
        attributes: What its decoder is told, values or weights.
        steps: At most.
        lr: Adam's.
        pull: In nats for a unit of squared distance.

    Returns:
        Codes, shape (B, D); whether each is exact, bool of shape (B,); and the likeliest token at every place after the
        sentence's own tokens before it, shape (B, T).
    """
    decoder, labels = model.decoder, batch["labels"]
    real = labels != IGNORED
    with torch.no_grad():
        mean = model.encode(**batch).mean.float()
    with torch.enable_grad():
        z = mean.clone().requires_grad_()
        optimizer = torch.optim.Adam([z], lr=lr)
        kept, exact = mean.clone(), torch.zeros(len(mean), dtype=torch.bool, device=mean.device)
        said = labels
        for step in range(steps + 1):
            logits = decoder(input_ids=batch["decoder_input_ids"], latents=z, attributes=attributes).logits.float()
            likeliest = logits.argmax(-1)
            right = ((likeliest == labels) | ~real).all(1)
            kept = torch.where(exact[:, None], kept, z.detach())
            said = torch.where(exact[:, None], said, likeliest)
            exact = exact | right
            if step == steps or bool(exact.all()):
                break
            costs = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none").sum(1)
            loss = costs + pull / 2 * (z - mean).square().sum(1)
            # Of the code alone: the model is shared, and nothing of it may change while others read it.
            (z.grad,) = torch.autograd.grad(loss[~exact].sum(), z)
            optimizer.step()
    return kept, exact, said.where(real, decoder.config.pad_token_id)
