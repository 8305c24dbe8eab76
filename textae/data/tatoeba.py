"""Tatoeba: short everyday English sentences, cased and untokenized (tatoeba.org, by way of manythings.org/anki)."""

from textae.data.corpus import Corpus, local_file, read_files

INSTEAD = (
    "or read your own export of manythings.org/anki with the data set 'files' (train=..., valid=...), or a copy on the "
    "Hugging Face Hub with 'hub' (repo=..., text_column=...)."
)


def load(**options) -> dict[str, Corpus]:
    """Splits `train` (179,869 sentences) and `valid` (10,000), without attributes. License: CC BY 2.0.

    Args:
        options: `streaming`, `limit`, `max_chars` and `skip_invalid` of `read_files`.

    Raises:
        ValueError: If `TEXTAE_DATA` is not set.
        FileNotFoundError: If it has no `tatoeba/{train,valid}.txt.gz`.
    """
    return {
        split: read_files(local_file("tatoeba", f"{split}.txt.gz", INSTEAD), **options) for split in ("train", "valid")
    }
