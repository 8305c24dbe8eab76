"""There and back: a sentence is given another attribute, read again, and must come back with its own.

Shapes: B sentences, A attributes, T tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from textae.core.autoencoder import Autoencoder, AutoencoderOutput
from textae.core.objectives.attributes import Labels, chosen
from textae.core.objectives.base import Term, TermValue
from textae.core.schedules import Schedule
from textae.models.soft_generation import SoftSentences, soft_generate
from textae.objectives.controlled_generation import given_attributes
from textae.objectives.generated import build_temperature, code_read
from textae.objectives.phases import Sleep


class Cycle(Term):
    """-log p(x | z', a) in nats, z' being the code of the sentence that z and *other* values of a were decoded to.

    Back-translation between attributes (Lample et al. 2019, sec. 3.2; Prabhumoye et al. 2018 for style): what an edit
    throws away cannot be found again, so content is kept. It does not ask that the edit show the new value: a decoder
    that copies is free of cost, so it belongs beside `controlled_generation`, or an adversary that keeps a out of z.

    By default the sentence in the middle is decoded greedily and is a constant, as in the paper: reader and writer learn
    to undo edits. With `through` the gradient goes through it as well (Gumbel-softmax): the writer learns to make edits
    that can be undone.

    Args:
        weight: Of the cost.
        attributes: Those that are changed, where they are labelled; None: all that the decoder is given. Sentences without
            a label to change are left out.
        through: Whether the sentence in the middle is soft and has a gradient.
        temperature: Of the soft sentence, above 0; a number or a schedule.
        hard: Words forward and soft gradients backward.
        max_tokens: Of the sentence in the middle.
        start: Optimizer steps before the first.
        every: Every so many steps; elsewhere the cost is 0.
        examples: Sentences at once, the first of the batch that can be changed; 0: all.
    """

    def __init__(
        self, weight: float | Mapping[str, Any] | Schedule = 1.0, *, attributes: Sequence[str] | None = None, through: bool = False,
        temperature: float | Mapping[str, Any] | Schedule = 1.0, hard: bool = False, max_tokens: int = 30,
        start: int = 0, every: int = 1, examples: int = 0,
    ):  # fmt: skip
        super().__init__(weight)
        if hard and not through:
            raise ValueError("objective.cycle.hard is about a sentence with a gradient: set through=true, or leave hard out")
        if not isinstance(max_tokens, int) or max_tokens < 1:
            raise ValueError(f"objective.cycle.max_tokens is {max_tokens!r}; it must be a whole number of at least 1")
        self.attributes, self.through, self.hard, self.max_tokens = attributes, through, hard, max_tokens
        self.temperature = build_temperature(temperature, where="objective.cycle.temperature")
        self.sleep = Sleep(start, every, examples)
        self.labels: list[Labels] = []
        self.sizes: dict[int, int] = {}  # values of each changed attribute, by its column

    def bind(self, model: Autoencoder) -> None:
        known = given_attributes(model, "cycle")
        self.labels = [Labels(name) for name in chosen(known, self.attributes)]
        self.sizes = {sorted(known).index(labels.attribute): labels.bind(model) for labels in self.labels}

    def forward(self, model: Autoencoder, output: AutoencoderOutput, batch: dict[str, Tensor], step: int) -> TermValue:
        """The mean over the changed sentences, shape (); 0 where there is none."""
        nothing = output.nll.new_zeros(())
        if not self.sleep.due(step):
            return TermValue(nothing, nothing)
        labelled_B = torch.stack([labels(batch) >= 0 for labels in self.labels]).any(0)
        rows = labelled_B.nonzero()[:, 0]
        rows = rows[: self.sleep.size(len(rows))]
        if not len(rows):
            return TermValue(nothing, nothing)
        part = {name: tensor[rows] for name, tensor in batch.items()}
        said = self.edit(model, output.z[rows], self.others(part["attributes"]), step)
        value = model.nll(code_read(model, said, soft=self.through), **part)[0].mean()
        return TermValue(value, value)

    def others(self, attributes_BA: Tensor) -> Tensor:
        """The same labels, with another value drawn for each that is changed and known: all others equally likely."""
        changed_BA = attributes_BA.clone()
        for column, size in self.sizes.items():
            values_B = attributes_BA[:, column]
            other_B = (values_B + 1 + torch.randint(size - 1, values_B.shape, device=values_B.device)) % size
            changed_BA[:, column] = torch.where(values_B < 0, values_B, other_B)
        return changed_BA

    def edit(self, model: Autoencoder, z_BD: Tensor, attributes_BA: Tensor, step: int) -> SoftSentences:
        """The sentence in the middle."""
        if self.through:
            return soft_generate(
                model.decoder, z_BD, attributes_BA, temperature=self.temperature(step), max_tokens=self.max_tokens, hard=self.hard
            )
        with torch.no_grad():
            return soft_generate(model.decoder, z_BD, attributes_BA, max_tokens=self.max_tokens, hard=True, noise=False)
