"""ONNX graphs compute what the models do, and a program that knows nothing of ours writes the same sentences."""

import json

import pytest
import torch
from torch import nn

from textae.core.autoencoder import make_config
from textae.models import model_classes
from textae.space import LatentSpace

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from textae.interchange.onnx import export_graph, export_sentences, export_topics  # noqa: E402

FAMILIES = {
    "lstm": ("rnn", {"embedding_dim": 12, "hidden_dim": 14, "encoder_hidden_dim": 10, "attribute_dim": 3}),
    "gru of two layers": ("rnn", {"cell": "gru", "num_layers": 2, "latent_to_state": False, "posterior": "point", "hidden_dim": 14}),
    "reads bos": ("rnn_bos", {"embedding_dim": 12, "hidden_dim": 14}),
    "sphere": ("rnn", {"posterior": "vmf", "posterior_options": {"kappa": 20.0}}),
    "groups": ("rnn", {"posterior": "hierarchical", "posterior_options": {"groups": [2, 2]}}),
    "rotary": ("transformer", {"hidden_dim": 16, "num_heads": 2, "feedforward_dim": 20, "attribute_dim": 3}),
    "learned positions": ("transformer", {"hidden_dim": 16, "positions": "learned", "pooling": "first", "num_positions": 64}),
}


def tiny(family, processor):
    name, settings = FAMILIES[family]
    config_class, model_class = model_classes(name)
    torch.manual_seed(1)
    settings = {"vocab_size": len(processor.tokenizer), "latent_dim": 4, "attributes": processor.attributes, **settings}
    model = model_class(make_config(config_class, settings))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.7)  # strong opinions
    return LatentSpace(model, processor)


def programs(folder):
    """Run the README's program in its folder; its functions."""
    text = (folder / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0].replace("I was happy to see you.", "the cat sees bread .")
    found = {}
    exec(compile(code, "README.md", "exec"), found)  # noqa: S102
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_the_readmes_program_writes_our_sentences(family, processor, attribute_processor, sentences, tmp_path, monkeypatch):
    told = family in ("lstm", "rotary")
    space = tiny(family, attribute_processor if told else processor)
    about = export_sentences(space, tmp_path)
    assert max(about["greatest_difference"].values()) < 1e-4 and about == json.loads((tmp_path / "onnx.json").read_text())
    monkeypatch.chdir(tmp_path)
    run = programs(tmp_path)
    for sentence in sentences[:4]:
        z = space.encode(sentence)
        there = run["encode"](sentence)
        assert torch.allclose(torch.from_numpy(there[0]), z, atol=1e-5)
        assert run["decode"](there) == space.decode(z)
        if told:
            values = {"tense": "past", "mood": "bad"}
            assert run["decode"](there, **values) == space.decode(z, attributes=values)


def test_what_cannot_be_exported_is_refused(processor, tmp_path, monkeypatch):
    monkeypatch.setitem(FAMILIES, "codebook", ("rnn", {"posterior": "quantized", "posterior_options": {"num_codes": 7, "code_dim": 2}}))
    with pytest.raises(ValueError, match="a codebook"):
        export_sentences(tiny("codebook", processor), tmp_path)
    monkeypatch.setitem(FAMILIES, "lm", ("lm", {"hidden_dim": 14}))
    with pytest.raises(ValueError, match="SentenceLM cannot be exported; RNNVAE, TransformerVAE can"):
        export_sentences(tiny("lm", processor), tmp_path)


def test_topics(tmp_path):
    import numpy as np
    import onnxruntime

    from textae.models.topics import TopicModel, TopicModelConfig
    from textae.topics.processor import BagProcessor
    from textae.topics.space import LatentSpace as DocumentSpace

    vocabulary = ["bread", "oven", "goal", "team", "cake"]
    config = make_config(TopicModelConfig, {"vocab_size": 5, "latent_dim": 3, "hidden_dims": [6], "code": "simplex", "batch_norm": True})
    space = DocumentSpace(TopicModel(config), BagProcessor(vocabulary))
    about = export_topics(space, tmp_path)
    counts = space.processor(["oven bread oven", "a goal for the team"])["counts"]
    z = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx")).run(["mean"], {"counts": counts.numpy()})[0]
    log_probs = onnxruntime.InferenceSession(str(tmp_path / "decoder.onnx")).run(None, {"latents": z})[0]
    with torch.no_grad():
        mean = space.model.encode(counts=counts).mean
        assert np.allclose(z, mean, atol=1e-5) and np.allclose(log_probs, space.model.word_log_probs(space.model.shares(mean)), atol=1e-5)
    assert about["vocabulary"] == vocabulary


class Forgetful(nn.Module):
    """Its result depends on the batch in a way that tracing writes down as a constant."""

    inputs, outputs = ("x",), ("y",)

    def forward(self, x):
        return (x * len(x),)


def test_a_graph_that_computes_something_else_is_refused(tmp_path):
    x = torch.rand(2, 3)
    assert export_graph(Forgetful(), [{"x": x}], {"x": {0: "batch"}}, tmp_path / "same.onnx") == 0
    with pytest.raises(ValueError, match="y of check 2 has a difference of"):
        export_graph(Forgetful(), [{"x": x}, {"x": torch.rand(5, 3)}], {"x": {0: "batch"}}, tmp_path / "other.onnx")
