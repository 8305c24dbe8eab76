"""Yelp: lower-cased, tokenized review sentences of at most 15 tokens, with their sentiment (Shen et al. 2017, 2020)."""

import os
from pathlib import Path

from textae.data.corpus import Corpus, chain, local_file, read_files

INSTEAD = (
    "or read whole reviews from the Hugging Face Hub with the data set 'hub' (repo=fancyzhx/yelp_polarity, "
    "attribute_columns=[label], valid_split=test)."
)
SENTIMENTS = {"neg": "negative", "pos": "positive"}
TENSES = {"past": "past", "present": "present"}


def load(**options) -> dict[str, Corpus]:
    """Splits `train` (251,755 sentences) and `valid` (4,000), negative first, and three small ones for measuring.

    | split | sentences | attribute |
    |---|---|---|
    | `train`, `valid` | 106,525 + 145,230; 2,000 + 2,000 | `sentiment`: negative, positive |
    | `shen2020.valid` | 10,000 | none |
    | `tense.valid` | 2,712 + 4,411, noisy labels | `tense`: past, present |
    | `sentiment.100` | 100 + 100 | `sentiment` |

    Args:
        options: `streaming`, `limit` (of each file), `max_chars` and `skip_invalid` of `read_files`.

    Raises:
        ValueError: If `TEXTAE_DATA` is not set.
        FileNotFoundError: If it lacks a file of `train` or `valid`; the smaller splits are left out where theirs are
            not there.
    """
    splits = {split: _labeled(split, "sentiment", SENTIMENTS, options) for split in ("train", "valid")}
    folder = Path(os.environ["TEXTAE_DATA"], "yelp")
    if (folder / "shen2020.valid.txt.gz").is_file():
        splits["shen2020.valid"] = read_files(folder / "shen2020.valid.txt.gz", **options)
    if (folder / "tense.valid.past.txt.gz").is_file():
        splits["tense.valid"] = _labeled("tense.valid", "tense", TENSES, options)
    if (folder / "sentiment.100.neg.txt.gz").is_file():
        splits["sentiment.100"] = _labeled("sentiment.100", "sentiment", SENTIMENTS, options)
    return splits


def _labeled(split: str, attribute: str, values: dict[str, str], options: dict) -> Corpus:
    """The files `split.ending.txt.gz` one after the other, each with the attribute's value for its ending."""
    return chain(
        *(
            read_files(local_file("yelp", f"{split}.{ending}.txt.gz", INSTEAD), constants={attribute: value}, **options)
            for ending, value in values.items()
        )
    )
