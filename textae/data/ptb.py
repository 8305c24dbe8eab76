"""Penn Treebank: newspaper sentences in the standard word-level preprocessing, with `<unk>` and `N` in the text."""

from collections.abc import Iterator
from functools import partial

from textae.data.corpus import Corpus, local_file, read_files

INSTEAD = (
    "the corpus is licensed by the LDC and cannot be downloaded: place Mikolov's ptb.{train,valid}.txt there, gzipped."
)


def load(**options) -> dict[str, Corpus]:
    """Splits `train` (42,068 sentences) and `valid` (3,370), without attributes.

    The files set a space before and after every sentence; it is removed. Use a "word" tokenizer, which knows `<unk>`.

    Source of the preprocessing: Mikolov et al. 2010, with 10,000 word types.

    Args:
        options: `streaming`, `limit`, `max_chars` and `skip_invalid` of `read_files`.

    Raises:
        ValueError: If `TEXTAE_DATA` is not set.
        FileNotFoundError: If it has no `ptb/ptb.{train,valid}.txt.gz`.
    """
    splits = {}
    for split in ("train", "valid"):
        corpus = read_files(local_file("ptb", f"ptb.{split}.txt.gz", INSTEAD), **options)
        splits[split] = Corpus(corpus.name, (), partial(_stripped, corpus))
    return splits


def _stripped(corpus: Corpus) -> Iterator[dict]:
    for row in corpus:
        yield {"text": row["text"].strip()}
