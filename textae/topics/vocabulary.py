"""Which words a document has, and which of them a model counts; no counts and no tensors."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

# At least two letters of any script, apostrophes and hyphens inside; what a sign of markup or a digit touches (<unk>, _num_, b2) is none.
WORD = re.compile(r"(?<![\w<])[^\W\d_]{2,}(?:['-][^\W\d_]+)*(?![\w>])")

# Words of English grammar, which every topic has: articles, pronouns, prepositions, conjunctions, auxiliary verbs, common adverbs.
ENGLISH = frozenset(
    """
    a about above across after again against all almost along already also although always am among an and another any anyone
    anything are aren't around as at away back be became because become been before being below between both but by came can can't
    cannot could couldn't did didn't do does doesn't doing don't done down during each either else even ever every everyone
    everything few for from further get gets getting give given go goes going gone got had hadn't has hasn't have haven't having he
    her here hers herself him himself his how however if in into is isn't it it's its itself just let like ll made make makes many
    may me might mine more most much must my myself neither never no nobody none nor not nothing now of off often on once one only
    onto or other others our ours ourselves out over own per perhaps quite rather re really said same say says see seem seems she
    should shouldn't since so some someone something soon still such take than that that's the their theirs them themselves then
    there there's these they this those though through thus to together too toward under until up upon us ve very was wasn't way we
    well went were weren't what when where whether which while who whom whose why will with within without won't would wouldn't yes
    yet you your yours yourself
    """.split()
)
STOP_WORDS = {"none": frozenset(), "english": ENGLISH}


def words(text: str) -> list[str]:
    """The words of a text in order, lower-cased, curly apostrophes made straight.

    >>> words("Don't feed the 3 well-kept <unk> at 5pm!")
    ["don't", 'feed', 'the', 'well-kept', 'at']
    """
    return WORD.findall(text.lower().replace("’", "'"))


def build_vocabulary(
    documents: Iterable[Sequence[str]], *, size: int = 2000, min_df: int = 5, max_df: float = 0.5, stop_words: str = "english"
) -> list[str]:
    """The words that tell documents apart, the most frequent first; the same documents always give the same list.

    Args:
        documents: The words of each.
        size: Words at most.
        min_df: Documents that a word must occur in.
        max_df: Share of the documents that it may occur in; 1 allows all.
        stop_words: A key of `STOP_WORDS`: "english" leaves out words of grammar, "none" leaves out nothing.

    Raises:
        ValueError: An option is out of range, there is no document, or no word passes.
    """
    check_options(size, min_df, max_df, stop_words)
    total, found_in, num = Counter(), Counter(), 0
    for document in documents:
        num += 1
        total.update(document)
        found_in.update(set(document))
    if not num:
        raise ValueError("there is no document to take a vocabulary from")
    kept = [w for w, n in found_in.items() if min_df <= n <= max_df * num and w not in STOP_WORDS[stop_words]]
    if len(kept) < 2:
        raise ValueError(
            f"{len(kept)} of {len(total):,} words occur in at least min_df={min_df} and at most max_df={max_df:g} of {num:,} documents; "
            "a model of words needs two: lower vocabulary.min_df, raise vocabulary.max_df, or give more documents"
        )
    return sorted(kept, key=lambda w: (-total[w], w))[:size]


def check_options(size: int, min_df: int, max_df: float, stop_words: str) -> None:
    """Raise a ValueError for the first option of `build_vocabulary` that cannot be."""
    for name, value, least in (("size", size, 2), ("min_df", min_df, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"vocabulary.{name} is {value!r}; it must be a whole number of at least {least}")
    if isinstance(max_df, bool) or not isinstance(max_df, int | float) or not 0 < max_df <= 1:
        raise ValueError(f"vocabulary.max_df is {max_df!r}; it is a share of the documents, above 0 and at most 1")
    if stop_words not in STOP_WORDS:
        raise ValueError(f"vocabulary.stop_words is {stop_words!r}; it must be one of {', '.join(STOP_WORDS)}")
