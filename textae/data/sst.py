"""Stanford Sentiment Treebank, binary: tokenized film review sentences with sentiment (Socher et al. 2013)."""

from collections.abc import Iterator
from functools import partial

from textae.data.corpus import Corpus, local_file, read_files

INSTEAD = (
    "or read it from the Hugging Face Hub with the data set 'hub' (repo=stanfordnlp/sst2, text_column=sentence, "
    "attribute_columns=[label])."
)
SENTIMENTS = {"0": "negative", "1": "positive"}
FILES = {"train": "binary.train.txt.gz", "valid": "binary.dev.txt.gz"}


def load(**options) -> dict[str, Corpus]:
    """Splits `train` (6,920 sentences) and `valid` (872, the set's "dev"), with `sentiment` negative or positive.

    Args:
        options: `streaming`, `limit`, `max_chars` and `skip_invalid` of `read_files`; a line there is `label sentence`.

    Raises:
        ValueError: If `TEXTAE_DATA` is not set; when iterated, if a line does not begin with 0 or 1.
        FileNotFoundError: If it has no `sst/binary.{train,dev}.txt.gz`.
    """
    splits = {}
    for split, name in FILES.items():
        corpus = read_files(local_file("sst", name, INSTEAD), **options)
        splits[split] = Corpus(corpus.name, ("sentiment",), partial(_labeled, corpus))
    return splits


def _labeled(corpus: Corpus) -> Iterator[dict]:
    for number, row in enumerate(corpus, start=1):
        label, _, text = row["text"].partition(" ")
        if label not in SENTIMENTS or not text.strip():
            raise ValueError(f"{corpus.name}, sentence {number} is not `label sentence` with a label of 0 or 1.")
        yield {"text": text, "sentiment": SENTIMENTS[label]}
