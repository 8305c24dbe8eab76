"""`textae train` with pretrained parts: their weights are fetched once, and a killed run goes on without a trace."""

import pytest
import torch

from apps.catalog import open_space
from apps.run import train
from apps.settings import resolve
from tests.pretrained_parts import pretrained_folder

CONFIG = """
model: {{name: pretrained, encoder_id: {bert}, decoder_id: {gpt2}, latent_dim: 4, frozen: [decoder.lm]}}
data: {{name: files, train: {text}, valid: {text}, batch_size: 8}}
objective: {{reconstruction: , kl: {{weight: 0.1}}}}
trainer: {{epochs: 2, max_steps: 4, lr: 1e-3, device: cpu, progress: false, save_every: 2, eval_every: 2, log_every: 1, precision: bf16}}
out: {out}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, sentences):
    place = tmp_path_factory.mktemp("place")
    (place / "text.txt").write_text("\n".join(sentences) + "\n")
    return place, {kind: pretrained_folder(kind, sentences, place / kind) for kind in ("bert", "gpt2")}


def config(place, name, **changes):
    place, parts = place
    (place / f"{name}.yaml").write_text(CONFIG.format(**parts, text=place / "text.txt", out=place / name))
    return resolve(place / f"{name}.yaml", [f"{k}={v}" for k, v in changes.items()])


def test_a_stopped_run_goes_on_bit_for_bit_and_frozen_parts_stay_the_pretrained_ones(place, sentences):
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    class Killed(Exception):
        """The run was killed after a step."""

    unbroken = train(config(place, "unbroken"))
    from textae.core.trainer import Trainer

    class Stopping(Trainer):
        def _is_due(self, every):
            if self.state.step == 3:
                raise Killed
            return super()._is_due(every)

    import textae.core.trainer

    original, textae.core.trainer.Trainer = textae.core.trainer.Trainer, Stopping
    try:
        with pytest.raises(Killed):
            train(config(place, "stopped"))
    finally:
        textae.core.trainer.Trainer = original
    stopped = train(config(place, "stopped"), resume=True)
    first, second = load_file(unbroken / "model.safetensors"), load_file(stopped / "model.safetensors")
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    space, source = open_space(str(unbroken), "cpu"), AutoModelForCausalLM.from_pretrained(place[1]["gpt2"])
    assert torch.equal(space.model.decoder.lm.transformer.h[0].attn.c_attn.weight, source.transformer.h[0].attn.c_attn.weight)
    assert space.processor.encoder_tokenizer is not None and len(space.sample(2, seed=0, max_new_tokens=4)) == 2
    start = train(config(place, "onward", init=unbroken))
    assert open_space(str(start), "cpu").encode(sentences[:2]).shape == (2, 4)


def test_tokenizers_come_with_the_parts(place):
    with pytest.raises(ValueError, match="bring their own tokenizers"):
        config(place, "wrong", **{"tokenizer.vocab_size": 300})
    with pytest.raises(ValueError, match="could not load the pretrained model"):
        train(config(place, "missing", **{"model.decoder_id": place[0] / "nothing"}))


def test_what_no_part_can_take_is_refused_before_the_first_step(place):
    with pytest.raises(ValueError, match="302 positions, and the decoder has 300: set data.max_tokens to 298 or less"):
        train(config(place, "long", **{"data.max_tokens": 300}))
    with pytest.raises(ValueError, match="all that the model could learn"):
        train(config(place, "still", **{"model.frozen": "[encoder, decoder, head]"}))
    with pytest.raises(ValueError, match="leave one of the two out"):
        train(config(place, "both", **{"model.decoder_config": "{model_type: gpt2, n_layer: 1}"}))
    assert not any((place[0] / name / "state").exists() for name in ("long", "still", "both"))
