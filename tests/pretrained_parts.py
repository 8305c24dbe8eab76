"""Tiny pretrained models as folders, in the layout of the Hub: BERT, GPT-2, Llama and T5 with tokenizers of their own kinds."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)


def bert_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Word pieces in lower case, [CLS] in front and [SEP] behind."""
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=120, special_tokens=list(marks.values()), show_progress=False))
    ids = [(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **marks)


def gpt2_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte pairs; one mark is beginning, end and unknown at once, and there is no padding and no mask."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end)


def llama_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte pairs with <s> in front; no padding and no mask."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def t5_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A unigram model with </s> behind; the decoder starts from the padding."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    marks = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    trainer = trainers.UnigramTrainer(vocab_size=110, special_tokens=list(marks.values()), unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)


def make_bert(tokenizer: PreTrainedTokenizerFast) -> BertModel:
    return BertModel(BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=64,
    ))  # fmt: skip


def make_gpt2(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    end = tokenizer.eos_token_id
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=300, n_embd=16, n_layer=2, n_head=2, bos_token_id=end, eos_token_id=end))


def make_llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """With half as many heads for keys and values as for queries."""
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=300, bos_token_id=1, eos_token_id=2,
    ))  # fmt: skip


def make_t5(tokenizer: PreTrainedTokenizerFast) -> T5ForConditionalGeneration:
    """With more rows than entries, as T5 has."""
    return T5ForConditionalGeneration(T5Config(
        vocab_size=len(tokenizer) + 8, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, decoder_start_token_id=0,
    ))  # fmt: skip


PARTS = {"bert": (bert_tokenizer, make_bert), "gpt2": (gpt2_tokenizer, make_gpt2), "llama": (llama_tokenizer, make_llama), "t5": (t5_tokenizer, make_t5)}


def pretrained_folder(kind: str, texts: list[str], folder: Path, seed: int = 0) -> Path:
    """A folder with weights, config and tokenizer, as `AutoModel` and `AutoTokenizer` find them on the Hub."""
    make_tokenizer, make_model = PARTS[kind]
    tokenizer = make_tokenizer(texts)
    torch.manual_seed(seed)
    model = make_model(tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)  # a random model with opinions
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    content = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**content, "tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder
