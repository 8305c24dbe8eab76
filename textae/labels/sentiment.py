"""Weak sentiment labels from the lexicon of `vaderSentiment`: negative, positive, or none where it is not sure.

They are for text without labels; labels of people are better. Source: Hutto & Gilbert 2014.
"""

from collections.abc import Iterable
from functools import cache

VALUES = ("negative", "positive")
LOW, HIGH = -0.1, 0.4  # chosen on the Yelp validation split, see `sentiment`


def sentiment(sentence: str, low: float = LOW, high: float = HIGH) -> str | None:
    """ "negative", "positive", or None for a sentence whose score lies between the bounds.

    The lexicon counts words, and is blind to complaints that name none of them ("The soup was cold."): a band of scores
    around 0 gets no label. *Measured* on 2,000 negative and 2,000 positive review sentences of Yelp, with the default
    bounds: 67 % get a label, of those called negative 98 % are, of those called positive 90 % are. With ±0.05, the
    bounds of the lexicon's authors: 76 %, 98 % and 83 %.

    Args:
        sentence: English, cased or not.
        low: Scores up to this are negative, from -1 to 1.
        high: Scores from this on are positive; above `low`.

    Raises:
        ValueError: The bounds are not -1 <= low < high <= 1.

    >>> sentiment("What a wonderful day!"), sentiment("this is a terrible place ."), sentiment("The bus is blue.")
    ('positive', 'negative', None)
    """
    if not -1 <= low < high <= 1:
        raise ValueError(f"the bounds of sentiment must be -1 <= low < high <= 1; got low={low}, high={high}")
    score = _analyzer().polarity_scores(sentence)["compound"]
    return "negative" if score <= low else "positive" if score >= high else None


def sentiments(sentences: Iterable[str], low: float = LOW, high: float = HIGH) -> list[str | None]:
    """The sentiment of each sentence."""
    return [sentiment(sentence, low, high) for sentence in sentences]


@cache
def _analyzer():
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
