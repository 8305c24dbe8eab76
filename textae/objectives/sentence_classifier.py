"""A small classifier of sentences, real or soft: the critic where an attribute of words is at stake. Judges are elsewhere.

Shapes: B sentences, T tokens, V vocabulary, E embedding, F filters, K values of an attribute.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad


class SentenceClassifier(nn.Module):
    """Convolutions over words and a maximum over time (Kim 2014, sec. 2), one linear layer for all attributes.

    Padding and company change nothing: a window counts where it covers at least one word of its sentence.

    Args:
        vocab_size: V.
        sizes: K of each attribute.
        embedding_dim: E of its own word vectors, which it does not share with the model it judges.
        filters: F for each width.
        widths: Words that a filter sees.
    """

    def __init__(
        self, vocab_size: int, sizes: Sequence[int], embedding_dim: int = 64, filters: int = 64, widths: Sequence[int] = (1, 2, 3)
    ):
        super().__init__()
        for name, count in (("embedding_dim", embedding_dim), ("filters", filters)):
            if not isinstance(count, int) or count < 1:
                raise ValueError(f"a sentence classifier's {name} is {count!r}; it must be a whole number of at least 1")
        self.sizes = list(sizes)
        self.embed = nn.Embedding(vocab_size, embedding_dim)
        self.filters = nn.ModuleList(nn.Conv1d(embedding_dim, filters, width) for width in widths)
        self.output = nn.Linear(filters * len(self.filters), sum(sizes))

    def forward(self, words: Tensor, mask_BT: Tensor) -> Tensor:
        """Logits of all attributes side by side, float32 (B, sum of K); `split` takes them apart.

        Args:
            words: Ids, int (B, T), or distributions over them, float (B, T, V).
            mask_BT: 1 for words, 0 for padding on the right.
        """
        x_BTE = words.to(self.embed.weight.dtype) @ self.embed.weight if words.is_floating_point() else self.embed(words)
        x_BET = (x_BTE * mask_BT[:, :, None].to(x_BTE.dtype)).transpose(1, 2)
        lengths_B1 = mask_BT.sum(1, keepdim=True)
        found = []
        for layer in self.filters:
            beyond = layer.kernel_size[0] - 1
            maps_BFT = conv1d(pad(x_BET, (beyond, beyond)), layer.weight, layer.bias).relu()
            inside_BT = torch.arange(maps_BFT.shape[2], device=mask_BT.device) < lengths_B1 + beyond
            found.append((maps_BFT * inside_BT[:, None]).amax(2))
        return self.output(torch.cat(found, 1)).float()

    def split(self, logits: Tensor) -> list[Tensor]:
        """Logits of each attribute, shapes (B, K)."""
        return list(logits.split(self.sizes, 1))
