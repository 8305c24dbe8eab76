"""The commands `textae import` and `textae export`."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.catalog import open_space
from apps.cli import app
from apps.interchange import export_model

LAYOUT = Path(__file__).parents[1] / "textae" / "interchange" / "test_text_autoencoders.py"


def test_import_makes_a_model_that_opens(tmp_path):
    written = runpy.run_path(str(LAYOUT))
    written["write"](tmp_path / "old")
    command = ["import", str(tmp_path / "old"), "-o", str(tmp_path / "new")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and "1-layer LSTM, 12 words, latent_dim 5" in done.stdout, done.output
    assert open_space(str(tmp_path / "new"), "cpu").encode("the cat").shape == (5,)
    assert isinstance(CliRunner().invoke(app, command).exception, ValueError), "nothing is overwritten"


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-conv-vae", "mnist-cvae", "mnist-aae-supervised"])
def test_export_of_images(name, tmp_path):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    done = CliRunner().invoke(app, ["export", name, "-o", str(tmp_path / "onnx")])
    assert done.exit_code == 0, done.output
    about = json.loads((tmp_path / "onnx" / "onnx.json").read_text())
    space = open_space(name, "cpu")
    digits = space.sample(3, seed=0)
    pixels = np.stack(digits).reshape(3, 1, 28, 28).astype(np.float32) / 255
    z = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "encoder.onnx")).run(["mean"], {"pixel_values": pixels})[0]
    assert np.allclose(z, space.encode(digits), atol=1e-4)
    given = {"latents": z} | ({"attributes": np.full((3, len(about["attributes"])), -1)} if about["attributes"] else {})
    drawn = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "decoder.onnx")).run(["pixels"], given)[0]
    assert np.abs(drawn[:, 0] * 255 - np.stack(space.reconstruct(digits))).max() <= 1


def test_export_leaves_other_folders_alone(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="holds other things"):
        export_model("mnist-ae", tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"
