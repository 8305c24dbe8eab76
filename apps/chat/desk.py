"""The chat of a page: a guide for each model of its shelf and the walk that a visitor finds there, made once and shared; no visitor's own."""

import secrets
import threading
from dataclasses import replace

from apps.chat import opening
from apps.chat.guide import Guide
from apps.chat.store import from_json, from_link
from apps.chat.walk import Walk
from apps.shelf import Shelf

SEEDS = 10**6  # as many as are still short in a link


class Desk:
    """Guides by model.

    Args:
        shelf: With a model of sentences.
    """

    def __init__(self, shelf: Shelf):
        self.shelf = shelf
        self._guides: dict[str, Guide] = {}
        self._first: dict[str, Walk] = {}
        self._lock = threading.Lock()

    @property
    def default(self) -> str:
        """The model that a visitor begins with."""
        return self.shelf.names("text")[0]

    def guide(self, model: str) -> Guide:
        """The guide of a model; its map is made at the first call.

        Raises:
            ValueError: No such model of sentences stands on the shelf.
        """
        space = self.shelf.open(model, "text")
        with self._lock:
            if model not in self._guides:
                self._guides[model] = Guide.of(space)
            return self._guides[model]

    def first(self, model: str) -> Walk:
        """A short walk that is there already when somebody comes."""
        guide = self.guide(model)
        if model not in self._first:
            self._first[model] = opening.first_walk(guide, model)
        return self._first[model]

    def begin(self, model: str) -> Walk:
        """The first walk for one visitor, whose draws are no other's: nothing in it is drawn, so it is the same with any seed."""
        return replace(self.first(model), seed=secrets.randbelow(SEEDS))

    def new(self, model: str) -> Walk:
        """A conversation in which nothing was said."""
        return Walk(model, secrets.randbelow(SEEDS))

    def is_own(self, walk: Walk) -> bool:
        """Whether a visitor said anything in it."""
        return walk.turns not in ((), self.first(walk.model).turns)

    def answer(self, walk: Walk, message: str) -> Walk:
        """The walk after a message."""
        return self.guide(walk.model).answer(walk, message)

    def replayed(self, link: str) -> Walk:
        """The walk of a link.

        Raises:
            ValueError: The link is damaged, or names a model that is not on this page.
        """
        model, seed, messages = from_link(link)
        return self.guide(model).replay(model, messages, seed)

    def imported(self, text: str) -> Walk:
        """The walk of an exported file.

        Raises:
            ValueError: It is none, it was held with a model that is not on this page, or it tells of attributes that the model lacks.
        """
        guide = self.guide(from_json(text).model)
        walk, readers = from_json(text, guide.space.latent_dim), guide.space.readers
        for step in (turn.step for turn in walk.turns if turn.step is not None):
            for name, row in step.attributes.items():
                if name not in readers or not set(row) <= set(readers[name].values):
                    raise ValueError(f"the conversation reads values of {name[:40]!r} that {walk.model} does not know: it was changed, or held elsewhere")
        return walk
