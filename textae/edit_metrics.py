"""Numbers of edits: did the attribute change, did the content stay, is it still a sentence; no model of edits here.

Read all the figures together: each alone is won by something trivial. A copy has a self-BLEU of 100, one sentence that
is always right an accuracy of 100, a template that swaps words a high geometric mean of the two, dull text a low
perplexity. BLEU and percent run from 0 to 100. Content words are English.

Shapes: N edits, M statistics that are summed over them.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from textae.classifiers import JUDGES
from textae.classifiers.base import Classifier
from textae.content import content_f1
from textae.core.config import nearest
from textae.metrics import distinct_n
from textae.ngram import TrigramLM, check_sentences, words

BLEU_ORDER = 4
COVERAGE = 95  # percent of an interval


@dataclass(frozen=True)
class EditFigures:
    """What a list of edits is worth; every mean is over all of them, the unchanged and the empty ones included."""

    num_edits: int
    accuracy: float
    """ACC: percent of edits that have the wanted value, mean of the judges. An empty edit never has it."""
    accuracy_by_judge: dict[str, float]
    """The same of each judge."""
    source_accuracy: float
    """The same of the sources: what a copy scores, and how far judges and labels disagree."""
    self_bleu: float
    """Corpus BLEU-4 of edits against their sources: what was kept (not `textae.metrics.self_bleu`, of diversity)."""
    geometric_mean: float
    """sqrt(accuracy x self_bleu)."""
    reference_bleu: float | None
    """Corpus BLEU-4 against the references, of which each edit may have several; None without."""
    exact_match: float | None
    """Percent of edits that equal a reference character for character; None without."""
    ppl: float
    """Perplexity of edits under the language model, per word and end."""
    source_ppl: float
    """The same of the sources."""
    ppl_ratio: float
    """ppl / source_ppl: above 1 is less fluent than the sources, far below 1 is duller."""
    content_overlap: float
    """100 x mean F1 of the content words of an edit and its source; 100 where neither has any."""
    unchanged: float
    """Percent of edits that equal their source but for white space."""
    empty: float
    """Percent of edits without a word."""
    distinct_1: float
    """Distinct words over words of the edits, 0 to 1."""
    distinct_2: float
    """The same of pairs of words."""
    intervals: dict[str, tuple[float, float]]
    """95 % bootstrap intervals of the figures above by name, judges as `accuracy:name`; none of distinct_n, which
    resampling biases. They say what other sentences would have given, and nothing of another training run."""


def edit_figures(
    sources: Sequence[str],
    edits: Sequence[str],
    wanted: str | Sequence[str],
    judges: Mapping[str, Classifier],
    lm: TrigramLM,
    references: Sequence[str | Sequence[str]] | None = None,
    *,
    excluded: Collection[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> EditFigures:
    """Judge edits: see the fields of `EditFigures`.

    BLEU is sacrebleu's with its defaults, as in `textae.metrics.corpus_bleu`. Intervals are percentiles over draws of N
    edits with replacement, the same draw for all the figures (Koehn 2004, sec. 3.2).

    Args:
        sources: What was edited, N sentences.
        edits: What came out, in the same order; may be empty strings.
        wanted: The value that each edit was to have, or one for all.
        judges: Classifiers by name, of the kinds in `textae.classifiers.JUDGES`: a `bag` is what methods may ask.
        lm: Trained on training text.
        references: The right answer to each, or several of them; None where nobody wrote any.
        excluded: Lower-case words that carry the attribute ("delicious"), which do not count as content.
        resamples: Draws of the bootstrap; 0 for no intervals.
        seed: Of the draws.

    Raises:
        ValueError: A list is empty, is a string or has another length; no judges, or one that is a reader; a wanted
            value that a judge does not know; an empty source or reference.
    """
    wanted = _check(sources, edits, wanted, judges, references, resamples)
    parts = _statistics(sources, edits, wanted, judges, lm, references, frozenset(excluded))
    names, widths = list(parts), [part.shape[1] for part in parts.values()]
    matrix_NM = np.concatenate(list(parts.values()), axis=1)
    cuts = np.cumsum(widths)[:-1]

    def figures(weights_N: np.ndarray) -> dict[str, float]:
        return _from_sums(dict(zip(names, np.split(weights_N @ matrix_NM, cuts), strict=True)), list(judges))

    num = len(edits)
    found, intervals = figures(np.ones(num)), {}
    if resamples:
        rng = np.random.default_rng(seed)
        drawn = [figures(np.bincount(rng.integers(num, size=num), minlength=num)) for _ in range(resamples)]
        tails = ((100 - COVERAGE) / 2, (100 + COVERAGE) / 2)
        for name in found:
            low, high = np.percentile([figure[name] for figure in drawn], tails)
            intervals[name] = (float(low), float(high))
    by_judge = {name: found.pop(f"accuracy:{name}") for name in judges}
    optional = {"reference_bleu": None, "exact_match": None}
    return EditFigures(
        num_edits=num,
        accuracy_by_judge=by_judge,
        distinct_1=distinct_n(edits, 1),
        distinct_2=distinct_n(edits, 2),
        intervals=intervals,
        **{**optional, **found},
    )


def tradeoff(
    sources: Sequence[str],
    edits_by_strength: Mapping[float, Sequence[str]],
    wanted: str | Sequence[str],
    judges: Mapping[str, Classifier],
    lm: TrigramLM,
    references: Sequence[str | Sequence[str]] | None = None,
    *,
    excluded: Collection[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[float, EditFigures]:
    """`edit_figures` of one method at several strengths k, weakest first: what accuracy costs.

    Args:
        edits_by_strength: The edits of the same sources at each strength.
        sources, wanted, judges, lm, references, excluded, resamples, seed: Of `edit_figures`.

    Raises:
        ValueError: No strengths, one that is no finite number, or see `edit_figures`.
    """
    if not edits_by_strength:
        raise ValueError("a trade-off needs edits of at least one strength")
    for strength in edits_by_strength:
        if not math.isfinite(strength):
            raise ValueError(f"the strength {strength} is no finite number")
    options = {"excluded": excluded, "resamples": resamples, "seed": seed}
    return {
        strength: edit_figures(sources, edits_by_strength[strength], wanted, judges, lm, references, **options)
        for strength in sorted(edits_by_strength)
    }


def _statistics(
    sources: Sequence[str],
    edits: Sequence[str],
    wanted: Sequence[str],
    judges: Mapping[str, Classifier],
    lm: TrigramLM,
    references: Sequence[str | Sequence[str]] | None,
    excluded: frozenset[str],
) -> dict[str, np.ndarray]:
    """What the figures are made of: of each edit, numbers whose sums decide them, each of shape (N, some)."""
    pairs = list(zip(sources, edits, strict=True))
    found = {
        "correct": np.stack([_correct(judge, edits, wanted) for judge in judges.values()], axis=1),
        "source_correct": np.stack([_correct(judge, sources, wanted) for judge in judges.values()], axis=1),
        "self_bleu": _bleu_counts(edits, [[source] for source in sources]),
        "nats": np.array([[*_nats(lm, edit), *_nats(lm, source)] for source, edit in pairs]),
        "overlap": np.array([[content_f1(source, edit, excluded)] for source, edit in pairs]),
        "unchanged": np.array([[source.split() == edit.split()] for source, edit in pairs]),
        "empty": np.array([[not edit.strip()] for edit in edits]),
        "one": np.ones((len(edits), 1)),
    }
    if references is not None:
        several = [[given] if isinstance(given, str) else list(given) for given in references]
        found["reference_bleu"] = _bleu_counts(edits, several)
        found["exact"] = np.array([[edit in given] for edit, given in zip(edits, several, strict=True)])
    return {name: part.astype(np.float64) for name, part in found.items()}


def _from_sums(sums: Mapping[str, np.ndarray], judges: Sequence[str]) -> dict[str, float]:
    """The figures, from sums over edits (or over a draw of them)."""
    num = sums["one"][0]
    accuracies = 100 * sums["correct"] / num
    ppl, source_ppl = _ppl(*sums["nats"][:2]), _ppl(*sums["nats"][2:])
    self_bleu = _bleu(sums["self_bleu"])
    figures = {
        "accuracy": accuracies.mean(),
        **{f"accuracy:{name}": value for name, value in zip(judges, accuracies, strict=True)},
        "source_accuracy": 100 * sums["source_correct"].mean() / num,
        "self_bleu": self_bleu,
        "geometric_mean": math.sqrt(accuracies.mean() * self_bleu),
        "ppl": ppl,
        "source_ppl": source_ppl,
        "ppl_ratio": ppl / source_ppl,
        "content_overlap": 100 * sums["overlap"][0] / num,
        "unchanged": 100 * sums["unchanged"][0] / num,
        "empty": 100 * sums["empty"][0] / num,
    }
    if "exact" in sums:
        figures |= {"reference_bleu": _bleu(sums["reference_bleu"]), "exact_match": 100 * sums["exact"][0] / num}
    return {name: float(value) for name, value in figures.items()}


def _correct(judge: Classifier, texts: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Whether the judge finds the wanted value in each text, bool of shape (N,); never in an empty one."""
    asked = [i for i, text in enumerate(texts) if text.strip()]
    found = np.zeros(len(texts), dtype=bool)
    found[asked] = [said == wanted[i] for i, said in zip(asked, judge.predict([texts[i] for i in asked]), strict=True)]
    return found


def _nats(lm: TrigramLM, text: str) -> tuple[float, int]:
    """-log p(text) in nats, and how many words and ends that is."""
    return -lm.log_prob(text), len(words(text, lowercase=lm.lowercase)) + 1


def _ppl(nats: float, count: float) -> float:
    return math.exp(nats / count)


def _bleu_counts(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """What BLEU is made of: n-grams matched and written for n = 1..4, length, and closest reference's; shape (N, 10)."""
    from sacrebleu.metrics import BLEU

    bleu = BLEU(force=True, effective_order=True)
    scores = [bleu.sentence_score(h, list(given)) for h, given in zip(hypotheses, references, strict=True)]
    return np.array([[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in scores])


def _bleu(sums: np.ndarray) -> float:
    from sacrebleu.metrics import BLEU

    counts = [round(value) for value in sums]
    correct, total = counts[:BLEU_ORDER], counts[BLEU_ORDER : 2 * BLEU_ORDER]
    return BLEU.compute_bleu(correct, total, *counts[2 * BLEU_ORDER :], smooth_method="exp").score


def _check(
    sources: Sequence[str],
    edits: Sequence[str],
    wanted: str | Sequence[str],
    judges: Mapping[str, Classifier],
    references: Sequence[str | Sequence[str]] | None,
    resamples: int,
) -> Sequence[str]:
    """Raise the ValueErrors of `edit_figures`; the wanted value of each edit."""
    check_sentences("sources", sources)
    check_sentences("edits", edits)
    wanted = [wanted] * len(edits) if isinstance(wanted, str) else wanted
    lists = {"sources": sources, "edits": edits, "wanted values": wanted}
    if references is not None:
        check_sentences("references", references)
        lists["references"] = references
    if len({len(given) for given in lists.values()}) > 1:
        sizes = ", ".join(f"{len(given)} {name}" for name, given in lists.items())
        raise ValueError(f"need one of each for every edit; got {sizes}")
    for name, given in (("source", sources), ("edit", edits)):
        for number, text in enumerate(given, 1):
            if not isinstance(text, str):
                raise ValueError(f"{name} {number} is {type(text).__name__}, not text")
    for number, source in enumerate(sources, 1):
        if not source.strip():
            raise ValueError(f"source {number} is empty: there is nothing to edit")
    for number, given in enumerate(references or (), 1):
        if not given or not all(one.strip() for one in ([given] if isinstance(given, str) else given)):
            raise ValueError(f"the references of edit {number} are {given!r}: each must hold a sentence")
    if not judges:
        raise ValueError("no judges: give at least one classifier by name")
    for name, judge in judges.items():
        if judge.kind not in JUDGES:
            known = " or ".join(JUDGES)
            raise ValueError(f"{name!r} is a {judge.kind!r}, which editors may ask; a judge is a classifier {known}")
        for value in sorted(set(wanted), key=str):
            if value not in judge.values:
                raise ValueError(f"the judge {name!r} knows no value {value!r}: {nearest(value, judge.values)}")
    if resamples < 0:
        raise ValueError(f"resamples is {resamples}; it must be 0 or more")
    return wanted
