"""Models made of pretrained ones: the likelihood is the language model's own, z reaches it, and what is saved needs no Hub."""

import json
import shutil

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from tests.pretrained_parts import PARTS, pretrained_folder
from textae.core.aggressive import encoder_parameters
from textae.core.autoencoder import make_config
from textae.core.data import Splits
from textae.core.metrics import importance_nll
from textae.data.batching import in_memory
from textae.data.corruption import Corruption
from textae.data.processor import SentenceProcessor
from textae.models.pretrained import PretrainedVAE, Seq2SeqVAE, pretrained_processor
from textae.models.pretrained_config import PretrainedVAEConfig, Seq2SeqVAEConfig
from textae.models.pretrained_parts import bare_encoder, head_scale, make_part_config, num_positions
from textae.space import LatentSpace

PAIRS = [("bert", "gpt2"), ("gpt2", "gpt2"), ("t5", "llama"), ("", "t5")]  # the last an encoder-decoder
SHORT = {"max_new_tokens": 6}
TINY_GPT2 = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2}
TINY_BERT = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.fixture(scope="module")
def folders(tmp_path_factory, sentences):
    where = tmp_path_factory.mktemp("hub")
    return {kind: str(pretrained_folder(kind, sentences, where / kind)) for kind in PARTS}


def joined(folders, encoder, decoder, seed=0, **settings):
    """A model and its processor, in eval mode, with joints that matter as much as the rest."""
    processor = pretrained_processor(folders[decoder], folders.get(encoder, ""), settings.get("attributes"), max_length=64)
    torch.manual_seed(seed)
    settings = {"latent_dim": 5, "num_memory_slots": 2, **settings}
    if encoder:
        model = PretrainedVAE.from_pretrained_parts(folders[encoder], folders[decoder], processor, **settings)
    else:
        model = Seq2SeqVAE.from_pretrained_parts(folders[decoder], processor, **settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "memory" in name or "context_embed" in name:
                parameter.mul_(20.0)
    return model.eval(), processor


@pytest.fixture(scope="module", params=PAIRS, ids=["-".join(filter(None, pair)) for pair in PAIRS])
def pair(request, folders):
    return joined(folders, *request.param)


# --- likelihood ---------------------------------------------------------------------------------------------------


def test_nll_is_the_sum_of_the_log_probabilities_of_its_tokens(pair, sentences):
    """Token after token, each with what came before it and nothing else, by the model's own output layer."""
    model, processor = pair
    batch = processor(sentences[:5])
    output = model(sample=False, **batch)
    for i in range(5):
        ids, labels, z = batch["decoder_input_ids"][i : i + 1], batch["labels"][i], output.z[i : i + 1]
        context, total = model.decoder.context(z, None), 0.0
        for t in range(int(output.count[i])):
            logits = model.decoder.all_logits(model.decoder.embed(ids[:, : t + 1]), context)[0, -1]
            total += cross_entropy(logits, labels[t]).item()
        assert output.nll[i].item() == pytest.approx(total, rel=1e-4)
        assert int(output.count[i]) == len(processor.tokenize([sentences[i]])[0]) + 1


def test_a_sentence_alone_and_in_a_batch_is_the_same(pair, sentences):
    model, processor = pair
    mixed = [sentences[0], sentences[2], "she sees bread ."]
    together = model(sample=False, **processor(mixed))
    for i, sentence in enumerate(mixed):
        alone = model(sample=False, **processor([sentence]))
        assert_close(alone.posterior.mean[0], together.posterior.mean[i], rtol=1e-4, atol=1e-5)
        assert_close(alone.nll[0], together.nll[i], rtol=1e-4, atol=1e-3)


def test_z_changes_what_is_said_by_each_way_alone(folders, sentences):
    for ways in ({"latent_to_embedding": False}, {"latent_to_memory": False}):
        model, processor = joined(folders, "bert", "gpt2", **ways)
        batch = processor(sentences[:3])
        nlls = torch.stack([model.nll(z.expand(3, -1), **batch)[0] for z in (torch.zeros(1, 5), torch.ones(1, 5))])
        assert (nlls[0] - nlls[1]).abs().min() > 1e-2
    model, processor = joined(folders, "", "t5", latent_to_embedding=False)
    batch = processor(sentences[:3])
    assert (model.nll(torch.zeros(3, 5), **batch)[0] - model.nll(torch.ones(3, 5), **batch)[0]).abs().min() > 1e-3


def test_the_output_layer_is_asked_what_it_does(folders):
    """A tied T5 divides by the root of its width, GPT-2 does nothing, BERT has a layer of its own, Gemma 2 caps."""
    assert joined(folders, "bert", "gpt2")[0].decoder.head_scale == 1.0
    assert joined(folders, "", "t5")[0].decoder.head_scale == pytest.approx(16**-0.5, rel=1e-5)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    for decoder in ({"model_type": "bert", **small}, {"model_type": "gemma2", "head_dim": 8, "num_key_value_heads": 1, **small}):
        torch.manual_seed(0)
        model = PretrainedVAE(make_config(PretrainedVAEConfig, {"vocab_size": 40, "latent_dim": 3, "encoder_config": {"model_type": "bert", **small}, "decoder_config": decoder}))
        decoder, ids = model.eval().decoder, torch.randint(5, 40, (2, 6))
        before = torch.get_rng_state()
        assert decoder.head_scale is None, "the whole batch's logits are needed"
        assert torch.equal(torch.get_rng_state(), before)
        z = torch.randn(2, 3)
        wanted = cross_entropy(decoder(ids, z).logits.float().transpose(1, 2), ids, reduction="none").sum(1)
        assert_close(model.nll(z, decoder_input_ids=ids, labels=ids)[0], wanted)
        whole, prefix = decoder(ids, z).logits, decoder(ids[:, :4], z).logits
        assert_close(whole[:, :4], prefix, rtol=1e-4, atol=1e-5)


def test_a_head_that_is_not_linear_is_never_taken_for_one():
    class Capped(torch.nn.Module):
        def __init__(self, cap):
            super().__init__()
            self.trunk, self.head, self.cap = torch.nn.Identity(), torch.nn.Linear(4, 9), cap

        def get_output_embeddings(self):
            return self.head

        def forward(self, x):
            from types import SimpleNamespace

            logits = self.head(self.trunk(SimpleNamespace(last_hidden_state=x)).last_hidden_state)
            return SimpleNamespace(logits=self.cap * torch.tanh(logits / self.cap) if self.cap else logits)

    torch.manual_seed(0)
    plain, capped = Capped(0), Capped(100.0)
    assert head_scale(plain, plain.trunk, x=torch.zeros(1, 1, 4)) == 1.0 and head_scale(capped, capped.trunk, x=torch.zeros(1, 1, 4)) is None


def test_importance_weights_work(pair, sentences):
    model, processor = pair
    bound = importance_nll(model, processor(sentences[:3]), samples=4)
    assert torch.isfinite(bound.nll).all() and (bound.effective_samples >= 1 - 1e-9).all()


# --- generation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"num_beams": 2, "num_return_sequences": 2}, {"do_sample": True, "top_k": 8}], ids=str)
def test_cached_and_uncached_generation_agree(pair, options):
    model, _ = pair
    z = 2 * torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    cached = model.generate(z, **SHORT, **options)
    torch.manual_seed(0)
    assert torch.equal(cached, model.generate(z, use_cache=False, **SHORT, **options))
    assert len(cached) == 3 * options.get("num_return_sequences", 1)


def test_greedy_words_are_the_likeliest_under_teacher_forcing(pair):
    """And none that is never a target; marks of a pretrained model may share one id."""
    model, processor = pair
    z = 2 * torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    said = model.generate(z, max_new_tokens=8)
    logits = model.decoder(said[:, :-1], z).logits
    logits[..., model.decoder.generation_config.suppress_tokens] = -torch.inf
    for row, best in zip(said, logits.argmax(-1), strict=True):
        ends = (row[1:] == processor.tokenizer.eos_token_id).nonzero()
        length = int(ends[0]) + 1 if len(ends) else len(row) - 1
        assert torch.equal(row[1 : length + 1], best[:length])


def test_prompts_of_different_lengths(pair, sentences):
    model, processor = pair
    tok, z = processor.tokenizer, torch.randn(2, 5, generator=torch.Generator().manual_seed(3))
    prompts = [[tok.bos_token_id, *processor.tokenize(["she"])[0]], [tok.bos_token_id, *processor.tokenize(["my old friend"])[0]]]
    width = max(map(len, prompts))
    ids = torch.tensor([[tok.pad_token_id] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    together = model.generate(z, input_ids=ids, attention_mask=mask, **SHORT)
    for i, prompt in enumerate(prompts):
        alone = model.generate(z[i : i + 1], input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), **SHORT)
        assert processor.decode(alone) == processor.decode(together[i : i + 1])


def test_attributes_reach_the_decoder(folders, sentences):
    model, processor = joined(folders, "bert", "gpt2", attributes={"tense": ["past", "present"]})
    batch = processor(sentences[:2], [{"tense": "past"}, {"tense": "present"}])
    z = torch.zeros(2, 5)
    told, other = model.nll(z, **batch)[0], model.nll(z, **{**batch, "attributes": 1 - batch["attributes"]})[0]
    assert (told - other).abs().min() > 1e-4
    assert len(LatentSpace(model, processor).sample(2, tense="past", seed=0, **SHORT)) == 2


# --- training -----------------------------------------------------------------------------------------------------


def test_training_lowers_the_loss(pair, sentences):
    model, processor = pair
    model = type(model)(model.config)
    batch, losses = processor(sentences[:8]), []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(12):
        torch.manual_seed(0)
        output = model.train()(**batch)
        loss = (output.nll + 0.1 * output.posterior.kl().sum(1)).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.grad is not None for p in model.parameters()), "no part goes untrained"


def test_frozen_parts_get_no_gradient_and_stay_so_after_loading(folders, sentences, tmp_path):
    model, processor = joined(folders, "bert", "gpt2", frozen=["encoder.embeddings", "decoder.lm"])
    model.save_pretrained(tmp_path / "m")
    for frozen in (model, PretrainedVAE.from_pretrained(tmp_path / "m")):
        output = frozen.train()(**processor(sentences[:3]))
        (output.nll.sum() + output.posterior.kl().sum()).backward()
        got = {name for name, p in frozen.named_parameters() if p.grad is not None}
        assert got and not any(name.startswith(("encoder.embeddings.", "decoder.lm.")) for name in got)
        assert {"decoder.memory.weight", "decoder.context_embed.weight", "head.mean.weight"} <= got
        assert any(name.startswith("encoder.encoder.") for name in got)
        assert frozen.freeze()["decoder.lm"] == sum(p.numel() for p in frozen.decoder.lm.parameters())


def test_word_vectors_of_t5_belong_to_the_decoder(folders, sentences):
    """They are its tied output layer too: neither encoder-only steps nor a frozen encoder may decide over them."""
    model, processor = joined(folders, "", "t5", frozen=["decoder.lm.encoder"])
    words, batches = model.decoder.embed.weight, in_memory(processor, [{"text": s} for s in sentences], batch_size=4)
    assert words.requires_grad and words is model.decoder.lm.lm_head.weight
    assert not any(p.requires_grad for p in model.decoder.lm.encoder.parameters() if p is not words)
    assert model.freeze()["decoder.lm.encoder"] == sum(p.numel() for p in model.decoder.lm.encoder.parameters()) - words.numel()
    model.requires_grad_(True)
    alone = {id(p) for p in encoder_parameters(model, Splits(batches, batches))}
    reading = {id(p) for module in (model.decoder.lm.encoder, model.pooling, model.head) for p in module.parameters()}
    assert id(words) in reading and alone == reading - {id(words)}
    for name in ("decoder.lm.shared", "decoder.lm.encoder.embed_tokens"):
        model.requires_grad_(True)
        model.config.frozen = [name]
        assert model.freeze() == {name: words.numel()} and not words.requires_grad


def test_a_fresh_decoder_of_t5_leaves_its_encoder_alone(folders, tmp_path):
    """Both live in `decoder.lm`: what reads is taken all the same, and begins anew only where it is named."""
    before, _ = joined(folders, "", "t5", seed=1)
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.add_(1.0)
    before.save_pretrained(tmp_path)
    old, fresh = before.state_dict(), joined(folders, "", "t5")[0].state_dict()

    def taken(*reset):
        model = joined(folders, "", "t5")[0]
        model.take_weights(tmp_path, reset)
        new = model.state_dict()
        assert all(torch.equal(t, old[n]) or torch.equal(t, fresh[n]) for n, t in new.items())
        return {n for n, t in new.items() if torch.equal(t, old[n])}

    words = {f"decoder.lm.{name}.weight" for name in ("shared", "encoder.embed_tokens", "decoder.embed_tokens", "lm_head")}
    reading = {n for n in old if n.startswith(("decoder.lm.encoder.", "pooling.", "head."))}
    assert taken() == set(old)
    assert taken("decoder") == reading | words
    assert taken("decoder", "decoder.lm.shared") == reading - words
    assert taken("decoder", "decoder.lm.encoder") == {n for n in old if n.startswith(("pooling.", "head."))} | words


# --- checkpoints --------------------------------------------------------------------------------------------------


def test_weights_are_the_pretrained_ones_and_new_rows_their_mean(folders):
    from transformers import AutoModel, AutoModelForCausalLM

    model, processor = joined(folders, "bert", "gpt2")
    lm, encoder = AutoModelForCausalLM.from_pretrained(folders["gpt2"]), AutoModel.from_pretrained(folders["bert"])
    rows = lm.config.vocab_size
    assert model.config.vocab_size == len(processor.tokenizer) == rows + 2, "<unk> and <mask> are new"
    assert_close(model.decoder.embed.weight[:rows], lm.transformer.wte.weight)
    assert_close(model.decoder.embed.weight[rows:], lm.transformer.wte.weight.mean(0).expand(2, -1))
    assert_close(model.decoder.lm.transformer.h[1].attn.c_attn.weight, lm.transformer.h[1].attn.c_attn.weight)
    assert_close(model.encoder.encoder.layer[1].output.dense.weight, encoder.encoder.layer[1].output.dense.weight)
    assert model.encoder.pooler is None, "no posterior would train it"


def test_saving_and_loading_needs_no_part(pair, sentences, tmp_path):
    model, processor = pair
    space = LatentSpace(model, processor)
    space.save_pretrained(tmp_path / "m")
    again = LatentSpace.from_pretrained(tmp_path / "m")
    assert torch.equal(space.encode(sentences[:4]), again.encode(sentences[:4]))
    assert [s.nll for s in space.score(sentences[:3], samples=2)] == [s.nll for s in again.score(sentences[:3], samples=2)]
    assert space.sample(3, seed=0, **SHORT) == again.sample(3, seed=0, **SHORT)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


# --- tokenizers ---------------------------------------------------------------------------------------------------


def test_each_part_reads_its_own_tokens(folders, sentences):
    processor = pretrained_processor(folders["gpt2"], folders["bert"])
    batch, bert = processor(sentences[:3]), processor.encoder_tokenizer
    assert batch["input_ids"][0].tolist()[: int(batch["attention_mask"][0].sum())] == bert(sentences[0])["input_ids"]
    assert (batch["input_ids"][:, 0] == bert.convert_tokens_to_ids("[CLS]")).all()
    assert batch["decoder_input_ids"][0, 0] == batch["labels"][0, len(processor.tokenize(sentences[:1])[0])] == processor.tokenizer.eos_token_id
    assert processor.decode(batch["labels"].clamp_min(0)[:1])[0].startswith(sentences[0])
    assert pretrained_processor(folders["gpt2"], folders["gpt2"]).encoder_tokenizer is None
    t5 = pretrained_processor(folders["t5"])
    assert t5.encoder_tokenizer is None, "it ends a sentence as our batches do"
    assert t5.tokenizer.bos_token_id == 0 == t5.tokenizer.pad_token_id, "its decoder starts from the padding"
    assert pretrained_processor(folders["bert"], folders["bert"]).encoder_tokenizer is not None, "[CLS] stands in front"


def test_names_of_marks_in_a_text_are_text(folders):
    processor = pretrained_processor(folders["gpt2"], folders["bert"])
    text = "she sees <|endoftext|> and <mask> ."
    batch = processor([text])
    assert processor.normalize(text) == text and (batch["labels"] == processor.tokenizer.eos_token_id).sum() == 1
    assert processor.encoder_tokenizer.mask_token_id not in batch["input_ids"]


def test_corruption_spares_marks_and_targets(folders, sentences):
    processor = pretrained_processor(folders["gpt2"], folders["bert"])
    ids = processor.tokenize(sentences[:6])
    padded, lengths = torch.zeros(6, max(map(len, ids)), dtype=torch.long), torch.tensor([len(x) for x in ids])
    for row, tokens in zip(padded, ids, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    torch.manual_seed(0)
    clean, noisy = processor.collate(padded, lengths), processor.collate(padded, lengths, corruption=Corruption(drop=0.3, mask=0.5))
    bert = processor.encoder_tokenizer
    assert torch.equal(noisy["labels"], clean["labels"]) and noisy["attention_mask"].sum() < clean["attention_mask"].sum()
    assert (noisy["input_ids"][:, 0] == bert.bos_token_id).all() and (noisy["input_ids"] == bert.mask_token_id).any()
    assert ((noisy["input_ids"] == bert.eos_token_id).sum(1) == 1).all()


def test_the_processor_comes_back_as_it_was(folders, sentences, tmp_path):
    processor = pretrained_processor(folders["llama"], folders["bert"], {"tense": ["past"]}, max_length=40)
    processor.save_pretrained(tmp_path)
    again = SentenceProcessor.from_pretrained(tmp_path)
    for name, tensor in processor(sentences).items():
        assert torch.equal(tensor, again(sentences)[name])
    assert again.attributes == processor.attributes and again.max_length == 40
    (tmp_path / "encoder_tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="encoder_tokenizer.json is missing or damaged"):
        SentenceProcessor.from_pretrained(tmp_path)


def test_an_encoder_is_not_given_more_than_it_reads(folders):
    processor = pretrained_processor(folders["gpt2"], folders["bert"])
    with pytest.raises(ValueError, match="reads at most 64"):
        processor(["she " * 70])


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config_class, settings, message",
    [
        (PretrainedVAEConfig, {"latent_to_memory": False, "latent_to_embedding": False}, "never sees z"),
        (PretrainedVAEConfig, {"decoder_id": "someone/gpt"}, "decoder_id is given alone"),
        (PretrainedVAEConfig, {"pooling": "frist"}, "did you mean 'first'"),
        (PretrainedVAEConfig, {"num_memory_slots": 0}, "must be at least 1"),
        (PretrainedVAEConfig, {"encoder_vocab": -1}, "encoder_vocab is -1"),
        (Seq2SeqVAEConfig, {"encoder_id": "someone/bert"}, "no key 'encoder_id'"),
        (PretrainedVAEConfig, {"decoder_config": {**TINY_GPT2, "n_layers": 2}}, "decoder_config has no key 'n_layers': did you mean 'n_layer'"),
        (PretrainedVAEConfig, {"encoder_config": {**TINY_BERT, "hiden_size": 8}}, "encoder_config has no key 'hiden_size': did you mean 'hidden_size'"),
        (Seq2SeqVAEConfig, {"decoder_config": {"model_type": "t5", "foo": 3}}, "decoder_config has no key 'foo'"),
        (PretrainedVAEConfig, {"decoder_config": {**TINY_GPT2, "n_layer": "two"}}, "decoder_config: .*'n_layer' expected int, got str"),
        (PretrainedVAEConfig, {"decoder_config": {"n_layer": 2}}, "decoder_config needs the key 'model_type'"),
    ],
)
def test_settings_out_of_range_are_refused(config_class, settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(config_class, settings)


def tiny(**settings):
    """A fresh BERT and GPT-2 of one layer, with two slots."""
    settings = {"vocab_size": 40, "latent_dim": 3, "num_memory_slots": 2, "encoder_config": TINY_BERT, "decoder_config": TINY_GPT2, **settings}
    torch.manual_seed(0)
    return PretrainedVAE(make_config(PretrainedVAEConfig, settings)).eval()


def test_keys_that_the_library_reads_are_taken():
    """Its synonyms, its older names, and what it keeps of tokens; nothing of these is among a fresh config's own."""
    assert tiny(decoder_config={"model_type": "gpt2", "hidden_size": 12, "num_attention_heads": 2, "n_layer": 1, "decoder_start_token_id": 0}).decoder.embed.embedding_dim == 12
    llama = {**TINY_BERT, "model_type": "llama", "rope_theta": 500.0, "attn_implementation": "eager", "use_cache": True}
    assert tiny(decoder_config=llama).decoder.lm.config.rope_parameters["rope_theta"] == 500
    make_config(Seq2SeqVAEConfig, {"decoder_config": {"model_type": "t5", "d_model": 8, "tie_word_embeddings": False, "is_gated_act": False}})


def test_what_a_fetched_part_brings_is_taken_as_it_is(folders, sentences, tmp_path):
    """Configs on the Hub have keys of older versions; but a user's own beside them would be ignored, and is refused."""
    shutil.copytree(folders["gpt2"], tmp_path / "old")
    old = json.loads((tmp_path / "old" / "config.json").read_text())
    (tmp_path / "old" / "config.json").write_text(json.dumps({**old, "n_ctx": 300}))
    where = {**folders, "gpt2": str(tmp_path / "old")}
    model, processor = joined(where, "bert", "gpt2")
    assert model.config.decoder_config["n_ctx"] == 300
    model.save_pretrained(tmp_path / "m")
    again = PretrainedVAE.from_pretrained(tmp_path / "m").eval()
    assert torch.equal(again(sample=False, **processor(sentences[:2])).nll, model(sample=False, **processor(sentences[:2])).nll)
    with pytest.raises(ValueError, match="decoder_config is what decoder_id=.* leave one of the two out"):
        joined(where, "bert", "gpt2", decoder_config={"n_layer": 1})


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_freezing_everything_is_refused(pooling):
    """The flaw: the first backward pass found nothing to train."""
    with pytest.raises(ValueError, match="frozen names encoder, decoder, head.*, which is all that the model could learn"):
        tiny(pooling=pooling, frozen=["encoder", "decoder", "head", *(["pooling"] if pooling == "attention" else [])])
    assert any(p.requires_grad for p in tiny(frozen=["encoder", "decoder"]).parameters())


def test_a_part_without_weights_is_not_offered_in_its_own_place():
    """The flaw: "of which the model has no parameter: did you mean 'pooling'?"."""
    for name in ("pooling", "polling"):
        with pytest.raises(ValueError, match=f"frozen names '{name}'") as refused:
            tiny(frozen=[name])
        assert "pooling" not in str(refused.value).partition("no parameter")[2]
    with pytest.raises(ValueError, match="did you mean 'decoder.lm.transformer'"):
        tiny(frozen=["decoder.lm.transformers"])


@pytest.mark.parametrize(
    ("kind", "settings", "limit"),
    [
        ("bert", {**TINY_BERT, "max_position_embeddings": 8}, 8),
        ("roberta", {**TINY_BERT, "model_type": "roberta", "max_position_embeddings": 10, "pad_token_id": 1}, 8),
        ("gpt2", {**TINY_GPT2, "n_positions": 8}, 8),
        ("opt", {"model_type": "opt", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 8, "max_position_embeddings": 8, "word_embed_proj_dim": 8}, 8),
        ("gptj", {"model_type": "gptj", "n_embd": 16, "n_layer": 1, "n_head": 2, "rotary_dim": 4, "n_positions": 8}, 8),
        ("mpt", {"model_type": "mpt", "d_model": 8, "n_heads": 2, "n_layers": 1, "max_seq_len": 8}, 8),
        ("llama", {**TINY_BERT, "model_type": "llama", "max_position_embeddings": 8}, None),
        ("t5", {"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}, None),
        ("xlnet", {"model_type": "xlnet", "d_model": 8, "n_layer": 1, "n_head": 2, "d_inner": 8}, None),
    ],
)
def test_positions_end_where_the_library_fails(kind, settings, limit):
    from transformers import AutoModel

    model = bare_encoder(AutoModel.from_config(make_part_config(settings, 40, "encoder_config"))).eval()
    assert num_positions(model) == limit

    def read(num):
        with torch.no_grad():
            return model(input_ids=torch.full((1, num), 5), attention_mask=torch.ones(1, num, dtype=torch.long))

    read(limit or 30)
    if limit is not None:
        with pytest.raises((IndexError, RuntimeError)):
            read(limit + 1)


@pytest.mark.parametrize(
    ("settings", "longest", "part"),
    [
        ({"decoder_config": {**TINY_GPT2, "n_positions": 8}}, 5, "with its mark and 2 slots of z 9 positions, and the decoder has 8: set data.max_tokens to 5 or less"),
        ({"decoder_config": {**TINY_GPT2, "n_positions": 8}, "latent_to_memory": False}, 7, "with its mark 9 positions, and the decoder has 8"),
        ({"encoder_config": {**TINY_BERT, "max_position_embeddings": 8}}, 7, "the encoder has 8: set data.max_tokens to 7 or less"),
    ],
)
def test_sentences_that_positions_do_not_reach_are_refused_before_training(settings, longest, part):
    """The flaw: IndexErrors in the middle of an epoch. What is said to fit does, to the last token."""
    model = tiny(**settings)
    model.check_length(longest)
    with pytest.raises(ValueError, match=part):
        model.check_length(longest + 1)

    def train(num):
        ids = torch.randint(5, 40, (2, num + 1))
        output = model(input_ids=ids, decoder_input_ids=ids, labels=ids, attention_mask=torch.ones_like(ids))
        (output.nll.sum() + output.posterior.kl().sum()).backward()

    train(longest)
    with pytest.raises(ValueError, match="tokens for the (en|de)coder, which has positions for"):
        train(longest + 1)


def test_where_positions_have_no_end_any_length_is_taken():
    tiny(decoder_config={**TINY_BERT, "model_type": "llama"}).check_length(400)
    t5 = {"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    Seq2SeqVAE(make_config(Seq2SeqVAEConfig, {"vocab_size": 40, "latent_dim": 3, "decoder_config": t5})).check_length(10_000)
    short = {"encoder_config": {**TINY_BERT, "max_position_embeddings": 8}, "encoder_vocab": 40}
    tiny(**short).check_length(400)  # whose own tokens nobody has counted
    with pytest.raises(ValueError, match="4 positions, and the decoder has 2: take one that has more"):
        tiny(decoder_config={**TINY_GPT2, "n_positions": 2}).check_length(1)


def test_what_is_said_ends_where_positions_do():
    """The flaw: a model that had not learned to end was asked for 257 tokens, and failed at its last position."""
    model = tiny(decoder_config={**TINY_GPT2, "n_positions": 12})
    model.decoder.generation_config.suppress_tokens.append(model.config.eos_token_id)
    z, prompt = torch.zeros(2, 3), torch.full((2, 4), 7)
    assert model.generate(z, max_new_tokens=257).shape == model.generate(z).shape == (2, 11)
    assert model.generate(z, input_ids=prompt, attention_mask=torch.ones_like(prompt)).shape == (2, 11)
    assert model.generate(z, max_new_tokens=3).shape == (2, 4)
    assert model.generate(z, num_beams=2, max_new_tokens=257).shape == (2, 11)


def test_what_cannot_be_built_is_refused_before_training(folders, tmp_path):
    small = {"vocab_size": 40, "latent_dim": 3}
    with pytest.raises(ValueError, match="needs the key 'model_type'"):
        PretrainedVAE(make_config(PretrainedVAEConfig, {**small, "decoder_config": {"n_embd": 8}}))
    with pytest.raises(ValueError, match="no model_type of decoder_config 'gtp2'.*did you mean 'gpt2'"):
        PretrainedVAE(make_config(PretrainedVAEConfig, {**small, "decoder_config": {"model_type": "gtp2"}}))
    with pytest.raises(ValueError, match="no AutoModelForCausalLM: an encoder-decoder is for the model seq2seq"):
        PretrainedVAE(make_config(PretrainedVAEConfig, {**small, "decoder_config": {"model_type": "t5", "d_model": 8, "num_layers": 1}}))
    with pytest.raises(ValueError, match="no AutoModelForSeq2SeqLM"):
        Seq2SeqVAE(make_config(Seq2SeqVAEConfig, {**small, "decoder_config": {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 1}}))
    for broken in ({"n_head": 0}, {"n_embd": -8}):
        with pytest.raises(ValueError, match="decoder_config makes no 'gpt2': "):
            tiny(decoder_config={**TINY_GPT2, **broken})
    with pytest.raises(ValueError, match="decoder_config makes no 'gpt2': .*divisible by num_heads"):
        tiny(decoder_config={**TINY_GPT2, "n_head": 3})
    with pytest.raises(ValueError, match="encoder_config makes no 'bert': .*number of attention heads"):
        tiny(encoder_config={**TINY_BERT, "num_attention_heads": 3})
    with pytest.raises(ValueError, match="frozen names 'decoder.ml'"):
        joined(folders, "bert", "gpt2", frozen=["decoder.ml"])
    with pytest.raises(ValueError, match="could not load the pretrained model"):
        pretrained_processor(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="is no complete"):
        joined(folders, "gpt2", "bert")
    with pytest.raises(ValueError, match="no key 'slots'"):
        joined(folders, "bert", "gpt2", slots=3)
    model, _ = joined(folders, "bert", "gpt2")
    with pytest.raises(ValueError, match="words of its own"):
        model.encode(inputs_embeds=torch.zeros(1, 3, 16))
