"""Numbers from lists of sentences alone: reconstruction, diversity, sample quality; no neural model belongs here.

BLEU runs from 0 to 100, shares in percent say so, everything else is named with its unit.
"""

import math
import random
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textae.ngram import TrigramLM, check_sentences, vocabulary_of, words
from textae.spelling import SpelledLM

if TYPE_CHECKING:
    from torch import Tensor

BLEU_ORDER = 4  # Papineni et al. 2002


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU-4 of one hypothesis for each reference, 0 to 100.

    sacrebleu's defaults (Post 2018): tokenizer 13a, case kept, exponential smoothing.

    Args:
        hypotheses: Sentences to judge.
        references: The one right answer to each.

    Raises:
        ValueError: A list is empty, or the lengths differ.
    """
    check_pairs(hypotheses, references)
    import sacrebleu

    # force: no warning about text that comes with its punctuation already separated
    return sacrebleu.corpus_bleu(list(hypotheses), [list(references)], force=True).score


def bleu_statistics(hypotheses: Sequence[str], references: Sequence[str]) -> "Tensor":
    """What each sentence adds to corpus BLEU: lengths of both sides, n-grams found and n-grams there are, shape (N, 10).

    `bleu_of_statistics` of their sum is `corpus_bleu`. Raises as that does.
    """
    check_pairs(hypotheses, references)
    import torch
    from sacrebleu.metrics import BLEU

    metric, rows = BLEU(effective_order=True), []  # which changes the sentence's own score, and no count
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        said = metric.sentence_score(hypothesis, [reference])
        rows.append([said.sys_len, said.ref_len, *said.counts, *said.totals])
    return torch.tensor(rows, dtype=torch.float64)


def bleu_of_statistics(sums_R10: "Tensor") -> "Tensor":
    """Corpus BLEU of R corpora from their sums of `bleu_statistics`, 0 to 100, shape (R,)."""
    import torch
    from sacrebleu.metrics import BLEU

    scores = []
    for row in sums_R10.round().long().tolist():
        counts, totals = row[2 : 2 + BLEU_ORDER], row[2 + BLEU_ORDER :]
        scores.append(BLEU.compute_bleu(counts, totals, row[0], row[1], smooth_method="exp", max_ngram_order=BLEU_ORDER).score)
    return torch.tensor(scores, dtype=torch.float64)


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Percent of hypotheses that equal their reference character for character.

    Raises:
        ValueError: A list is empty, or the lengths differ.
    """
    check_pairs(hypotheses, references)
    return 100.0 * sum(h == r for h, r in zip(hypotheses, references, strict=True)) / len(references)


def token_hits(hypotheses: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> list[int]:
    """How many of each reference's tokens, its end among them, stand at the same place in the hypothesis.

    Args:
        hypotheses: Token ids without end marks.
        references: As many.

    >>> token_hits([[5, 6, 7], [5, 6]], [[5, 9, 7], [5, 6, 7]])
    [3, 2]
    """
    pairs = zip(hypotheses, references, strict=True)
    return [sum(a == b for a, b in zip([*x, None], [*y, None], strict=False)) for x, y in pairs]


def self_bleu(sentences: Sequence[str], *, sample: int = 500, seed: int = 0) -> float:
    """How alike the sentences are: mean sentence BLEU-4 of each against all the others as references, 0 to 100.

    Source: Zhu et al. 2018 (Texygen), on a sample: `sample` sentences are drawn without replacement (all, if there are
    fewer), and each is scored against the other drawn ones; a duplicate among them scores 100. More references raise
    it, so compare only numbers of one `sample`. Words as `textae.ngram.words` splits them; sacrebleu's sentence BLEU
    otherwise (exponential smoothing, orders longer than the sentence left out, closest reference length). The order of
    `sentences` does not matter.

    Args:
        sentences: At least two.
        sample: How many to draw, 2 or more.
        seed: Of the draw.

    Raises:
        ValueError: Fewer than two sentences or a `sample` below 2.
    """
    check_sentences("sentences", sentences)
    if min(len(sentences), sample) < 2:
        raise ValueError(
            f"self-BLEU compares sentences: got {len(sentences)} with sample={sample}, both must be 2 or more"
        )
    from sacrebleu.metrics import BLEU

    split = [words(sentence) for sentence in draw(sentences, sample, seed)]
    counted = [ngram_counts(sentence) for sentence in split]
    highest, second = two_highest(counted)
    lengths = Counter(map(len, split))
    scores = []
    for sentence, counts in zip(split, counted, strict=True):
        correct = [0] * BLEU_ORDER
        total = [max(len(sentence) - n, 0) for n in range(BLEU_ORDER)]
        for ngram, count in counts.items():
            # the highest count among the others: if this sentence holds the record alone, that is the second highest
            elsewhere = second[ngram] if count == highest[ngram] else highest[ngram]
            correct[len(ngram) - 1] += min(count, elsewhere)
        lengths[len(sentence)] -= 1
        others = (length for length, count in lengths.items() if count)
        closest = min(others, key=lambda length: (abs(length - len(sentence)), length))
        lengths[len(sentence)] += 1
        bleu = BLEU.compute_bleu(
            correct,
            total,
            len(sentence),
            closest,
            smooth_method="exp",
            effective_order=True,
            max_ngram_order=BLEU_ORDER,
        )
        scores.append(bleu.score)
    return math.fsum(scores) / len(scores)


def distinct_n(sentences: Sequence[str], n: int) -> float:
    """Distinct n-grams over all n-grams of the sentences, 0 to 1; it falls as text grows, so compare equal sizes only.

    Source: Li et al. 2016. Words as `textae.ngram.words` splits them; 0 if no sentence has `n` words.

    Raises:
        ValueError: No sentences, or `n` below 1.

    >>> distinct_n(["a b", "a c"], 1)
    0.75
    """
    check_sentences("sentences", sentences)
    if n < 1:
        raise ValueError(f"n must be 1 or more, got {n}")
    ngrams = [tuple(s[i : i + n]) for s in map(words, sentences) for i in range(len(s) - n + 1)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 0.0


@dataclass(frozen=True)
class SampleQuality:
    """Samples against real text under one trigram model and one vocabulary; read the ratios, and the reverse one first.

    Forward perplexity alone is worthless: dull, typical sentences score far below real text. Reverse perplexity suffers
    from whatever the samples lack. Both take every word outside the vocabulary for the same likely one, so that a text of invented
    words passes for fluent: `unknown` far above `unknown_real` says so, and `forward_spelled_ratio` charges for it.
    """

    forward_ppl: float
    """Samples, under the model of all of `train`; per word and end."""
    forward_ppl_real: float
    """`valid`, under the same model."""
    forward_ratio: float
    """forward_ppl / forward_ppl_real: below 1 is duller than real text or copied from `train`, above 1 less fluent."""
    forward_spelled_ppl: float
    """As forward_ppl, and each unknown word is charged for its spelling too: `textae.spelling`."""
    forward_spelled_ppl_real: float
    """The same of `valid`."""
    forward_spelled_ratio: float
    """forward_spelled_ppl / forward_spelled_ppl_real: as forward_ratio, and invented words are no way to lower it."""
    unknown: float
    """Percent of the samples' words that the vocabulary lacks."""
    unknown_real: float
    """The same of `valid`."""
    reverse_ppl: float
    """`valid`, under the model of the samples."""
    reverse_ppl_real: float
    """`valid`, under the model of as many sentences of `train`."""
    reverse_ratio: float
    """reverse_ppl / reverse_ppl_real: 1 is as good as real text, more is worse."""
    distinct_1: float
    """Distinct words over words of the samples, 0 to 1."""
    distinct_2: float
    """The same of pairs of words."""
    self_bleu: float
    """`self_bleu` of the samples with its own default `sample`, 0 to 100."""
    copied: float
    """Share of samples that occur in `train` character for character, 0 to 1."""
    num_samples: int
    """Samples used everywhere above, and sentences of `train` behind `reverse_ppl_real`."""
    length: float
    """Words of a sample, mean."""
    length_sd: float
    """Their standard deviation."""
    length_real: float
    """Words of a sentence of `valid`, mean."""
    length_real_sd: float
    """Their standard deviation."""
    distinct_sentences: float
    """Share of samples that are no repetition of another, 0 to 1."""


def sample_quality(
    samples: Sequence[str], train: Sequence[str], valid: Sequence[str], *, seed: int = 0, size: int = 10_000
) -> SampleQuality:
    """Judge samples by counting models: see the fields of `SampleQuality`.

    Every model shares the words that `train` has at least twice. `size` samples are drawn, or as many as both `samples`
    and `train` have if that is fewer, and the same number of training sentences: both sides are always equal, and
    `num_samples` says how many. Perplexities of different `num_samples` do not compare. The order of the lists does not
    matter.

    Args:
        samples: Sentences drawn from a model, at least two.
        train: All its training sentences.
        valid: Real sentences it never saw.
        seed: Of the draws.
        size: Most samples to use; 2 or more.

    Raises:
        ValueError: An empty list, fewer than two sentences to compare, or `train` without a word that repeats.
    """
    for name, sentences in (("samples", samples), ("train", train), ("valid", valid)):
        check_sentences(name, sentences)
    num_samples = min(size, len(samples), len(train))
    if num_samples < 2:
        raise ValueError(f"got {len(samples)} samples, {len(train)} of train and size={size}: all must be 2 or more")
    used, real = draw(samples, num_samples, seed), draw(train, num_samples, seed)
    vocabulary = vocabulary_of(train, min_count=2)
    judge = TrigramLM.fit(train, vocabulary=vocabulary)
    forward, forward_real = judge.perplexity(used), judge.perplexity(valid)
    speller = SpelledLM.fit(train, judge)
    spelled, spelled_real = speller.perplexity(used), speller.perplexity(valid)
    reverse = TrigramLM.fit(used, vocabulary=vocabulary).perplexity(valid)
    reverse_real = TrigramLM.fit(real, vocabulary=vocabulary).perplexity(valid)
    seen = set(train)
    return SampleQuality(
        forward_ppl=forward,
        forward_ppl_real=forward_real,
        forward_ratio=forward / forward_real,
        forward_spelled_ppl=spelled,
        forward_spelled_ppl_real=spelled_real,
        forward_spelled_ratio=spelled / spelled_real,
        unknown=speller.unknown(used),
        unknown_real=speller.unknown(valid),
        reverse_ppl=reverse,
        reverse_ppl_real=reverse_real,
        reverse_ratio=reverse / reverse_real,
        distinct_1=distinct_n(used, 1),
        distinct_2=distinct_n(used, 2),
        self_bleu=self_bleu(used, seed=seed),
        copied=sum(sentence in seen for sentence in used) / num_samples,
        num_samples=num_samples,
        **dict(zip(("length", "length_sd"), length_statistics(used), strict=True)),
        **dict(zip(("length_real", "length_real_sd"), length_statistics(valid), strict=True)),
        distinct_sentences=len(set(used)) / num_samples,
    )


def length_statistics(sentences: Sequence[str]) -> tuple[float, float]:
    """Mean and standard deviation of the number of words, as `textae.ngram.words` splits them.

    Raises:
        ValueError: No sentences.

    >>> length_statistics(["a b c", "a"])
    (2.0, 1.0)
    """
    check_sentences("sentences", sentences)
    lengths = [len(words(sentence)) for sentence in sentences]
    return statistics.fmean(lengths), statistics.pstdev(lengths)


def perplexity(total_nats: float, num_words: int, num_sentences: int) -> float:
    """exp(total nats / (words + one end a sentence)); infinite where a float cannot hold it.

    Args:
        total_nats: Negative log likelihood (or its bound) of all the sentences, each with its end.
        num_words: Sum of `count_words`, whatever the tokenizer: perplexity per sub-word is another number.
        num_sentences: One end each.

    Raises:
        ValueError: A negative number of words, or no sentences.

    >>> round(perplexity(3 * math.log(10), 2, 1), 6)
    10.0
    """
    if num_words < 0 or num_sentences < 1:
        raise ValueError(f"need num_words >= 0 and num_sentences >= 1, got {num_words} and {num_sentences}")
    rate = total_nats / (num_words + num_sentences)
    return math.inf if rate > 709 else math.exp(rate)  # 709: the last whole number whose exp fits a double


def count_words(text: str) -> int:
    """Words between white space, the unit of published perplexities: punctuation counts if the text separates it.

    >>> count_words("it works , mostly .")
    5
    """
    return len(text.split())


def draw(sentences: Sequence[str], size: int, seed: int) -> list[str]:
    """Up to `size` sentences without replacement; sorted first, so that their order does not decide the draw."""
    return random.Random(seed).sample(sorted(sentences), min(size, len(sentences)))


def ngram_counts(sentence: Sequence[str]) -> Counter[tuple[str, ...]]:
    """How often each n-gram of 1 to 4 words occurs."""
    return Counter(tuple(sentence[i : i + n]) for n in range(1, BLEU_ORDER + 1) for i in range(len(sentence) - n + 1))


def two_highest(counted: Sequence[Counter]) -> tuple[Counter, Counter]:
    """The highest and second highest count of each n-gram over sentences; equal where two share the record."""
    highest, second = Counter(), Counter()
    for counts in counted:
        for ngram, count in counts.items():
            if count > highest[ngram]:
                highest[ngram], second[ngram] = count, highest[ngram]
            elif count > second[ngram]:
                second[ngram] = count
    return highest, second


def check_pairs(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raise a ValueError if a list is empty, a string, or not as long as the other."""
    check_sentences("hypotheses", hypotheses)
    check_sentences("references", references)
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references: need one for each")
