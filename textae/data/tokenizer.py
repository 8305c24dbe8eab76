"""Tokenizers trained on a corpus: text to ids and back, saved in Hugging Face's format. No tensors and no padding.

A tokenizer adds no special tokens of its own; who builds a batch does. Text is always ordinary text: a sentence that
says "<eos>" does not end there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = {  # by role; ids 0 to 4 in this order
    "pad_token": "<pad>",
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
NUM_BYTES = 256


def train_tokenizer(
    texts: Iterable[str],
    *,
    kind: str = "bpe",
    vocab_size: int = 10_000,  # as many as the Penn Treebank has words: Mikolov et al. 2010
    min_frequency: int = 2,  # the default of `tokenizers.ByteLevelBPETokenizer.train`
    lowercase: bool = False,
) -> PreTrainedTokenizerFast:
    """A tokenizer whose vocabulary is learned from `texts`; the same texts always give the same one.

    - "bpe": byte-level pairs. Knows every string: `decode(encode(s)) == s` (of the lower-cased s with `lowercase`).
      Every text is read with one space in front, which decoding takes away again, so that a word has the same ids
      wherever it stands. `<unk>` exists but never comes out.
    - "word": whole words between white space, the most frequent first, others `<unk>`, for replicating papers. A
      literal `<unk>` in the text, as in the Penn Treebank, is that same token; other special names are unknown words.

    Args:
        texts: Sentences; read once.
        kind: A key of `KINDS`.
        vocab_size: Entries at most, the five special tokens (and for "bpe" the 256 bytes) included.
        min_frequency: Times a pair or a word must occur in order to get its own entry.
        lowercase: Lower-case all text, in training and in use.

    Returns:
        A tokenizer with `<pad> <bos> <eos> <unk> <mask>` as ids 0 to 4, that pads on the right.

    Raises:
        ValueError: For an unknown kind, no text to learn from, or a `vocab_size` without room for anything learned.

    Example:
        >>> tokenizer = train_tokenizer(["the cat sat", "the cat ran"], kind="word")
        >>> tokenizer.encode("the dog")
        [6, 3]
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown kind of tokenizer {kind!r}; known: {', '.join(KINDS)}.")
    if isinstance(texts, str):
        raise ValueError("texts is one string, whose letters would be read as sentences; give a list of sentences.")
    reserved, train = KINDS[kind]
    reserved += len(SPECIAL_TOKENS)
    if vocab_size <= reserved:
        raise ValueError(f"vocab_size is {vocab_size}; {kind!r} reserves {reserved} entries, so it must be more.")
    texts = iter(texts)
    first = next((text for text in texts if text.strip()), None)
    if first is None:
        raise ValueError("The corpus is empty: there is no text to learn a tokenizer from.")
    lower = [normalizers.Lowercase()] if lowercase else []
    tokenizer = train(chain([first], texts), vocab_size, min_frequency, lower)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="right",
        split_special_tokens=True,  # a special token's name in a text is text; saved in tokenizer_config.json
        clean_up_tokenization_spaces=False,
        **SPECIAL_TOKENS,
    )


def _train_bpe(texts: Iterator[str], vocab_size: int, min_frequency: int, lower: list) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([*lower, normalizers.Prepend(" ")])
    # Not add_prefix_space: it adds no space to a text that begins with one, so decoding could not tell the two apart.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", left=1, right=0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _train_word(texts: Iterator[str], vocab_size: int, min_frequency: int, lower: list) -> Tokenizer:
    special = list(SPECIAL_TOKENS.values())
    unknown = SPECIAL_TOKENS["unk_token"]
    others = "|".join(token for token in special if token != unknown)
    # The model finds special tokens by name, since they are in its vocabulary; so their names become unknown words.
    normalizer = normalizers.Sequence([*lower, normalizers.Replace(Regex(rf"(?<!\S)({others})(?!\S)"), unknown)])
    split = pre_tokenizers.WhitespaceSplit()
    counts = Counter(word for text in texts for word, _ in split.pre_tokenize_str(normalizer.normalize_str(text)))
    # Not WordLevelTrainer: it would count a literal <unk> as a second word, and move the id.
    del counts[unknown]
    frequent = sorted((-count, word) for word, count in counts.items() if count >= min_frequency)
    words = [*special, *(word for _, word in frequent)][:vocab_size]
    if len(words) <= len(special):
        raise ValueError(f"no word of the text occurs {min_frequency} times: lower min_frequency (tokenizer.min_frequency)")
    tokenizer = Tokenizer(models.WordLevel({word: id for id, word in enumerate(words)}, unk_token=unknown))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = split
    tokenizer.add_special_tokens(special)
    return tokenizer


# How each kind trains, and the entries that it reserves beside the special tokens.
KINDS: dict[str, tuple[int, Callable]] = {"bpe": (NUM_BYTES, _train_bpe), "word": (0, _train_word)}
