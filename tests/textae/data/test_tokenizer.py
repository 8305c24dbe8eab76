"""Tokenizers: what goes in comes out, special names in a text stay text, and all of it survives saving."""

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from textae.data.tokenizer import SPECIAL_TOKENS, train_tokenizer

TEXTS = ["the owl sees the mouse", "the mouse hears the owl", "an owl, a mouse and the moon"] * 3
ODD = [
    "",
    "the owl",
    " the owl",
    "  the  owl  ",
    "\tthe\nowl\r\n",
    "owl 🦉👩‍🚀 naïve 东京 \u2028\u00a0\u200b\x00 end",
    "it 's n't <unk> , .",
    "<bos>the owl<eos>",
    "<pad> <mask> <unk>",
    "Ġ Ċ ▁owl",
]


@pytest.fixture(params=["fresh", "loaded"])
def passage(request, tmp_path):
    """The tokenizer itself, or what comes back after it was saved."""

    def pass_on(tokenizer):
        if request.param == "fresh":
            return tokenizer
        tokenizer.save_pretrained(tmp_path)
        return PreTrainedTokenizerFast.from_pretrained(tmp_path)

    return pass_on


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_special_tokens(kind, passage):
    tokenizer = passage(train_tokenizer(TEXTS, kind=kind, vocab_size=300))
    assert tokenizer.convert_ids_to_tokens(range(5)) == list(SPECIAL_TOKENS.values())
    ids = [getattr(tokenizer, f"{role}_id") for role in SPECIAL_TOKENS]
    assert ids == [0, 1, 2, 3, 4] and tokenizer.padding_side == "right"
    assert tokenizer("the owl").input_ids == tokenizer.encode("the owl", add_special_tokens=False)
    assert tokenizer.decode([1, *tokenizer.encode("the owl"), 2, 0], skip_special_tokens=True) == "the owl"


@pytest.mark.parametrize("text", ODD)
def test_bpe_round_trip(text, passage):
    tokenizer = passage(train_tokenizer(TEXTS, vocab_size=300))
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode([1, *ids, 2], skip_special_tokens=True) == text
    assert tokenizer.batch_decode(tokenizer([text, text]).input_ids) == [text, text]
    assert min(ids, default=5) >= 5


def test_bpe_round_trip_through_auto_tokenizer(tmp_path):
    train_tokenizer(TEXTS, vocab_size=300).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.decode(tokenizer.encode("<bos> the owl")) == "<bos> the owl"
    assert min(tokenizer.encode("<bos> the owl")) >= 5


def test_bpe_words_have_one_form():
    tokenizer = train_tokenizer(TEXTS, vocab_size=300)
    first, second = tokenizer.encode("owl"), tokenizer.encode("the owl")
    assert second[-len(first) :] == first and len(first) == 1


def test_bpe_learns_no_special_name_from_the_text():
    tokenizer = train_tokenizer(["<bos><bos> <bos>x<eos>"] * 50, vocab_size=400)
    assert min(tokenizer.encode("<bos><bos> <bos>x<eos>")) >= 5


def test_lowercase():
    for kind in ("bpe", "word"):
        tokenizer = train_tokenizer(["The OWL the owl"] * 2, kind=kind, vocab_size=300, lowercase=True)
        assert tokenizer.encode("THE Owl") == tokenizer.encode("the owl")
        assert tokenizer.decode(tokenizer.encode("THE Owl")) == "the owl"


def test_word_vocabulary_is_by_frequency_then_alphabet(passage):
    tokenizer = passage(train_tokenizer(["b b c a", "a c c"], kind="word", vocab_size=7))
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer)))[5:] == ["c", "a"]
    assert tokenizer.encode("a  b\tc") == [6, 3, 5]
    assert len(train_tokenizer(["b b c", "b c"], kind="word", min_frequency=3)) == 6


def test_word_special_names_in_the_text(passage):
    texts = ["the <unk> owl <bos> <pad> <mask> <eos>"] * 3
    tokenizer = passage(train_tokenizer(texts, kind="word"))
    assert len(tokenizer) == 7 and tokenizer.get_vocab()["<unk>"] == 3
    assert tokenizer.decode(tokenizer.encode("the <unk> owl")) == "the <unk> owl"
    assert tokenizer.encode("the <unk> <bos> <pad> <mask> <eos> crow <bos>owl") == [6, *[3] * 7]


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_training_is_deterministic(kind):
    one, two = (train_tokenizer(iter(TEXTS), kind=kind, vocab_size=300) for _ in range(2))
    assert one.backend_tokenizer.to_str() == two.backend_tokenizer.to_str()


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (TEXTS, {"kind": "char"}, "'char'; known: bpe, word"),
        ([], {}, "empty"),
        (["", "  "], {"kind": "word"}, "empty"),
        (TEXTS, {"vocab_size": 261}, "reserves 261"),
        (TEXTS, {"vocab_size": 5, "kind": "word"}, "reserves 5"),
        ("the owl", {}, "one string"),
    ],
)
def test_errors(texts, options, message):
    with pytest.raises(ValueError, match=message):
        train_tokenizer(texts, **options)
