"""Endpoints of models of sentences, and the list of all models."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from apps.editing import MAX_CANDIDATES, MAX_ROWS, METHODS, edit_one, edit_parts
from apps.limits import (
    LONG_LINE,
    ONE_LINE,
    check_attributes,
    check_choice,
    check_codes,
    check_number,
    check_sentence,
    check_sentences,
    check_whole,
    refusing,
)
from apps.paths import between, evenly, through
from apps.shelf import Shelf
from apps.tabs.reconstruct import BEAMS, MAX_BEAMS, rebuild
from apps.tabs.sample import MAX_NUM, MAX_SPREAD, draw, vary

MAX_STEPS, MAX_ENCODED, MAX_TERMS, MAX_NEAR, MAX_SAMPLES, MAX_SPAN = 25, 64, 16, 50, 200, 10.0


def register(shelf: Shelf) -> None:
    """Add `models`, and where there is a model of sentences every verb of its space."""

    def models() -> list[dict[str, Any]]:
        """The models that every other endpoint's `model` may name, the default of each modality first.

        Returns:
            For each `name`, `modality` ("text" or "images"), `type`, `latent_dim`, and `attributes`: the values it is conditioned on.
        """
        return [shelf.summary(name) for kind in ("text", "images") for name in shelf.names(kind)]

    gr.api(refusing(models), api_name="models", **ONE_LINE)
    if not shelf.names("text"):
        return
    default = shelf.names("text")[0]

    def opened(model: str) -> Any:
        return shelf.open(model, "text")

    def encode(sentences: list[str], model: str = default) -> list[list[float]]:
        """Codes of sentences: the means of their posteriors.

        Args:
            sentences: 1 to 64, each of at most 500 characters.
            model: One of `models`.

        Returns:
            A list of `latent_dim` numbers for each sentence.
        """
        return opened(model).encode(check_sentences(sentences, MAX_ENCODED)).tolist()

    def decode(codes: list[list[float]], attributes: dict[str, str] | None = None, model: str = default) -> list[str]:
        """Sentences at codes, by greedy decoding.

        Args:
            codes: 1 to 64 lists of `latent_dim` numbers.
            attributes: Values to condition on, such as {"tense": "past"}, of a model that knows some.
            model: One of `models`.
        """
        space = opened(model)
        import torch

        z = torch.tensor(check_codes(codes, space.latent_dim, MAX_ENCODED))
        return space.decode(z, attributes=check_attributes(attributes, space.model.config.decoder_attributes))

    def reconstruct(sentence: str, beams: int = BEAMS, model: str = default) -> dict[str, Any]:
        """Encode a sentence, decode it again, and score it.

        Args:
            sentence: At most 500 characters.
            beams: Width of the beam search behind `alternatives`, 1 to 10.
            model: One of `models`.

        Returns:
            `reconstruction` (greedy), `alternatives`, `exact`; in nats `nll` (importance-weighted, 100 draws),
            `reconstruction_nll` and `kl`; `perplexity` per word and end mark; `effective_samples`; `neighbours`.
        """
        return asdict(rebuild(opened(model), sentence, check_whole(beams, "beams", 1, MAX_BEAMS)))

    def sample(
        num: int = 10, spread: float = 1.0, seed: int = 0, attributes: dict[str, str] | None = None, model: str = default
    ) -> list[str]:
        """Draw sentences from the model's prior.

        Args:
            num: How many, 1 to 50.
            spread: Scale of the prior's noise, 0 to 2; below one is more typical.
            seed: Makes the draw repeatable, 0 to 2147483647.
            attributes: Values to condition on, such as {"tense": "past"}, of a model that knows some.
            model: One of `models`.
        """
        return draw(opened(model), num, spread, seed, attributes)

    def variations(sentence: str, num: int = 10, noise: float = 0.5, seed: int = 0, model: str = default) -> list[str]:
        """Sentences around one: encode it, add noise to its code, decode.

        Args:
            sentence: At most 500 characters.
            num: How many, 1 to 50.
            noise: Standard deviation of the noise in every dimension, 0 to 3.
            seed: Makes the draw repeatable, 0 to 2147483647.
            model: One of `models`.
        """
        return vary(opened(model), sentence, num, noise, seed)

    def interpolate(a: str, b: str, steps: int = 7, path: str = "lerp", model: str = default) -> list[dict[str, Any]]:
        """Walk from sentence a to sentence b through latent space.

        Args:
            a: The first sentence, at most 500 characters.
            b: The second sentence.
            steps: Points on the path, 2 to 25, both ends included.
            path: "lerp" (a straight line) or "slerp" (an arc).
            model: One of `models`.

        Returns:
            For each step `t` (0 to 1), `sentence`, `nll` (its cost under the decoder in nats), and `like_a` and `like_b`: the
            share of content words that it has in common with the ends (F1, 0 to 1).
        """
        positions = evenly(check_whole(steps, "steps", 2, MAX_STEPS))
        return [asdict(step) for step in between(opened(model), a, b, path).steps(positions)]

    def point(a: str, b: str, t: float, path: str = "lerp", model: str = default) -> str:
        """The sentence at one point of the path from a to b.

        Args:
            a: The first sentence, at most 500 characters.
            b: The second sentence.
            t: The position, 0 (a) to 1 (b).
            path: "lerp" (a straight line) or "slerp" (an arc).
            model: One of `models`.
        """
        return between(opened(model), a, b, path).sentences([check_number(t, "t", 0, 1)])[0]

    def edit_path(
        sentence: str, attributes: dict[str, str], steps: int = 7, method: str = "auto", strength: float = 1.0, model: str = default
    ) -> list[dict[str, Any]]:
        """Walk from a sentence to its edit: other attributes with a growing strength.

        Args:
            sentence: At most 500 characters.
            attributes: Wanted values, such as {"tense": "past"}; see `attributes`.
            steps: Points on the path, 2 to 25, both ends included.
            method: "auto", "condition", "offset", "probe", "gradient" or "ode".
            strength: At the end of the path; 1 is one step as the method counts it, above 0 and at most 2.
            model: One of `models`.

        Returns:
            As of `interpolate`.
        """
        space, positions = opened(model), evenly(check_whole(steps, "steps", 2, MAX_STEPS))
        wanted = check_attributes(attributes, space.attributes)
        way = check_choice(method, "the method", METHODS), check_number(strength, "strength", 0.01, 2.0)
        return [asdict(step) for step in through(space, check_sentence(sentence), wanted, *way).steps(positions)]

    def traverse(sentence: str, dimension: int, span: float = 3.0, steps: int = 7, model: str = default) -> list[str]:
        """Sentences with one dimension of their code set from -span to span.

        Args:
            sentence: At most 500 characters.
            dimension: Counted from 0.
            span: The largest value, 0 to 10.
            steps: How many, 2 to 25.
            model: One of `models`.
        """
        space = opened(model)
        where = check_whole(dimension, "the dimension", 0, space.latent_dim - 1)
        size = check_number(span, "span", 0, MAX_SPAN)
        return space.traverse(check_sentence(sentence), where, span=size, steps=check_whole(steps, "steps", 2, MAX_STEPS))

    def neighbours(sentence: str, num: int = 5, model: str = default) -> list[dict[str, Any]]:
        """The model's bundled examples nearest to a sentence.

        Args:
            sentence: At most 500 characters.
            num: How many, 1 to 50.
            model: One of `models`.

        Returns:
            For each `example` and `distance`: Euclidean, between posterior means.
        """
        return [asdict(n) for n in opened(model).neighbours(check_sentence(sentence), num=check_whole(num, "num", 1, MAX_NEAR))]

    def arithmetic(plus: list[str], minus: list[str] | None = None, model: str = default) -> str:
        """The sentence at a sum of codes: plus=[a, c], minus=[b] is a - b + c.

        Args:
            plus: 1 to 16 sentences whose codes are added.
            minus: Sentences whose codes are taken away, at most 16.
            model: One of `models`.
        """
        taken = check_sentences(minus, MAX_TERMS, "minus") if minus else []
        return opened(model).arithmetic(check_sentences(plus, MAX_TERMS, "plus"), taken)

    def score(sentence: str, samples: int = 100, seed: int = 0, model: str = default) -> dict[str, Any]:
        """How well the model explains a sentence, in nats.

        Args:
            sentence: At most 500 characters.
            samples: Importance-weighted draws, 1 to 200.
            seed: Of the draws, 0 to 2147483647.
            model: One of `models`.

        Returns:
            `nll` (None for a model without a likelihood bound), `reconstruction`, `kl`, `effective_samples`, `samples`, and
            `count` of tokens.
        """
        from apps.limits import check_seed

        draws, seed = check_whole(samples, "samples", 1, MAX_SAMPLES), check_seed(seed)
        found = asdict(opened(model).score(check_sentence(sentence), samples=draws, seed=seed))
        return {k: None if v != v else v for k, v in found.items()}  # NaN is no JSON

    def attributes(model: str = default) -> dict[str, list[str]]:
        """What a model's edits can change, with the values of each; empty for a model that knows no attributes.

        Args:
            model: One of `models`.
        """
        return opened(model).attributes

    def edit(
        sentence: str, attributes: dict[str, str | float], method: str = "auto", strength: float = 1.0, candidates: int = 12,
        model: str = default,
    ) -> dict[str, Any]:  # fmt: skip
        """Give a sentence other attributes and keep the rest.

        Args:
            sentence: At most 500 characters.
            attributes: Wanted values, such as {"tense": "past", "sentiment": "negative"}; of a two-valued attribute also a
                number, whose sign picks the value and whose size multiplies the strength.
            method: "auto", "condition", "offset", "probe", "gradient" or "ode".
            strength: 1 is one step as the method counts it; above 0 and at most 2.
            candidates: From which the best is chosen, 1 to 24; 1 is the quickest.
            model: One of `models`.

        Returns:
            `text`, `changed`, `reached` (whether the reader finds the wanted values in it), `reason` where something is
            missing, `attributes` (the reader's probabilities), `similarity`, `kept`, `nll`, `method`, `candidates`.
        """
        return asdict(edit_one(opened(model), sentence, attributes, method, strength, candidates))

    def edit_many(
        sentences: list[str], attributes: dict[str, str | float], method: str = "auto", strength: float = 1.0, candidates: int = 6,
        model: str = default,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """`edit` of a list.

        Args:
            sentences: 1 to 200, each of at most 500 characters.
            attributes, method, strength: As of `edit`.
            candidates: 1 to 24.
            model: One of `models`.

        Returns:
            What `edit` returns, in the order of the sentences.
        """
        parts: Iterator[list[Any]] = edit_parts(opened(model), check_sentences(sentences, MAX_ROWS), attributes, method, strength, candidates)
        return [asdict(found) for part in parts for found in part]

    for verb in (encode, decode, reconstruct, sample, variations, interpolate, point, edit_path, traverse, neighbours, arithmetic, score,
                 attributes, edit):  # fmt: skip
        gr.api(refusing(verb), api_name=verb.__name__, **ONE_LINE)
    gr.api(refusing(edit_many), api_name="edit_many", **LONG_LINE)


assert MAX_CANDIDATES == 24 and MAX_NUM == 50 and MAX_SPREAD == 2.0  # as the docstrings say
