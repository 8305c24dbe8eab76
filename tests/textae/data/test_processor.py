"""What a batch of sentences looks like, by hand; and what is no sentence."""

import json

import numpy as np
import pytest
import torch

from textae.data.corruption import Corruption
from textae.data.processor import SentenceProcessor

PAD, BOS, EOS, UNK, MASK = range(5)


def test_layout_of_two_sentences(processor):
    long, short = ["the cat sees bread .", "she buys"]
    a, b = processor.tokenizer(long)["input_ids"], processor.tokenizer(short)["input_ids"]
    batch = processor([long, short])
    assert set(batch) == {"input_ids", "attention_mask", "decoder_input_ids", "labels"}
    assert batch["input_ids"].tolist() == [[*a, EOS], [*b, EOS, PAD, PAD, PAD]]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1, 1, 1, 0, 0, 0]]
    assert batch["decoder_input_ids"].tolist() == [[BOS, *a], [BOS, *b, PAD, PAD, PAD]]
    assert batch["labels"].tolist() == [[*a, EOS], [*b, EOS, -100, -100, -100]]
    assert all(t.dtype == torch.long for t in batch.values())


def test_what_lies_beyond_a_length_is_ignored(processor):
    ids, lengths = torch.tensor([[7, 8, 9], [7, 99, 98]]), torch.tensor([3, 1])
    clean = processor.collate(torch.tensor([[7, 8, 9], [7, 0, 0]]), lengths)
    for name, tensor in processor.collate(ids, lengths).items():
        assert torch.equal(tensor, clean[name])
    assert ids.tolist() == [[7, 8, 9], [7, 99, 98]]  # the caller's tensor is not written to


def test_corruption_touches_only_what_the_encoder_reads(processor, sentences):
    ids = torch.tensor(processor.tokenize(sentences[:1] * 50))
    lengths = torch.full((50,), ids.shape[1])
    torch.manual_seed(0)
    clean, noisy = processor.collate(ids, lengths), processor.collate(ids, lengths, corruption=Corruption(drop=0.3, mask=0.3, substitute=0.3))
    assert not torch.equal(noisy["input_ids"], clean["input_ids"]) and (noisy["input_ids"] == MASK).any()
    assert (noisy["attention_mask"].sum(1) < clean["attention_mask"].sum(1)).any()
    for name in ("decoder_input_ids", "labels"):
        assert torch.equal(noisy[name], clean[name])
    assert noisy["input_ids"].max() < len(processor.tokenizer)


def test_augmentation_makes_other_sentences_of_which_all_sides_speak(processor, sentences):
    ids = torch.tensor(processor.tokenize(sentences[:1] * 50))
    lengths = torch.full((50,), ids.shape[1])
    torch.manual_seed(0)
    clean, other = processor.collate(ids, lengths), processor.collate(ids, lengths, augmentation=Corruption(drop=0.3, substitute=0.3))
    mask = other["attention_mask"].bool()
    assert (mask.sum(1) < clean["attention_mask"].sum(1)).any() and not torch.equal(other["labels"], clean["labels"])
    assert torch.equal(other["labels"] != -100, mask) and torch.equal(other["labels"][mask], other["input_ids"][mask])
    assert (other["decoder_input_ids"][:, 0] == BOS).all() and torch.equal(other["decoder_input_ids"][:, 1:][mask[:, 1:]], other["input_ids"][:, :-1][mask[:, 1:]])
    assert (other["input_ids"][torch.arange(50), mask.sum(1) - 1] == EOS).all() and (other["input_ids"][~mask] == PAD).all()
    torch.manual_seed(0)
    both = processor.collate(ids, lengths, augmentation=Corruption(drop=0.3, substitute=0.3), corruption=Corruption(mask=0.5))
    assert torch.equal(both["labels"], other["labels"]) and ((both["input_ids"] == MASK) | (both["input_ids"] == other["input_ids"])).all()
    assert (both["input_ids"] == MASK).any()


def test_word_dropout_touches_only_what_the_decoder_reads(processor):
    ids, lengths = torch.full((40, 10), 7), torch.full((40,), 10)
    clean, noisy = processor.collate(ids, lengths), processor.collate(ids, lengths, word_drop=0.5)
    replaced = noisy["decoder_input_ids"] == UNK
    assert 0.35 < replaced[:, 1:].float().mean() < 0.65 and not replaced[:, 0].any()
    assert torch.equal(noisy["decoder_input_ids"][~replaced], clean["decoder_input_ids"][~replaced])
    for name in ("input_ids", "attention_mask", "labels"):
        assert torch.equal(noisy[name], clean[name])


def test_attributes_are_columns_of_indices_in_the_order_of_their_names(attribute_processor):
    rows = [{"mood": "flat", "tense": "past"}, {"tense": "present"}, {"mood": None}, {}]
    assert attribute_processor.attribute_ids(rows).tolist() == [[2, 0], [-1, 1], [-1, -1], [-1, -1]]
    batch = attribute_processor(["she buys bread", "the cat"], rows[:2])
    assert batch["attributes"].tolist() == [[2, 0], [-1, 1]] and batch["attributes"].dtype == torch.long
    assert "attributes" not in attribute_processor(["she"])
    assert attribute_processor.attribute_ids([]).shape == (0, 2) and isinstance(attribute_processor.attribute_ids([]), np.ndarray)
    with pytest.raises(ValueError, match="no attribute 'mod': did you mean 'mood'"):
        attribute_processor.attribute_ids([{"mod": "good"}])
    with pytest.raises(ValueError, match="'mood' has no value 'god': did you mean 'good'"):
        attribute_processor.attribute_ids([{"mood": "god"}])


@pytest.mark.parametrize(
    "bad, message",
    [("", "sentence 2 is empty"), (" \t\n", "sentence 2 is empty"), (None, "sentence 2 is NoneType, not text"),
     (3, "sentence 2 is int, not text"), (["a"], "sentence 2 is list, not text"),
     ("word " * 33, "sentence 2 has 33 tokens; .* at most 32 tokens"), ("x" * 2000, "sentence 2 has 2,000 characters"),
     ("\ud800 lone", "sentence 2")],
    ids=["empty", "blank", "none", "number", "list", "long", "huge", "surrogate"],
)  # fmt: skip
def test_what_is_no_sentence_is_named_by_its_number(processor, bad, message):
    for take in (processor, processor.check, processor.tokenize):
        with pytest.raises(ValueError, match=message):
            take(["the cat", bad])


def test_the_longest_sentence_is_taken(processor):
    assert processor([" ".join(["cat"] * 32)])["input_ids"].shape == (1, 33)
    assert processor.tokenize([]) == []


def test_decode_drops_marks_and_normalize_is_what_can_be_written(processor, sentences):
    batch = processor(sentences[:5])
    assert processor.decode(batch["input_ids"]) == sentences[:5]
    assert processor.decode(torch.tensor([[BOS, EOS, PAD]])) == [""]
    assert processor.normalize("the  cat   sees bread .") == "the cat sees bread ."
    assert processor.normalize(sentences[3]) == sentences[3]


def test_references_keep_words_that_nobody_can_write(processor):
    known, unknown, spelled = "the cat sees bread .", "a zebra sees  the qat .", "the <unk> sees bread <unk>"
    assert processor.normalize(unknown) == "a <unk> sees the <unk> ."
    assert processor.references([known, unknown, spelled, "zebra qat"]) == [known, "a zebra sees the qat .", spelled, "zebra qat"]
    assert processor.unknown([known, unknown, spelled]) == [{}, {1: "zebra", 4: "qat"}, {}]


def test_marks_written_out_are_text(processor):
    batch = processor(["the <eos> cat <pad> <mask>"])
    assert not set(batch["labels"][0, :-1].tolist()) & {PAD, BOS, EOS, MASK}


def test_one_or_many_and_cost(processor):
    assert processor.is_single("a") and not processor.is_single(["a"]) and not processor.is_single(("a", "b"))
    assert processor.cost("a longer one") > processor.cost("a")


def test_save_and_load_round_trip(attribute_processor, tmp_path, sentences):
    attribute_processor.save_pretrained(tmp_path / "new")
    again = SentenceProcessor.from_pretrained(tmp_path / "new")
    assert again.attributes == attribute_processor.attributes and again.max_length == 32
    for name, tensor in attribute_processor(sentences, [{"mood": "bad"}] * len(sentences)).items():
        assert torch.equal(again(sentences, [{"mood": "bad"}] * len(sentences))[name], tensor)
    assert again("the <eos>".split())["labels"].tolist() == attribute_processor("the <eos>".split())["labels"].tolist()


@pytest.mark.parametrize("name", ["processor.json", "tokenizer.json"])
def test_incomplete_and_damaged_folders_are_refused(processor, tmp_path, name):
    processor.save_pretrained(tmp_path)
    whole = (tmp_path / name).read_text()
    for damaged in (whole[: len(whole) // 2], "", "{}"):
        (tmp_path / name).write_text(damaged)
        with pytest.raises(ValueError, match=name):
            SentenceProcessor.from_pretrained(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}"):
        SentenceProcessor.from_pretrained(tmp_path)
    assert json.loads(whole)
