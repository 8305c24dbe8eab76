"""Reconstruction where attributes are missing: every value they may have, weighed by how likely it is.

Shapes: B sentences, A attributes, K values of one, C combinations of values, U sentences that lack some, N pairs of a
sentence and a combination that it may have.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.attributes import Labels, labelled_mean
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule
from textae.models.tokens import IGNORED
from textae.objectives.controlled_generation import given_attributes
from textae.objectives.sentence_classifier import SentenceClassifier

MOST = 32  # combinations: each is a decoding of every sentence that lacks all attributes


class MissingAttributes(Term):
    """-log p(x|z, a), and where a is missing its bound E_q(a|x)[-log p(x|z, a)] + KL(q(a|x) || uniform): in nats a sentence.

    The semi-supervised model M2 of Kingma et al. 2014 (eq. 6, 7 and 9), with z ~ q(z|x) that does not read a. It takes the
    place of `reconstruction`, whose unlabelled sentences train the embedding "unspecified" instead. The mean is exact, over
    all combinations of the values that are missing, so that a batch without labels costs their number of decodings.
    Several attributes are independent given x. Set `data.attribute_drop` to 0, or dropped labels count as missing.

    q(a|x) is a small convolutional classifier of the clean words, the term's own player: it minimizes the same bound, and
    `supervision` times its cross-entropy on labelled sentences. Its gradients and the model's are those of the joint bound.

    Args:
        weight: Of the costs.
        supervision: α of eq. 9, for each labelled sentence.
        embedding_dim: Of the classifier's word vectors.
        filters: Of its convolutions, for each of the widths 1, 2 and 3.
        lr: Its learning rate as a share of the autoencoder's.
    """

    charges = ("likelihood",)

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, supervision: float = 1.0, embedding_dim: int = 64, filters: int = 64, lr: float = 1.0
    ):  # fmt: skip
        super().__init__(weight, lr)
        if supervision < 0:
            raise ValueError(f"objective.missing_attributes.supervision is {supervision}; a weight cannot be negative")
        self.supervision, self.classifier_shape = supervision, (embedding_dim, filters)
        self.labels: list[Labels] = []
        self.combinations_CA = torch.zeros(0, 0, dtype=torch.long)
        self.classifier: SentenceClassifier | None = None

    def bind(self, model: Autoencoder) -> None:
        known = given_attributes(model, "missing_attributes")
        self.labels = [Labels(name) for name in sorted(known)]
        sizes = [labels.bind(model) for labels in self.labels]
        if math.prod(sizes) > MOST:
            raise ValueError(f"objective.missing_attributes: {math.prod(sizes)} combinations of values are more than {MOST}: give the model fewer attributes")
        self.combinations_CA = torch.cartesian_prod(*(torch.arange(size) for size in sizes)).view(-1, len(sizes))
        self.classifier = SentenceClassifier(model.config.vocab_size, sizes, *self.classifier_shape)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        assert self.classifier is not None, "bind() comes first"
        values_BA = torch.stack([labels(batch) for labels in self.labels], 1)
        words_BT = batch["labels"]
        logits = self.classifier.split(self.classifier(words_BT.clamp_min(0), (words_BT != IGNORED).long()))
        costs = [
            labelled_mean(cross_entropy(part_BK, values_B, ignore_index=-1, reduction="none"), values_B)
            for part_BK, values_B in zip(logits, values_BA.unbind(1), strict=True)
        ]
        own = self.supervision * torch.stack(costs).sum()
        rows_U = (values_BA < 0).any(1).nonzero()[:, 0]
        if not len(rows_U):
            return TermValue(output.nll, output.nll, own)
        log_q = [part_BK[rows_U].log_softmax(1) for part_BK in logits]
        pairs_N2, weights_N = self._pairs(values_BA[rows_U], log_q)
        nll_N = self._nll(model, output, batch, rows_U, pairs_N2)
        missing_UA = values_BA[rows_U] < 0
        gap_UA = torch.stack([(part.exp() * (part + math.log(part.shape[1]))).sum(1) for part in log_q], 1)
        kl_U = (gap_UA * missing_UA).sum(1)
        mean_U = _sum_by(pairs_N2[:, 0], weights_N.detach() * nll_N, len(rows_U))
        bound_U = _sum_by(pairs_N2[:, 0], weights_N * nll_N.detach(), len(rows_U)) + kl_U
        loss_B = output.nll.index_put((rows_U,), mean_U)
        value_B = output.nll.detach().index_put((rows_U,), bound_U.detach())
        return TermValue(value_B, loss_B, own + bound_U.sum() / len(values_BA))

    def _pairs(self, values_UA: Tensor, log_q: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Sentences with the combinations they may have, (N, 2), and q of the missing part of each, (N,)."""
        combinations_CA = self.combinations_CA.to(values_UA.device)
        possible_UC = ((values_UA[:, None] < 0) | (values_UA[:, None] == combinations_CA)).all(2)
        pairs_N2 = possible_UC.nonzero()
        sentence_N, combination_N = pairs_N2.unbind(1)
        weights = torch.zeros(len(pairs_N2), device=values_UA.device)
        for column, part_UK in enumerate(log_q):
            missing_N = values_UA[sentence_N, column] < 0
            weights = weights + part_UK[sentence_N, combinations_CA[combination_N, column]] * missing_N
        return pairs_N2, weights.exp()

    def _nll(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], rows_U: Tensor, pairs_N2: Tensor) -> Tensor:
        """-log p(x|z, a) of each pair, shape (N,)."""
        rows_N = rows_U[pairs_N2[:, 0]]
        part = {name: tensor[rows_N] for name, tensor in batch.items()}
        part["attributes"] = self.combinations_CA.to(rows_N.device)[pairs_N2[:, 1]]
        return model.nll(output.z[rows_N], **part)[0]


def _sum_by(index_N: Tensor, values_N: Tensor, size: int) -> Tensor:
    return torch.zeros(size, dtype=values_N.dtype, device=values_N.device).index_add(0, index_N, values_N)
