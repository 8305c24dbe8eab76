"""Edits as the page and its API allow them: checked, and a list of sentences in parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.limits import check_attributes, check_choice, check_number, check_sentence, check_whole
from textae.editing import METHODS, Edit

if TYPE_CHECKING:
    from textae.space import LatentSpace

MAX_CANDIDATES, MAX_STRENGTH, LEAST_STRENGTH = 24, 2.0, 0.01
MAX_ROWS = 200  # sentences of a list
MAX_WORDS = 40  # of a sentence: three times the longest of everyday text; an edit decodes two dozen as long, while others wait
PART = 8  # sentences of a list that are edited at once: about a second of work, after which the bar moves


def edit_one(space: "LatentSpace", sentence: Any, attributes: Any, method: Any, strength: Any, candidates: Any) -> Edit:
    """`LatentSpace.edit` of one sentence.

    Raises:
        ValueError: Something is not as it must be.
    """
    sentence = check_sentence(sentence)
    if reason := too_long(sentence):
        raise ValueError(f"the sentence has {reason}")
    wanted, options = _checked(space, attributes, method, strength, candidates)
    return space.edit(sentence, **options, **wanted)


def too_long(sentence: str) -> str:
    """Why a sentence is not edited here, after "it has"; empty where it is."""
    words = len(sentence.split())
    return f"{words} words; this page edits sentences of at most {MAX_WORDS}" if words > MAX_WORDS else ""


def edit_parts(
    space: "LatentSpace", sentences: Sequence[str], attributes: Any, method: Any, strength: Any, candidates: Any
) -> Iterator[list[Edit]]:
    """`LatentSpace.edit` of a list, `PART` sentences at a time; arguments are checked before the first part.

    A sentence that the model cannot take comes back as it is, with the reason.
    """
    wanted, options = _checked(space, attributes, method, strength, candidates)
    for start in range(0, len(sentences), PART):
        yield _part(space, list(sentences[start : start + PART]), wanted, options)


def _part(space: "LatentSpace", sentences: list[str], wanted: Mapping[str, Any], options: Mapping[str, Any]) -> list[Edit]:
    found: list[Edit | None] = []
    for sentence in sentences:
        reason = too_long(sentence) or _refusal(space, sentence)
        if reason:
            named = {k: str(v) for k, v in wanted.items()}
            found.append(Edit(sentence, sentence, False, None, reason, named, {}, 1.0, 1.0, None, str(options["method"])))
        else:
            found.append(None)
    todo = [i for i, edit in enumerate(found) if edit is None]
    if todo:
        for i, edit in zip(todo, space.edit([sentences[i] for i in todo], **options, **wanted), strict=True):
            found[i] = edit
    return [edit for edit in found if edit is not None]


def _refusal(space: "LatentSpace", sentence: str) -> str:
    """Why a model cannot take a sentence; empty where it can."""
    try:
        space.processor.check([sentence])
    except ValueError as error:
        return str(error).removeprefix("sentence 1 has ")
    return ""


def _checked(space: "LatentSpace", attributes: Any, method: Any, strength: Any, candidates: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    wanted = check_attributes(attributes, space.attributes, numbers=True)
    if not wanted:
        known = ", ".join(f"{name} ({', '.join(values)})" for name, values in space.attributes.items())
        raise ValueError(f"say what to change: {known}" if known else "this model knows no attributes, so it cannot edit: choose another one")
    options = {
        "method": check_choice(method, "the method", METHODS),
        "strength": check_number(strength, "strength", LEAST_STRENGTH, MAX_STRENGTH),
        "candidates": check_whole(candidates, "candidates", 1, MAX_CANDIDATES),
    }
    return wanted, options
