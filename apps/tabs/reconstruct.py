"""The tab that encodes one sentence and decodes it again: what the model keeps of it, and what that costs."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from apps.limits import LIVE, MAX_CHARS, check_sentence
from apps.page_style import alert, changed, html, lead, listed, text
from apps.shelf import Shelf
from apps.tabs.choice import absent, model_choice
from textae.core.space import LatentSpace
from textae.metrics import count_words, perplexity

MAX_BEAMS = 10
BEAMS, SAMPLES, NEIGHBOURS = 5, 100, 5
# Below this many effective draws of `SAMPLES` the importance-weighted figure hangs on a few of them, and is said to.
FEW_DRAWS = 3
SENTENCES = [
    "I was happy to see you.",
    "Could you open the window, please?",
    "He has been waiting for an hour.",
    "The old man told us a story about the war.",
    "Colorless green ideas sleep furiously.",
]

LEAD = """A sentence is squeezed into one short vector and written again from that vector alone.
What comes back shows what the model understood, and the figures say what it cost."""
MORE = """
- **Reconstruction cost** is −log p(sentence | its code): how surprised the decoder is by your sentence when it knows the code.
- **KL** is how much the code says beyond what the prior already expects of any sentence.
- **NLL** is the cost of the whole sentence under the model, −log p(sentence): an upper bound from 100 importance-weighted draws
  (Burda et al. 2016, eq. 8). **Perplexity** is the same, per word and end mark.
- All are in nats; one nat is 1.44 bits. The alternatives are the five best sentences that beam search finds for the same code.
"""


@dataclass(frozen=True)
class Reconstruction:
    """A sentence and what the model makes of it.

    Attributes:
        sentence: As given.
        reconstruction: Greedy decoding of its code.
        alternatives: Beam search's best, the best first.
        exact: Whether the reconstruction is the sentence as the tokenizer can write it.
        nll: Importance-weighted upper bound on -log p(x), in nats; None for a model without a likelihood bound.
        perplexity: exp(nll / (words + 1)); None likewise.
        reconstruction_nll: -log p(x|z) at the code, in nats.
        kl: To the model's prior, in nats.
        effective_samples: Of the importance weights, out of `SAMPLES`.
        neighbours: The nearest of the model's bundled examples with their distance; empty where it has none.
    """

    sentence: str
    reconstruction: str
    alternatives: list[str]
    exact: bool
    nll: float | None
    perplexity: float | None
    reconstruction_nll: float
    kl: float
    effective_samples: float
    neighbours: list[dict[str, Any]]


def rebuild(space: LatentSpace, sentence: str, beams: int = BEAMS) -> Reconstruction:
    """Encode, decode in two ways, and score one sentence, the decoder being told what the readers find in it."""
    check_sentence(sentence)
    z, told = space.encode(sentence), space.told([sentence])
    greedy = space.decode(z, attributes=told)
    best = space.decode(z, attributes=told, num_beams=beams, num_return_sequences=beams) if beams > 1 else greedy
    score = space.score(sentence, samples=SAMPLES, attributes=None if told is None else space.own_values([sentence]))
    bounded = math.isfinite(score.nll)
    return Reconstruction(
        sentence=sentence,
        reconstruction=greedy,
        alternatives=[best] if isinstance(best, str) else list(dict.fromkeys(best)),
        exact=greedy == space.processor.normalize(sentence),
        nll=score.nll if bounded else None,
        perplexity=perplexity(score.nll, count_words(sentence), 1) if bounded else None,
        reconstruction_nll=score.reconstruction,
        kl=score.kl,
        effective_samples=score.effective_samples,
        neighbours=[asdict(n) for n in space.neighbours(sentence, num=NEIGHBOURS)] if space.examples else [],
    )


def reading(found: Reconstruction) -> list[str]:
    """The figures in plain words, a sentence each."""
    kept = sum(1 for w in found.reconstruction.split() if w in found.sentence.split())
    total = len(found.reconstruction.split())
    lines = [
        "The sentence comes back letter for letter." if found.exact
        else f"{kept} of the {total} words that come back are in your sentence; the rest is the model's guess." if total
        else "Nothing comes back: the model ends the sentence at once."
    ]  # fmt: skip
    if found.nll is None:
        return [*lines, "This model's codes are points, so it has no KL and no likelihood to report."]
    if found.kl > 0:
        lines.append(f"Its code carries {found.kl:.1f} nats ({found.kl / math.log(2):.0f} bits) that the prior did not know.")
    else:  # one draw's estimate, under a fitted prior, may fall below zero
        lines.append("Its code says nothing that the prior did not know.")
    if found.perplexity is not None and found.perplexity < 1e6:
        lines.append(f"At each word the model was as unsure as if it chose evenly among {found.perplexity:,.0f} words.")
    else:
        lines.append("At each word the model was more unsure than any vocabulary allows: this is no sentence to it.")
    if found.effective_samples < FEW_DRAWS:
        lines.append(f"Only about {max(1, round(found.effective_samples))} of {SAMPLES} draws decide the NLL: the true one may be lower.")
    return lines


def build(shelf: Shelf) -> None:
    """Add the tab's components."""
    names = shelf.names("text")
    if not names:
        return absent("text")

    def show(model: str, sentence: str) -> tuple[Any, str]:
        try:
            return _html(rebuild(shelf.open(model, "text"), sentence)), alert()
        except ValueError as error:
            return gr.skip(), alert(error)

    first = show(names[0], SENTENCES[0])
    lead(LEAD, MORE)
    model = model_choice(shelf, "text")
    sentence = gr.Textbox(SENTENCES[0], label="Your sentence", max_length=MAX_CHARS, elem_id="sentence")
    message = html(first[1], elem_classes=["ta-html", "ta-alert-slot"])
    result = html(first[0], elem_id="rebuilt")
    gr.Examples(
        [[s] for s in SENTENCES], [sentence], label="Sentences to try", api_visibility="private", cache_examples=False,
        example_labels=SENTENCES,
    )  # fmt: skip
    gr.on([model.change, sentence.change], show, [model, sentence], [result, message], **LIVE)


def _html(found: Reconstruction) -> str:
    figures = [("Reconstruction cost", f"{found.reconstruction_nll:.1f}", "nats")]
    if found.nll is not None and found.perplexity is not None:
        ppl = f"{found.perplexity:,.1f}" if found.perplexity < 1e6 else "> 1,000,000"
        figures += [("KL", f"{found.kl:.1f}", "nats"), ("NLL", f"{found.nll:.1f}", "nats"), ("Perplexity", ppl, "per word")]
    numbers = "".join(f"<div><dt>{name}</dt><dd>{value} <small>{unit}</small></dd></div>" for name, value, unit in figures)
    words = "".join(f"<li>{text(line)}</li>" for line in reading(found))
    near = listed((n["example"], f"{n['distance']:.2f}") for n in found.neighbours)
    lists = f'<section class="ta-card"><h2>Alternatives, by beam search</h2>{listed((s, "") for s in found.alternatives)}</section>'
    if found.neighbours:
        lists += f'<section class="ta-card"><h2>Nearest examples, by distance of codes</h2>{near}</section>'
    return (
        '<div class="ta-stack"><section class="ta-card" aria-live="polite"><h2>What comes back</h2>'
        f'<p class="ta-big"><span>{changed(found.reconstruction, found.sentence)}</span></p></section>'
        f'<section class="ta-card"><dl class="ta-numbers">{numbers}</dl><ul class="ta-reading">{words}</ul></section>'
        f'<div class="ta-columns" style="margin-top:0">{lists}</div></div>'
    )
