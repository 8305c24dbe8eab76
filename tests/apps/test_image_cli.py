"""`textae image` and `textae view`: every command on tiny models of scikit-learn's digits, and every mistake in one sentence."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from apps import cli

PLAIN = """\
model: {{name: mlp, hidden_dims: [32], latent_dim: {dim}, posterior: {posterior}, likelihood: bernoulli{more}}}
data: {{name: digits, batch_size: 50{data}}}
objective: {objective}
trainer: {{epochs: 3, lr: 3e-3, device: cpu, progress: false}}
"""
MODELS = {
    "flat": dict(dim=2, posterior="point", more="", data="", objective="{reconstruction: null}"),
    "vae": dict(dim=5, posterior="gaussian", more="", data=", labels: true", objective="{reconstruction: null, kl: 1.0}"),
    "denoiser": dict(
        dim=16, posterior="point", more="", data=", corruption: {kind: gaussian, sigma: 0.4}", objective="{reconstruction: null}"
    ),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of three tiny trained models, and a PNG of a digit."""
    from apps.run import train
    from apps.settings import resolve
    from vision.data import digits

    folder = tmp_path_factory.mktemp("images")
    found = {}
    for name, settings in MODELS.items():
        (folder / f"{name}.yaml").write_text(PLAIN.format(**settings))
        more = ["history.num=20"] if name == "flat" else []
        found[name] = train(resolve(folder / f"{name}.yaml", [f"out={folder / name}", *more])).parent
    found["png"] = folder / "digit.png"
    Image.fromarray(digits.load()["test"].images[0, :, :, 0]).save(found["png"])
    return found


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    def textae(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["textae", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return textae


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


FIGURES = {
    "reconstruct": ("vae", ["-n", 4]),
    "reconstruct a file": ("vae", ["{png}"]),
    "sample": ("vae", ["-n", 9]),
    "sample of a class": ("vae", ["-n", 4, "--label", 3]),
    "decode": ("flat", ["-1,2", "0.5,0"]),
    "interpolate": ("vae", ["--walk", "0,2,8,1", "--steps", 4]),
    "interpolate files": ("vae", ["{png}", "{png}", "--steps", 3]),
    "traverse": ("vae", ["--labels", 3, "--steps", 3]),
    "arithmetic": ("vae", ["--plus", "8,1", "--minus", "0"]),
    "map": ("flat", []),
    "map manifold": ("flat", ["--kind", "manifold"]),
    "map samples": ("vae", ["--kind", "samples"]),
    "figure structure": ("vae", []),
    "figure filters": ("vae", []),
    "figure features": ("vae", ["-n", 60]),
    "restore": ("denoiser", ["-n", 20]),
    "restore a file": ("denoiser", ["{png}"]),
    "anomaly": ("vae", ["--normal", "1", "-n", 6]),
    "rates": ("vae", ["-n", 40, "--steps", "0.5,2"]),
}
NOT_2D = ("map samples",)


@pytest.mark.parametrize("what", FIGURES)
def test_every_command_draws(run, models, tmp_path, what):
    model, words = FIGURES[what]
    if what in NOT_2D:
        model = "flat"
    command = what.split()[0]
    first = ["structure", "filters", "features"][["figure structure", "figure filters", "figure features"].index(what)] if command == "figure" else None
    words = [str(w).format(**models) for w in words]
    # options with a minus sign in front of a code would be taken for options
    given = ["image", command, *([first] if first else []), "-m", models[model], "-o", tmp_path / "figure.png"]
    code, out, err = run(*given, *(["--", *words] if command == "decode" else words))
    assert code == 0, err
    with Image.open(tmp_path / "figure.png") as figure:
        assert min(figure.size) > 100 and len(set(figure.convert("L").resize((64, 64)).tobytes())) > 8, "a figure shows something"


def test_curves_of_a_run(run, models, tmp_path):
    assert run("image", "figure", "curves", "--run", models["vae"], "-o", tmp_path / "curves.svg")[0] == 0
    assert "kl" in (tmp_path / "curves.svg").read_text().lower() or (tmp_path / "curves.svg").stat().st_size > 5000


def test_numbers_of_reconstruct_are_the_spaces(run, models):
    from vision import LatentSpace
    from vision.data import digits

    code, out, _ = run("image", "reconstruct", "-m", models["vae"], "-n", 3, "--json")
    images = list(digits.load()["test"].images[:3])
    space = LatentSpace.from_pretrained(models["vae"])
    wanted = (space.rebuild(images) - space.pixels(images)).square().flatten(1).sum(1)
    assert code == 0 and [r["squared_error"] for r in rows(out)] == pytest.approx(wanted.tolist(), rel=1e-4)


def test_probe_reduce_and_narrow_give_tables(run, models):
    code, out, err = run("image", "probe", "-m", models["vae"], "--json")
    assert code == 0, err
    found = {r["what"]: r["value"] for r in rows(out)}
    assert len(found) == 5 and all(0 < v <= 1 for v in found.values()) and found["logistic regression accuracy"] > 0.5
    code, out, err = run("image", "reduce", models["flat"], "-n", 400, "--json")
    assert code == 0, err
    assert len(rows(out)) == 4, "the model, PCA, LDA and GDA"
    code, out, err = run("image", "narrow", "--widths", "2,8", "-n", 40, "--json")
    assert code == 0, err
    assert [r["width"] for r in rows(out)] == [2, 8]


def test_restore_stands_beside_its_baselines(run, models):
    code, out, err = run("image", "restore", "-m", models["denoiser"], "-n", 50, "--damage", "gaussian sigma=0.3", "--json")
    assert code == 0, err
    found = {r["what"]: r["psnr"] for r in rows(out)}
    assert len(found) >= 3 and all(5 < v < 40 for v in found.values())


def test_localize_stands_beside_pca(run, models):
    code, out, err = run("image", "localize", "-m", models["vae"], "-n", 30, "--dim", 10, "--projection", 2, "--json")
    assert code == 0, err
    assert {r["name"] for r in rows(out)} == {str(models["vae"]), "PCA-10"} and all(0 <= r["pixel_auroc"] <= 1 for r in rows(out) if r["num_images"])


def test_a_lossy_file_comes_back(run, models, tmp_path):
    code, out, err = run("image", "compress", tmp_path / "digits.bin", "-m", models["vae"], "-n", 20, "--step", 0.5, "--json")
    assert code == 0, err
    assert rows(out)[0]["bytes_per_image"] == pytest.approx((tmp_path / "digits.bin").stat().st_size / 20, rel=1e-6)
    assert run("image", "decompress", tmp_path / "digits.bin", tmp_path / "back.npz", "-m", models["vae"])[0] == 0
    assert np.load(tmp_path / "back.npz")["images"].shape == (20, 28, 28)
    assert run("image", "decompress", tmp_path / "digits.bin", tmp_path / "pngs", "-m", models["vae"])[0] == 0
    assert len(list((tmp_path / "pngs").glob("*.png"))) == 20
    damaged = bytearray((tmp_path / "digits.bin").read_bytes())
    damaged[-5] ^= 1
    (tmp_path / "digits.bin").write_bytes(damaged)
    code, _, err = run("image", "decompress", tmp_path / "digits.bin", tmp_path / "none.npz", "-m", models["vae"])
    assert code == 1 and err.startswith("error:") and not (tmp_path / "none.npz").exists()


def test_fine_tuning_learns_labels(run, models, tmp_path):
    code, out, err = run("image", "fine-tune", tmp_path / "classifier", "-m", models["vae"], "--set", "epochs=15", "--set", "lr=0.003", "--json")
    assert code == 0, err
    assert rows(out)[0]["test_error_percent"] < 40 and (tmp_path / "classifier").is_dir()


def test_view_writes_one_file(run, models, tmp_path):
    assert run("view", models["flat"], "-o", tmp_path / "run.html", "--no-shapes")[0] == 0, "with the training that was filmed"
    assert run("view", models["flat"], "--data", "digits", "-n", 10, "-o", tmp_path / "set.html", "--no-shapes", "--half")[0] == 0
    for name in ("run.html", "set.html"):
        text = (tmp_path / name).read_text()
        assert text.lstrip().lower().startswith("<!doctype html>") and "<script src" not in text
    assert (tmp_path / "set.html").stat().st_size < (tmp_path / "run.html").stat().st_size


def test_evaluate_probes_a_named_set(run, models):
    code, out, err = run("evaluate", "-m", models["vae"], "--data", "digits", "--split", "test", "--samples", 5, "--json")
    assert code == 0, err
    found = rows(out)[0]
    assert found["nll"] < found["elbo_nll"] + 1 and found["logistic_accuracy"] > 50 and found["mse"] > 0


MISTAKES = {
    "a model of sentences": (["image", "sample", "-m", "everyday"], "model of sentences"),
    "no such model": (["image", "sample", "-m", "mnist-vea"], "there is no model"),
    "no such file": (["image", "reconstruct", "gone.png", "-m", "{vae}"], "no image file 'gone.png'"),
    "no such data": (["image", "reconstruct", "-m", "{vae}", "--data", "mnits"], "mnist"),
    "no such split": (["image", "reconstruct", "-m", "{vae}", "--split", "tets"], "test"),
    "no such label": (["image", "interpolate", "-m", "{vae}", "--walk", "0,x"], "no label 'x'"),
    "no such class": (["image", "sample", "-m", "{vae}", "--label", "eleven"], "no value 'eleven'"),
    "not a class model": (["image", "sample", "-m", "{flat}", "--label", "1"], "attribute"),
    "a code too long": (["image", "decode", "1,2,3", "-m", "{flat}"], "(2,)"),
    "a code of letters": (["image", "decode", "a,b", "-m", "{flat}"], "codes are numbers"),
    "no such map": (["image", "map", "-m", "{flat}", "--kind", "globe"], "scatter"),
    "no such figure": (["image", "figure", "portrait", "-m", "{flat}"], "structure"),
    "curves of nothing": (["image", "figure", "curves"], "--run"),
    "no such damage": (["image", "restore", "-m", "{denoiser}", "--damage", "gausian sigma=1"], "gaussian"),
    "nothing to restore": (["image", "restore", "-m", "{vae}"], "--damage"),
    "no such score": (["image", "anomaly", "-m", "{vae}", "--score", "luck"], "luck"),
    "lossless without levels": (["image", "compress", "x.bin", "-m", "{vae}", "-n", "2"], "8-bit"),
    "a foreign file": (["image", "decompress", "{png}", "x.npz", "-m", "{vae}"], "error"),
    "a page of a wide code": (["view", "{vae}", "--data", "digits"], "2-D"),
    "no such option": (["image", "fine-tune", "c", "-m", "{vae}", "--set", "epoch=3"], "epochs"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_are_answered_in_one_sentence(run, models, tmp_path, what):
    words, said = MISTAKES[what]
    before = set(tmp_path.iterdir())
    code, _, err = run(*(w.format(**models) for w in words))
    assert code == 1 and err.startswith("error: ") and err.count("\n") == 1 and said in err, err
    assert set(tmp_path.iterdir()) == before, "nothing half-written"


VQ = """\
model: {name: vq, num_codes: 8, code_dim: 4, filters: [8, 8], residual_blocks: 0, latent_dim: 196, likelihood: bernoulli}
data: {name: digits, limit: 200, batch_size: 50}
objective: {reconstruction: null, commitment: 0.25}
trainer: {epochs: 1, device: cpu, progress: false}
prior: {name: codes, num_codes: 8, code_dim: 4, hidden_dim: 8, layers: 1, fit: {steps: 2}}
"""


def test_a_codebook_keeps_its_priors(run, tmp_path):
    """A fitted prior is told beside the uniform one, and a second run from the weights begins with the uniform one again."""
    (tmp_path / "vq.yaml").write_text(VQ)
    code, _, error = run("train", "--config", tmp_path / "vq.yaml", f"out={tmp_path / 'vq'}")
    assert not code, error
    said = json.loads((tmp_path / "vq/model/figures.json").read_text())["prior"]
    assert "log probability" in said and "the uniform gives -101.89" in said  # 49 ln 8
    assert json.loads((tmp_path / "vq/model/config.json").read_text())["prior"] == "codes"
    code, _, error = run("train", "--config", tmp_path / "vq.yaml", f"out={tmp_path / 'more'}", f"init={tmp_path / 'vq'}", "prior=null")
    assert not code, error
    assert json.loads((tmp_path / "more/model/config.json").read_text())["prior"] == "uniform_codes"


def test_a_prior_of_codes_needs_a_codebook(run, tmp_path):
    (tmp_path / "plain.yaml").write_text(PLAIN.format(**MODELS["flat"]) + "prior: {name: codes, num_codes: 8, code_dim: 2}\n")
    code, _, error = run("train", "--config", tmp_path / "plain.yaml")
    assert code == 1 and "prior.name=codes is for codes of a codebook" in error and "Traceback" not in error


def test_binary_models_are_measured_on_binary_images(run, models, tmp_path):
    """What a run binarizes, its evaluation binarizes; --limit takes the first images of a set."""
    from apps.catalog import open_space
    from apps.modalities import images

    space = open_space(str(models["vae"] / "model"), "cpu")
    gray, _, _ = images.read_split("digits", "test")
    assert images.as_trained(space, gray, None, 0)[0] is gray
    (tmp_path / "b.yaml").write_text(PLAIN.format(**{**MODELS["vae"], "data": ", labels: true, binarize: dynamic"}))
    code, out, error = run("train", "--config", tmp_path / "b.yaml", f"out={tmp_path / 'b'}", "trainer.epochs=1")
    assert not code, error
    made, _, how = images.as_trained(open_space(str(tmp_path / "b"), "cpu"), gray, None, 0)
    assert how == ", dynamically binarized" and set(np.unique(made)) == {0, 255}
    assert abs(np.mean(made) - np.mean(gray)) < 1, "each pixel is white as often as its gray value says"
    code, out, error = run("evaluate", "--model", tmp_path / "b", "--data", "digits", "--split", "test", "--limit", "30", "--samples", "2", "--json")
    assert not code, error
    said = rows(out)[0]
    assert said["num_examples"] == 30 and "the first 30, dynamically binarized" in said["on"] and "knn_accuracy" in said


def test_one_class_trains_each_digit_alone(run, tmp_path):
    (tmp_path / "one.yaml").write_text(PLAIN.format(dim=4, posterior="point", more="", data=", digits: [0, 1, 2]", objective="{reconstruction: null}"))
    code, out, err = run("image", "one-class", "one.yaml", "trainer.epochs=1", "--score", "reconstruction", "--pca", 4, "--json")
    assert code == 0, err
    ours, pca = rows(out)
    assert ours["what"] == "one" and pca["what"] == "PCA-4, residual" and set(ours) == {"what", "mean", *"0123456789"}
    assert sum(ours[d] for d in "0123456789") / 10 == pytest.approx(ours["mean"]) and 0.5 < pca["mean"] <= 1
    assert sorted(p.name for p in (tmp_path / "runs" / "one-class").iterdir()) == list("0123456789"), "a model for each digit"
    code, out, err = run("image", "one-class", "one.yaml", "data.name=faces")
    assert code != 0 and "digits" in err


def test_augmentation_is_of_training_alone():
    from apps.modalities import images

    plain = {"data": {"name": "digits", "batch_size": 50}}
    told = {"data": {**plain["data"], "augmentation": {"kind": "affine", "shift": 2}}}
    (before, _), (after, _) = images.load(plain, 0), images.load(told, 0)
    same = [
        all(torch.equal(a["targets"], b["targets"]) for a, b in zip(x.epoch(0), y.epoch(0), strict=True))
        for x, y in ((before.train, after.train), (before.valid, after.valid))
    ]
    assert same == [False, True]
