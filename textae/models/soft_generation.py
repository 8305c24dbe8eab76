"""Sentences that a loss can reach through: at every step a distribution over words in place of a word.

For any decoder with `embed`, `generation_config` and a `forward` that takes `inputs_embeds` and keeps a cache.

Shapes: B sentences, T tokens, V vocabulary, D latent dimensions, E embedding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


@dataclass(frozen=True)
class SoftSentences:
    """What a decoder said, as distributions over words.

    Attributes:
        probabilities: Of each word at each position, shape (B, T, V); one-hot where generation was hard. What stands
            behind a sentence's end says nothing and is the padding mark.
        mask: 1 up to each sentence's <eos>, as the encoder's `attention_mask`, int64, shape (B, T). A sentence that
            found no end is cut off without one.
    """

    probabilities: Tensor
    mask: Tensor

    @property
    def ids(self) -> Tensor:
        """The likeliest words, padding behind the end, shape (B, T)."""
        return self.probabilities.argmax(-1)

    def embedded(self, embed: nn.Embedding) -> Tensor:
        """Mixtures of a table's vectors, shape (B, T, E), for `inputs_embeds`."""
        return mixed(embed, self.probabilities)

    def detach(self) -> "SoftSentences":
        """The same without a way back to the decoder."""
        return SoftSentences(self.probabilities.detach(), self.mask)


def soft_generate(
    decoder: nn.Module, latents_BD: Tensor, attributes: Tensor | None = None, *,
    temperature: float = 1.0, max_tokens: int = 20, hard: bool = False, noise: bool = True,
) -> SoftSentences:  # fmt: skip
    """Decode codes into distributions over words; each step reads the mixture of word vectors of the step before.

    With noise a step is a draw from the Gumbel-softmax (Jang et al. 2017, eq. 2; Maddison et al. 2017), which becomes
    a draw from the model's distribution as the temperature falls to 0. Without, it is softmax(logits / temperature), as in
    Hu et al. 2017, sec. 3.2, which becomes greedy decoding. All draws are from torch's global generator. Dropout is as the
    decoder's mode says, with a mask for each step.

    Args:
        decoder: With `embed`, a `generation_config` that says what is never generated, and `forward(None, latents,
            attributes, inputs_embeds=..., past_key_values=..., use_cache=True)`.
        latents_BD: Codes.
        attributes: Values or weights, as the decoder takes them; None: unspecified.
        temperature: Above 0. Low: sharp distributions, and gradients of high variance.
        max_tokens: T at most; it is shorter where all sentences end before.
        hard: One-hot vectors forward, gradients of the soft ones backward (straight-through; Jang et al. 2017, sec. 2.2).
        noise: Whether to draw, or to decode without chance.

    Raises:
        ValueError: A temperature that is not above 0, or no tokens allowed.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0 (greedy decoding is the limit of noise=False)")
    if max_tokens < 1:
        raise ValueError(f"max_tokens is {max_tokens}; a sentence has at least 1")
    options, size = decoder.generation_config, len(latents_BD)
    device = latents_BD.device
    bos_B1 = torch.full((size, 1), options.bos_token_id, device=device)
    read_B1E, cache = decoder.embed(bos_B1), None
    going_B = torch.ones(size, dtype=torch.bool, device=device)
    steps, mask = [], []
    for _ in range(max_tokens):
        output = decoder(None, latents_BD, attributes, inputs_embeds=read_B1E, past_key_values=cache, use_cache=True)
        cache, logits_BV = output.past_key_values, output.logits[:, -1].float()
        never_V = torch.zeros(logits_BV.shape[1], dtype=torch.bool, device=device)
        never_V[options.suppress_tokens] = True
        step_BV = _one_step(logits_BV.masked_fill(never_V, -torch.inf), temperature, hard, noise)
        padding_V = one_hot(torch.tensor(options.pad_token_id, device=device), logits_BV.shape[1]).to(step_BV.dtype)
        step_BV = torch.where(going_B[:, None], step_BV, padding_V)
        steps.append(step_BV)
        mask.append(going_B)
        going_B = going_B & (step_BV.argmax(1) != options.eos_token_id)
        if not going_B.any():
            break
        read_B1E = mixed(decoder.embed, step_BV[:, None])
    return SoftSentences(torch.stack(steps, 1), torch.stack(mask, 1).long())


def _one_step(logits_BV: Tensor, temperature: float, hard: bool, noise: bool) -> Tensor:
    if noise:
        logits_BV = logits_BV - torch.empty_like(logits_BV).exponential_().log()
    soft_BV = (logits_BV / temperature).softmax(1)
    if not hard:
        return soft_BV
    one_BV = one_hot(soft_BV.argmax(1), soft_BV.shape[1]).to(soft_BV.dtype)
    return one_BV + (soft_BV - soft_BV.detach())  # in this order the forward value is one-hot to the last bit


def mixed(embed: nn.Embedding, probabilities_BTV: Tensor) -> Tensor:
    """Mixtures of what a table makes of each word, (B, T, V) -> (B, T, E), whatever it does beside looking it up."""
    table_VE = embed(torch.arange(probabilities_BTV.shape[-1], device=probabilities_BTV.device))
    return probabilities_BTV.to(table_VE.dtype) @ table_VE
