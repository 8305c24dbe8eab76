"""The training loop: stopped and resumed without a trace, undisturbed by evaluation, honest in its log.

A tiny model on 36 sentences: nine batches an epoch.
"""

import json
import math
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from textae.core.data import Splits
from textae.core.schedules import Cosine, Linear
from textae.models.rnn import RNNVAE

pytestmark = pytest.mark.filterwarnings("ignore:posterior collapse")  # models of a few steps have learned nothing yet
ROOT = Path(__file__).parents[2]
ADVERSARY = {"reconstruction": None, "latent_adversary": {"hidden_dim": 8, "lr": 0.5}}
CASES = {
    "vae, bf16, corruption, accumulation": dict(
        objective={"reconstruction": None, "kl": {"weight": {"schedule": "linear", "steps": 10}, "free_bits": 0.1}},
        precision="bf16", accumulate=2, corruption={"drop": 0.3, "mask": 0.2, "shuffle": 3}, epochs=3, save_every=3, eval_every=4,
    ),
    "adversary": dict(objective=ADVERSARY, epochs=2, save_every=5, decay="cosine", warmup=3),
    "odd accumulation over epochs": dict(accumulate=4, epochs=4, save_every=1, weight_decay=0.1, decay="linear"),
}  # fmt: skip


class Interrupted(Exception):
    """What a test throws into a run."""


def interrupt_after(num, act):
    """Splits whose training batches call `act` when `num` have been drawn in all."""

    class Batches:
        def __init__(self, batches):
            self.batches, self.drawn = batches, 0

        def __len__(self):
            return len(self.batches)

        def epoch(self, *args, **kwargs):
            for batch in self.batches.epoch(*args, **kwargs):
                if self.drawn == num:
                    act()
                self.drawn += 1
                yield batch

    return lambda train, valid: Splits(Batches(train), valid)


def throw():
    raise Interrupted


def everything(trainer):
    """Weights, critics and optimizer state of a run as flat tensors."""
    found = {**trainer.model.state_dict(), **{f"objective.{n}": t for n, t in trainer.objective.state_dict().items()}}
    for i, values in trainer.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{i}.{n}": torch.as_tensor(v) for n, v in values.items()}
    return {n: t.clone() for n, t in found.items()}


def assert_same(a, b):
    assert a.keys() == b.keys() and len(a) > 20
    different = [n for n in a if not torch.equal(a[n], b[n])]
    assert not different, different


def log(out, split=None):
    lines = [json.loads(s) for s in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if split in (None, line["split"])]


def without_clock(lines):
    return [{k: v for k, v in line.items() if k not in ("seconds", "per_second")} for line in lines]


# --- resume -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_run_stopped_in_mid_epoch_and_resumed_equals_the_unbroken_one(case, new_trainer, tmp_path):
    whole = new_trainer(tmp_path / "whole", **case)
    whole.fit()
    expected = everything(whole)
    with pytest.raises(Interrupted):
        new_trainer(tmp_path / "broken", splits=interrupt_after(15, throw), **case).fit()
    resumed = new_trainer(tmp_path / "broken", **case)
    torch.manual_seed(77)  # whatever state the global generator is in
    state = resumed.fit(resume=True)
    assert_same(everything(resumed), expected)
    assert state.step == whole.state.step and state.drawn == whole.state.drawn and state.finished
    assert without_clock(log(tmp_path / "broken", "valid")) == without_clock(log(tmp_path / "whole", "valid")) != []


def test_a_run_that_was_resumed_twice_and_at_an_epochs_end(new_trainer, tmp_path):
    options = dict(epochs=3, save_every=1)
    whole = new_trainer(tmp_path / "whole", **options)
    whole.fit()
    for num, resume in ((9, False), (9, True)):  # after the 9th batch: exactly an epoch, then exactly two
        with pytest.raises(Interrupted):
            new_trainer(tmp_path / "broken", splits=interrupt_after(num, throw), **options).fit(resume=resume)
    resumed = new_trainer(tmp_path / "broken", **options)
    resumed.fit(resume=True)
    assert_same(everything(resumed), everything(whole))


def test_a_finished_run_stays_finished(new_trainer, tmp_path):
    done = new_trainer(tmp_path)
    done.fit()
    again = new_trainer(tmp_path)
    assert again.fit(resume=True).step == 18
    assert_same(everything(again), everything(done))


SCRIPT = """
import os, runpy, signal, sys
tests = runpy.run_path("tests/conftest.py")
helpers = runpy.run_path("tests/core/test_trainer.py")
kill = helpers["interrupt_after"](13, lambda: os.kill(os.getpid(), signal.SIGKILL))
tests["make_trainer"](sys.argv[1], splits=kill, save_every=2, epochs=2).fit()
"""


def test_a_killed_run_resumes_bit_for_bit(new_trainer, tmp_path):
    killed = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "killed")], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed, whole = (new_trainer(tmp_path / name, save_every=2, epochs=2) for name in ("killed", "whole"))
    resumed.load()
    assert resumed.state.step == 12
    resumed.fit(resume=True)
    whole.fit()
    assert_same(everything(resumed), everything(whole))


def test_the_log_of_a_killed_run_is_trimmed_to_its_state(new_trainer, tmp_path):
    with pytest.raises(Interrupted):
        new_trainer(tmp_path, splits=interrupt_after(8, throw), save_every=3, log_every=1).fit()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 9, "spl')  # cut off by the kill
    new_trainer(tmp_path, save_every=3, log_every=1).fit(resume=True)
    assert [line["step"] for line in log(tmp_path, "train")] == list(range(1, 19))


def test_a_changed_config_is_refused_on_resume(new_trainer, tmp_path):
    new_trainer(tmp_path, epochs=1).fit()
    for change, key in (({"lr": 0.02}, "trainer.lr: 0.01 -> 0.02"), ({"seed": 3}, "trainer.seed"), ({"precision": "bf16"}, "trainer.precision")):
        with pytest.raises(ValueError, match=f"cannot resume with a changed config .*{key}"):
            new_trainer(tmp_path, **{"epochs": 1, **change}).fit(resume=True)
    new_trainer(tmp_path, epochs=1, log_every=7, keep=5).fit(resume=True)  # these change no number


def test_there_must_be_something_to_resume(new_trainer, tmp_path):
    with pytest.raises(ValueError, match="nothing to resume"):
        new_trainer(tmp_path).fit(resume=True)


# --- what must not matter -----------------------------------------------------------------------------------------


def test_evaluation_saving_and_logging_do_not_disturb_training(new_trainer, tmp_path):
    seen = []
    for i, options in enumerate(({"eval_every": 1, "save_every": 1, "log_every": 1}, {"eval_every": 1000}, {"valid": False})):
        trainer = new_trainer(tmp_path / str(i), corruption={"drop": 0.3}, **options)
        trainer.fit()
        seen.append(everything(trainer))
    assert_same(seen[0], seen[1])
    assert_same(seen[0], seen[2])


def test_every_batch_of_every_epoch_has_its_own_randomness(new_trainer, tmp_path):
    def seeds(name, **options):
        seen = []

        class Batches:
            def __init__(self, batches):
                self.batches = batches

            def __len__(self):
                return len(self.batches)

            def epoch(self, *args, **kwargs):
                for batch in self.batches.epoch(*args, **kwargs):
                    seen.append(torch.initial_seed())
                    yield batch

        new_trainer(tmp_path / name, splits=lambda train, valid: Splits(Batches(train), valid), epochs=2, **options).fit()
        return seen

    first = seeds("a", seed=0)
    assert len(first) == len(set(first)) == 18 and seeds("b", seed=0, eval_every=2) == first
    assert not set(first) & set(seeds("c", seed=1))


def test_the_seed_decides_everything(new_trainer, processor, new_model, tmp_path):
    def run(name, seed):
        torch.manual_seed(len(name))
        trainer = new_trainer(tmp_path / name, model=new_model(processor, dropout=0.1), objective=ADVERSARY, seed=seed, epochs=1)
        trainer.fit()
        return everything(trainer)

    first = run("a", 1)
    assert_same(run("another", 1), first)
    assert not torch.equal(run("third", 2)["decoder.embed.weight"], first["decoder.embed.weight"])


def test_validation_is_the_unannealed_bound(new_trainer, tmp_path):
    """A known 'validation ELBO' is the annealed loss: near zero β it falls while the model gets worse."""
    trainer = new_trainer(tmp_path, {"reconstruction": None, "kl": {"weight": {"schedule": "linear", "steps": 10**6}}}, epochs=1)
    trainer.fit()
    (line,) = log(tmp_path, "valid")
    assert line["loss"] == pytest.approx(line["reconstruction"] + line["kl"]) and line["kl"] > 0.01
    assert line["num_examples"] == 12 and line["step"] == 9 and line["best"] is True
    torch.manual_seed(12)
    before = torch.get_rng_state()
    bound = trainer.evaluate()
    assert torch.equal(torch.get_rng_state(), before)
    assert bound == trainer.evaluate() and bound.loss == pytest.approx(line["loss"], rel=1e-6)
    assert trainer.model.training


def test_a_model_in_eval_mode_is_trained_with_dropout(new_trainer, processor, new_model, tmp_path):
    trainer = new_trainer(tmp_path, model=new_model(processor, dropout=0.5), eval_every=1000)
    trainer.model.eval()  # as `from_pretrained` leaves it
    trainer.fit()
    usual = new_trainer(tmp_path / "usual", model=new_model(processor, dropout=0.5), eval_every=1000)
    usual.fit()
    assert_same(everything(trainer), everything(usual))


# --- what must matter ---------------------------------------------------------------------------------------------


def test_training_helps(new_trainer, processor, new_model, tmp_path):
    trainer = new_trainer(tmp_path, {"reconstruction": None, "kl": {"weight": 0.1}}, epochs=8, lr=0.02, model=new_model(processor))
    before = trainer.evaluate()
    trainer.fit()
    assert trainer.evaluate().loss < 0.6 * before.loss


def test_accumulation_is_the_mean_of_its_batches(new_trainer, processor, new_model, tmp_path):
    """Two batches of four make the gradient of one of eight, where nothing is drawn."""
    norms = []
    for batch_size, accumulate in ((4, 2), (36, 1)):
        model = new_model(processor, posterior="point")
        trainer = new_trainer(
            tmp_path / str(batch_size), {"reconstruction": None}, model=model, batch_size=batch_size, accumulate=accumulate if batch_size == 36 else 9,
            epochs=1, log_every=1, lr=0.0,
        )  # fmt: skip
        trainer.fit()
        norms.append([line["grad_norm_autoencoder"] for line in log(tmp_path / str(batch_size), "train")])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4) and len(norms[0]) == 1


def test_each_player_is_clipped_alone(new_trainer, tmp_path):
    trainer = new_trainer(tmp_path, ADVERSARY, clip=1.0)
    for name, (parameters, _) in trainer.players.items():
        for p in parameters:
            p.grad = torch.full_like(p, 100.0 if name == "autoencoder" else 1e-3)
    norms = trainer._clip()
    for name, (parameters, _) in trainer.players.items():
        after = torch.stack([p.grad.norm() for p in parameters]).norm()
        before = (100.0 if name == "autoencoder" else 1e-3) * math.sqrt(sum(p.numel() for p in parameters))
        assert norms[name].item() == pytest.approx(before, rel=1e-4)
        assert after.item() == pytest.approx(min(before, 1.0), rel=1e-3)


def test_clipping_happens_between_backward_and_step(new_trainer, processor, new_model, tmp_path):
    """One repository clips before `backward`. Adam hides a gradient's size, but its first moment shows it."""
    trainer = new_trainer(tmp_path, {"reconstruction": 1000.0}, clip=0.5, max_steps=1, model=new_model(processor))
    trainer.fit()
    moments = [s["exp_avg"] for s in trainer.optimizer.state_dict()["state"].values()]
    assert torch.stack([m.norm() for m in moments]).norm().item() == pytest.approx(0.1 * 0.5, rel=1e-3)
    free = new_trainer(tmp_path / "free", {"reconstruction": 1000.0}, clip=0.0, max_steps=1, model=new_model(processor))
    free.fit()
    moments = [s["exp_avg"] for s in free.optimizer.state_dict()["state"].values()]
    assert torch.stack([m.norm() for m in moments]).norm().item() > 10


def test_only_the_autoencoders_and_the_critics_own_parameters_are_players(new_trainer, processor, new_model, tmp_path):
    model = new_model(processor, prior="flow", prior_options={"layers": 2, "hidden_dim": 4})
    trainer = new_trainer(tmp_path, ADVERSARY, model=model, epochs=1, weight_decay=0.1)
    before = {n: t.clone() for n, t in model.prior.state_dict().items()}
    assert list(trainer.players) == ["autoencoder", "latent_adversary"]
    sizes = [sum(p.numel() for p in parameters) for parameters, _ in trainer.players.values()]
    assert sizes[0] == sum(p.numel() for n, p in model.named_parameters() if not n.startswith("prior."))
    assert sizes[1] == sum(p.numel() for p in trainer.objective.parameters())
    trainer.fit()
    assert all(torch.equal(t, before[n]) for n, t in model.prior.state_dict().items())
    assert [g["lr"] for g in trainer.optimizer.param_groups] == pytest.approx([0.01, 0.005])


@pytest.mark.parametrize("decay", ["none", "linear", "cosine"])
def test_the_rate_climbs_and_decays_to_the_last_step(decay, new_trainer, tmp_path):
    new_trainer(tmp_path, epochs=2, warmup=4, decay=decay, final_lr=0.1, lr=0.01, log_every=1).fit()
    rates = [line["lr"] for line in log(tmp_path, "train")]
    assert rates[:5] == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01])
    after = {"none": lambda s: 0.01, "linear": Linear(0.01, 0.001, 14, 4), "cosine": Cosine(0.01, 0.001, 14, 4)}[decay]
    assert rates[4:] == pytest.approx([after(s) for s in range(4, 18)])


# --- when it ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, steps",
    [({"epochs": 2}, 18), ({"epochs": 2, "max_steps": 5}, 5), ({"epochs": 1, "max_steps": 50}, 9), ({"epochs": 3, "accumulate": 2}, 13),
     ({"epochs": 1, "batch_size": 36}, 1)],
)  # fmt: skip
def test_it_ends_with_its_epochs_or_steps(options, steps, new_trainer, tmp_path):
    state = new_trainer(tmp_path, **options).fit()
    assert state.step == steps and state.finished
    assert sorted((tmp_path / "state").iterdir())[-1].name == f"step-{steps:08d}"


def test_it_stops_early_when_nothing_gets_better(new_trainer, tmp_path):
    state = new_trainer(tmp_path, lr=0.0, epochs=50, eval_every=2, patience=3).fit()
    assert state.step == 8 and state.best_step == 2 and state.bad_evaluations == 3 and state.finished
    assert [line["best"] for line in log(tmp_path, "valid")] == [True, False, False, False]
    again = new_trainer(tmp_path, lr=0.0, epochs=50, eval_every=2, patience=3)
    assert again.fit(resume=True).step == 8


def stream_splits(processor, sentences):
    from textae.data.batching import StreamedBatches

    stream = StreamedBatches(processor, [{"text": s} for s in sentences], batch_size=4, buffer=3)
    return lambda train, valid: Splits(stream, valid)


def test_a_stream_ends_with_its_epochs_and_resumes(new_trainer, processor, sentences, tmp_path):
    options = {"splits": stream_splits(processor, sentences), "epochs": 2, "save_every": 4, "eval_every": 5}
    whole = new_trainer(tmp_path / "whole", **options)
    assert whole.fit().step == 18
    stream = options["splits"](None, None).train
    broken = {**options, "splits": lambda train, valid: interrupt_after(14, throw)(stream, valid)}
    with pytest.raises(Interrupted):
        new_trainer(tmp_path / "broken", **broken).fit()
    resumed = new_trainer(tmp_path / "broken", **options)
    resumed.fit(resume=True)
    assert_same(everything(resumed), everything(whole))


def test_a_stream_that_decays_needs_an_end(new_trainer, processor, sentences, tmp_path):
    splits = stream_splits(processor, sentences)
    with pytest.raises(ValueError, match="decay of a stream needs trainer.max_steps"):
        new_trainer(tmp_path, splits=splits, decay="cosine", save_every=1)
    assert new_trainer(tmp_path, splits=splits, decay="cosine", max_steps=3, save_every=2).fit().step == 3


# --- what it writes -----------------------------------------------------------------------------------------------


def test_only_the_newest_states_are_kept(new_trainer, tmp_path):
    new_trainer(tmp_path, epochs=1, save_every=2, keep=3).fit()
    assert sorted(p.name for p in (tmp_path / "state").iterdir()) == ["step-00000006", "step-00000008", "step-00000009"]


def test_log_lines_hold_every_term_unweighted_and_its_weight(new_trainer, tmp_path):
    objective = {"reconstruction": None, "kl": {"weight": {"schedule": "linear", "steps": 4, "end": 0.5}, "free_bits": 0.1}, "latent_adversary": {"weight": 0.3}}
    new_trainer(tmp_path, objective, epochs=1, log_every=1).fit()
    for number, line in enumerate(log(tmp_path, "train"), 1):
        assert line["step"] == number and line["weight_kl"] == pytest.approx(min((number - 1) / 8, 0.5))
        assert line["weight_reconstruction"] == 1 and line["weight_latent_adversary"] == 0.3
        weighted = line["reconstruction"] + 0.3 * line["latent_adversary"] + line["latent_adversary_own_loss"]
        if number == 1:  # β is 0 there, so free bits do not show
            assert line["loss"] == pytest.approx(weighted, rel=1e-5) and line["kl"] > 0.05
        assert line["grad_norm_autoencoder"] > 0 and line["grad_norm_latent_adversary"] > 0 and line["per_second"] > 0
    lines = log(tmp_path, "train")
    assert len(lines) == 9 and len({line["kl"] for line in lines}) > 1


def test_a_line_is_the_mean_since_the_line_before(new_trainer, tmp_path):
    for every in (1, 3):
        new_trainer(tmp_path / str(every), epochs=1, log_every=every).fit()
    single, triple = ([line["loss"] for line in log(tmp_path / str(e), "train")] for e in (1, 3))
    assert triple == pytest.approx([sum(single[i : i + 3]) / 3 for i in (0, 3, 6)], rel=1e-5)


def test_the_best_model_is_kept_or_the_last(new_trainer, processor, new_model, tmp_path):
    runs = {}
    for select in ("best", "last"):
        trainer = new_trainer(tmp_path / select, epochs=3, lr=10, warmup=100, model=new_model(processor), select=select)
        state = trainer.fit()
        runs[select] = trainer, RNNVAE.from_pretrained(tmp_path / select / "model")
    assert state.best_step < state.step, "a rate that climbs to 2.6 was meant to diverge"
    last, best = runs["last"], runs["best"]
    assert all(torch.equal(t, last[0].model.state_dict()[n]) for n, t in last[1].state_dict().items())
    best[0].model.load_state_dict(best[1].state_dict())
    assert best[0].evaluate().loss == pytest.approx(state.best, rel=1e-6)


@pytest.mark.parametrize(
    ("terms", "select", "valid", "told"),
    [({"iwae": {"samples": 2}}, "best", True, True), ({"iwae": {"samples": 2}}, "last", True, False), ({"iwae": {"samples": 2}}, "best", False, False),
     ({"reconstruction": None, "kl": 1.0}, "best", True, False)],
)  # fmt: skip
def test_who_trains_another_bound_than_the_one_that_chooses_is_told(new_trainer, tmp_path, terms, select, valid, told):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        new_trainer(tmp_path, terms, select=select, valid=valid)
    assert any("tighter bound than the ELBO" in str(w.message) and "trainer.select=last" in str(w.message) for w in caught) == told


def test_without_validation_the_last_model_is_written(new_trainer, tmp_path):
    trainer = new_trainer(tmp_path, valid=False)
    trainer.fit()
    saved = RNNVAE.from_pretrained(tmp_path / "model").state_dict()
    assert all(torch.equal(saved[n], t) for n, t in trainer.model.state_dict().items()) and log(tmp_path, "valid") == []


def test_states_and_models_are_safetensors_and_json_only(new_trainer, tmp_path):
    new_trainer(tmp_path, ADVERSARY, epochs=1).fit()
    suffixes = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert suffixes <= {".safetensors", ".json", ".jsonl"}


def test_collapse_is_warned_of_with_its_remedies(new_trainer, processor, new_model, tmp_path):
    with pytest.warns(UserWarning, match="posterior collapse: KL is .*`textae doctor .*model` names .*schedule: cyclical") as told:
        new_trainer(tmp_path / "a", {"reconstruction": None, "kl": 100.0}, epochs=3, lr=0.03, model=new_model(processor)).fit()
    assert sum("posterior collapse" in str(warning.message) for warning in told) == 1, "once a run, not at each validation"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="posterior collapse")
        new_trainer(tmp_path / "b", {"reconstruction": None, "kl": 1e-3}, epochs=3, model=new_model(processor, scale=2.0)).fit()
        new_trainer(tmp_path / "c", {"reconstruction": None}, epochs=1, model=new_model(processor, posterior="point")).fit()


# --- mistakes -----------------------------------------------------------------------------------------------------


def broken_model(processor, new_model):
    model = new_model(processor)
    with torch.no_grad():
        model.decoder.output_bias.fill_(float("nan"))
    return model


def test_a_loss_that_is_no_number_stops_the_run(new_trainer, processor, new_model, tmp_path):
    with pytest.raises(ValueError, match="the loss is nan at step 1, by reconstruction: lower trainer.lr"):
        new_trainer(tmp_path, model=broken_model(processor, new_model), log_every=50).fit()
    assert not (tmp_path / "model").exists()
    report = json.loads((tmp_path / "failure" / "report.json").read_text())
    assert report["step"] == 1 and report["blamed"] == ["reconstruction"] and report["unweighted"]["reconstruction"] == "nan"
    assert float(report["unweighted"]["kl"]) > 0 and report["weights"] == {"reconstruction": 1.0, "kl": 0.5} and report["batch"] == 1


def test_the_batch_of_a_failure_is_kept_and_so_is_what_was_good(new_trainer, processor, new_model, tmp_path):
    """The model breaks after five steps: the sixth batch is written down, and the state of step 4 can still be resumed."""
    from safetensors.torch import load_file

    seen = []

    class Watched(RNNVAE):
        def forward(self, **batch):
            seen.append(batch)
            output = super().forward(**batch)
            output.nll = output.nll * (float("inf") if self.training and batch["labels"] is seen[6 - 1]["labels"] else 1.0) if len(seen) >= 6 else output.nll
            return output

    model = new_model(processor)
    model.__class__ = Watched
    trainer = new_trainer(tmp_path, model=model, save_every=2, valid=False, epochs=1)
    with pytest.raises(ValueError, match="the loss is inf at step 6, by reconstruction.*the batch is in"):
        trainer.fit()
    assert all(p.isfinite().all() for p in model.parameters())
    kept = load_file(tmp_path / "failure" / "batch.safetensors")
    assert kept.keys() == seen[5].keys() and all(torch.equal(t, seen[5][n]) for n, t in kept.items())
    again = new_trainer(tmp_path, save_every=2, valid=False, epochs=1)
    assert again.fit(resume=True).step == 9


def test_a_gradient_that_is_no_number_is_told_by_its_player(new_trainer, processor, new_model, tmp_path):
    trainer = new_trainer(tmp_path, ADVERSARY, epochs=1)
    trainer.objective.terms["latent_adversary"].critic[0].weight.register_hook(lambda g: g * float("nan"))
    before = {n: p.clone() for n, p in trainer.model.named_parameters()}
    with pytest.raises(ValueError, match="the norm of a gradient is nan at step 1, by the gradient of latent_adversary"):
        trainer.fit()
    assert all(torch.equal(p, before[n]) for n, p in trainer.model.named_parameters())


def test_weights_that_broke_unseen_are_not_saved(new_trainer, tmp_path):
    """Without clipping no gradient is looked at, so what is saved is."""
    trainer = new_trainer(tmp_path, epochs=1, clip=0, save_every=1, log_every=50)
    trainer.model.decoder.output_bias.register_hook(lambda g: g * float("inf"))
    with pytest.raises(ValueError, match="weights model.decoder.output_bias are not finite at step 1"):
        trainer.fit()
    assert not list((tmp_path / "state").glob("step-*"))


def test_nothing_broken_is_saved(new_trainer, processor, new_model, tmp_path):
    with pytest.raises(ValueError, match="nan"):
        new_trainer(tmp_path, model=broken_model(processor, new_model), valid=False, log_every=50, save_every=2).fit()
    assert not (tmp_path / "model").exists() and not list(tmp_path.glob("state/step-*"))


def test_a_new_run_does_not_mix_with_the_states_of_an_old_one(new_trainer, tmp_path):
    new_trainer(tmp_path, epochs=2).fit()
    with pytest.raises(ValueError, match="already holds|resume"):
        new_trainer(tmp_path, epochs=1).fit()


@pytest.mark.parametrize(
    "options, message",
    [({"epochs": 0}, "trainer.epochs is 0"), ({"accumulate": 0}, "trainer.accumulate"), ({"lr": -1.0}, "trainer.lr is -1"),
     ({"precision": "fp8"}, "one of fp32, bf16, fp16"), ({"precision": "fp16"}, "GPU"), ({"decay": "exp"}, "one of none, linear, cosine"),
     ({"device": "tpu"}, "auto or cpu"), ({"keep": 0}, "trainer.keep"), ({"accumulate": 99}, "fewer batches than one step needs"),
     ({"lr": "fast"}, "trainer.lr"), ({"epochs": True}, "trainer.epochs"), ({"select": "first"}, "best or last")],
)  # fmt: skip
def test_impossible_options_are_refused(options, message, new_trainer, tmp_path):
    with pytest.raises(ValueError, match=message):
        new_trainer(tmp_path, **options)


# --- several processes --------------------------------------------------------------------------------------------

TWO = """
import os, runpy, sys, torch
from safetensors.torch import save_file
tests = runpy.run_path("tests/conftest.py")
helpers = runpy.run_path("tests/core/test_trainer.py")
rank = int(os.environ["RANK"])
for name in ("a", "b"):
    trainer = tests["make_trainer"](f"{sys.argv[1]}/{name}", helpers["ADVERSARY"], epochs=3, accumulate=2, corruption={"drop": 0.3}, eval_every=3)
    state = trainer.fit()
    assert trainer.accelerator.num_processes == 2 and state.step == 6
    save_file({n: t.contiguous() for n, t in helpers["everything"](trainer).items()}, f"{sys.argv[1]}/{name}-{rank}.safetensors")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_agree_and_repeat(tmp_path):
    from safetensors.torch import load_file

    script = tmp_path / "two.py"
    script.write_text(TWO)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    runs = [load_file(tmp_path / f"{name}.safetensors") for name in ("a-0", "a-1", "b-0", "b-1")]
    for other in runs[1:]:
        assert_same(other, runs[0])
    assert len(nn.utils.parameters_to_vector([t.float() for t in runs[0].values()])) > 1000
    assert [line["num_examples"] for line in log(tmp_path / "a", "valid")] == [12, 12]  # nobody is counted twice


# --- other machines -----------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_it_trains_and_resumes_on_a_gpu(precision, new_trainer, tmp_path):
    options = dict(device="auto", precision=precision, epochs=2, save_every=3)
    whole = new_trainer(tmp_path / "whole", **options)
    whole.fit()
    assert next(whole.model.parameters()).is_cuda
    with pytest.raises(Interrupted):
        new_trainer(tmp_path / "broken", splits=interrupt_after(13, throw), **options).fit()
    resumed = new_trainer(tmp_path / "broken", **options)
    resumed.fit(resume=True)
    for name, tensor in everything(whole).items():
        torch.testing.assert_close(everything(resumed)[name], tensor, rtol=1e-4, atol=1e-5)


def test_trackers_get_every_term(new_trainer, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    new_trainer(tmp_path, log_with=["tensorboard"], log_every=2, epochs=1).fit()
    events = next(tmp_path.rglob("events.out.tfevents*"))
    seen = EventAccumulator(str(events))
    seen.Reload()
    assert {"train/reconstruction", "train/kl", "train/weight_kl", "valid/loss"} <= set(seen.Tags()["scalars"])


def test_trainers_of_several_precisions_in_one_process(new_trainer, tmp_path):
    for precision in ("bf16", "fp32", "bf16"):
        new_trainer(tmp_path / precision / str(len(list(tmp_path.iterdir()))), precision=precision, epochs=1).fit()


def test_a_stream_that_would_never_be_saved_is_refused(new_trainer, processor, sentences, tmp_path):
    with pytest.raises(ValueError, match="trainer.save_every or trainer.eval_every"):
        new_trainer(tmp_path, splits=stream_splits(processor, sentences), max_steps=3)
