"""Attributes that a generated sentence must show: Hu et al. 2017, "Toward controlled generation of text".

Shapes: B sentences, D latent dimensions, A attributes, K values of one, T tokens, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.config import choose
from textae.core.objectives.attributes import Labels, chosen, labelled_mean
from textae.core.objectives.base import Term, TermValue, frozen_call
from textae.core.schedules import Linear, Schedule
from textae.models.soft_generation import SoftSentences, soft_generate
from textae.models.tokens import IGNORED
from textae.objectives.generated import build_temperature, lost_code
from textae.objectives.phases import Sleep
from textae.objectives.sentence_classifier import SentenceClassifier

COOLING = Linear(start=1.0, end=0.1, steps=10_000)  # from the model's own softmax to nearly one word (sec. 3.2: towards 0 as training proceeds)
LATENTS = ("prior", "posterior")


class ControlledGeneration(Term):
    """Makes generated sentences show the attributes they were generated for, and keep the rest of their code.

    Codes z and values c are drawn, and the decoder writes soft sentences from both (`soft_generate`). The generator's side
    (Hu et al. 2017, eq. 6 to 8) is the cross-entropy of a discriminator q_D(c|x̂), and `independency` times
    -log q_E(z|x̂), what the encoder says against z when it reads the sentence back: both through detached weights, so that the
    decoder alone is moved. The discriminator's own loss (eq. 9 to 11) is its cross-entropy on labelled real sentences, and
    `unlabelled` times that on generated ones plus `confidence` times its entropy there, since the paper's text asks for
    minimal entropy. The decoder must be given the attributes, p(x|z, a); `reconstruction` and `kl` train it as
    before, on a few hundred labels with `data.labelled` and `data.labelled_per_batch`.

    The paper's two phases alternate in one loop: reading real sentences is in every step, generating in those that `start` and
    `every` say. A step costs a decoding of `examples` sentences with its memory of T · V probabilities each.

    Args:
        weight: λ_c, of the generator's side; 0.1 in the paper.
        attributes: Those that are judged; None: all that the decoder is given. The others are drawn too.
        independency: λ_z / λ_c, of -log q_E(z|x̂); 0: left out. A point posterior counts as N(mean, I), and codes of a codebook
            are refused. Where `kl` weighs little posteriors are narrow and missing one is dear: lower it together with that
            weight. With z from the posterior it also asks for whatever z still says of the attribute, so let the code forget
            that first, or set it to 0.
        unlabelled: λ_u, of the discriminator's loss on generated sentences; 0: it reads real ones alone.
        confidence: β, of the entropy within it.
        latents: Where z comes from: draws from the "prior", or the batch's own codes, the "posterior", which makes the
            term about edited sentences.
        temperature: Of the soft sentences, a number above 0 or a schedule that cools down and stays above it.
        hard: Words forward and soft gradients backward (straight-through).
        max_tokens: The longest sentence that is generated.
        start: Optimizer steps before the first generation, while decoder and discriminator learn from real sentences.
        every: Generate at each so many steps; elsewhere the generator's side is 0.
        examples: Sentences generated at once, at most as many as the batch has; 0: so many.
        embedding_dim: Of the discriminator's word vectors.
        filters: Of its convolutions, for each of the widths 1, 2 and 3.
        lr: Its learning rate as a share of the autoencoder's.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 0.1, *, attributes: Sequence[str] | None = None, independency: float = 1.0,
        unlabelled: float = 0.1, confidence: float = 0.1, latents: str = "prior",
        temperature: float | Mapping[str, Any] | Schedule = COOLING, hard: bool = False, max_tokens: int = 20,
        start: int = 0, every: int = 1, examples: int = 32, embedding_dim: int = 64, filters: int = 64, lr: float = 1.0,
    ):  # fmt: skip
        super().__init__(weight, lr)
        for name, share in (("independency", independency), ("unlabelled", unlabelled), ("confidence", confidence)):
            if share < 0:
                raise ValueError(f"objective.controlled_generation.{name} is {share}; a weight cannot be negative")
        if not isinstance(max_tokens, int) or max_tokens < 1:
            raise ValueError(f"objective.controlled_generation.max_tokens is {max_tokens!r}; it must be a whole number of at least 1")
        choose(dict.fromkeys(LATENTS), latents, "origin of latents")
        self.attributes, self.independency, self.unlabelled, self.confidence = attributes, independency, unlabelled, confidence
        self.from_prior, self.hard, self.max_tokens = latents == "prior", hard, max_tokens
        self.temperature = build_temperature(temperature, where="objective.controlled_generation.temperature")
        self.sleep, self.classifier_shape = Sleep(start, every, examples), (embedding_dim, filters)
        self.known: dict[str, list[str]] = {}
        self.labels: list[Labels] = []
        self.discriminator: SentenceClassifier | None = None

    def bind(self, model: Autoencoder) -> None:
        if self.independency and model.config.posterior == "quantized":
            raise ValueError(
                "objective.controlled_generation.independency asks how likely a code is given a sentence, and the codes of posterior=quantized have "
                "no density: set it to 0"
            )
        self.known = given_attributes(model, "controlled_generation")
        self.labels = [Labels(name) for name in chosen(self.known, self.attributes)]
        sizes = [labels.bind(model) for labels in self.labels]
        self.discriminator = SentenceClassifier(model.config.vocab_size, sizes, *self.classifier_shape)

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """-log q_D(c|x̂) as value, with the independency as loss; the discriminator's loss; all nats a sentence."""
        own = self.real_loss(batch)
        if not self.sleep.due(step):
            nothing = output.nll.new_zeros(())
            return TermValue(nothing, nothing, own)
        z_BD, values_BA = self.draw(model, output)
        said = soft_generate(model.decoder, z_BD, values_BA, temperature=self.temperature(step), max_tokens=self.max_tokens, hard=self.hard)
        value_B = self._costs(frozen_call(self._made, said.probabilities, said.mask), values_BA).sum(1)
        loss_B = value_B
        if self.independency:
            loss_B = loss_B + self.independency * lost_code(model, said, z_BD)
        if self.unlabelled:
            own = own + self.unlabelled * self.generated_loss(said.detach(), values_BA)
        return TermValue(value_B, loss_B, own)

    def draw(self, model: Autoencoder, output: AutoencoderOutput) -> tuple[Tensor, Tensor]:
        """Codes, held constant, and a value of every attribute the decoder is given, all equally likely: (B, D), (B, A)."""
        num = self.sleep.size(len(output.z))
        z_BD = model.prior.sample(num).to(output.z.device) if self.from_prior else output.z[:num]
        columns = [torch.randint(len(values), (num,), device=z_BD.device) for _, values in sorted(self.known.items())]
        return z_BD.detach(), torch.stack(columns, 1)

    def real_loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The discriminator's cross-entropy on the labelled sentences of a batch (eq. 9), of the clean words."""
        words_BT = batch["labels"]
        logits = self._made.split(self._made(words_BT.clamp_min(0), (words_BT != IGNORED).long()))
        costs = []
        for labels, logits_BK in zip(self.labels, logits, strict=True):
            values_B = labels(batch)
            costs.append(labelled_mean(cross_entropy(logits_BK, values_B, ignore_index=-1, reduction="none"), values_B))
        return torch.stack(costs).sum()

    def generated_loss(self, said: SoftSentences, values_BA: Tensor) -> Tensor:
        """Its cross-entropy on generated sentences and its entropy there (eq. 10, with the sign of the text)."""
        logits = self._made(said.probabilities, said.mask)
        loss = self._costs(logits, values_BA).sum(1).mean()
        for logits_BK in self._made.split(logits):
            log_p_BK = logits_BK.log_softmax(1)
            loss = loss - self.confidence * (log_p_BK.exp() * log_p_BK).sum(1).mean()
        return loss

    def _costs(self, logits: Tensor, values_BA: Tensor) -> Tensor:
        """Cross-entropy of each judged attribute with the drawn values, (B, judged)."""
        columns, parts = sorted(self.known), zip(self.labels, self._made.split(logits), strict=True)
        costs = [cross_entropy(part_BK, values_BA[:, columns.index(labels.attribute)], reduction="none") for labels, part_BK in parts]
        return torch.stack(costs, 1)

    @property
    def _made(self) -> SentenceClassifier:
        assert self.discriminator is not None, "bind() comes first"
        return self.discriminator


def given_attributes(model: Autoencoder, term: str) -> dict[str, list[str]]:
    """The attributes that the decoder is given, of at least two values each.

    Raises:
        ValueError: It is given none, or one has a single value.
    """
    known = model.config.decoder_attributes
    if not known:
        raise ValueError(f"objective.{term}: the decoder is given no attributes: set data.attributes, and model.conditioned=true")
    for name, values in known.items():
        if len(values) < 2:
            raise ValueError(f"objective.{term}: attribute {name!r} has one value; it needs at least 2")
    return known
