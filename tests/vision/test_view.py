"""The offline page: its JavaScript computes what torch computes, its history is the training's, and it needs nothing else."""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from textae.core.data import IndexedBatches, Splits
from textae.core.objectives import TERMS, Objective
from textae.core.options import TrainerOptions
from textae.core.trainer import Trainer
from vision.data.processor import ImageProcessor
from vision.models.conv import ConvAutoencoder, ConvConfig
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.shapes import shape, shape_model
from vision.space import LatentSpace
from vision.view.decoder import export_decoder, export_encoder, pack, plane_codes
from vision.view.history import FILE, History, look, record_history
from vision.view.page import HERE, SCRIPTS, images_data, sprite, write_shapes, write_view

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node; the browser tests decode too")
CODES = 2 * torch.randn(12, 2, generator=torch.Generator().manual_seed(0))


def make_model(kind="mlp", scale=1.5, **changes):
    """A small random model with strong opinions, its biases too."""
    torch.manual_seed(0)
    common = {"height": 6, "width": 5, "latent_dim": 2, "posterior": "point"}
    if kind == "mlp":
        model = MLPAutoencoder(MLPConfig(**{**common, "hidden_dims": [9, 7], **changes}))
    else:
        model = ConvAutoencoder(ConvConfig(**{**common, "filters": [4, 3], "hidden_dim": 8, **changes}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter)).mul_(scale)
    return model.eval()


def make_space(name="tiny", invert=False, model=None, **changes):
    model = make_model(**changes) if model is None else model
    config = model.config
    return LatentSpace(model, ImageProcessor(config.channels, config.height, config.width, config.attributes, invert=invert), name)


def some_images(num=20, size=(6, 5)):
    return list(np.random.default_rng(0).integers(0, 256, (num, *size), dtype=np.uint8))


def run_js(tmp_path, body, data):
    """What a script prints as JSON; the page's scripts come before it, `data` is in the variable `data`."""
    scripts = "\n".join((HERE / f"{name}.js").read_text() for name in SCRIPTS[:6])
    (tmp_path / "data.json").write_text(json.dumps(data))
    (tmp_path / "test.js").write_text(f'{scripts}\nconst data = JSON.parse(require("fs").readFileSync("data.json"));\n{body}')
    done = subprocess.run(["node", "test.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


DECODE = """
const network = new Decoder.Network(data.spec);
console.log(JSON.stringify(data.codes.map(([x, y]) => Array.from(network.decode(x, y, data.choices)))));
"""

MODELS = {
    "relu, bernoulli": {},
    "linear, no hidden layer": {"hidden_dims": [], "likelihood": "gaussian"},
    "sigmoid of a gaussian": {"likelihood": "gaussian", "output": "sigmoid", "sigma": 0.3},
    "continuous bernoulli": {"likelihood": "continuous_bernoulli", "scale": 0.4},
    "variational": {"posterior": "gaussian"},
    "tied": {"tied": True, "activation": ["tanh", "elu"]},
    "not mirrored": {"decoder_dims": [4, 6, 11], "decoder_activation": ["gelu", "leaky_relu", "softplus"]},
    "activations of the encoder in reverse": {"activation": ["silu", "sigmoid"]},
    "color": {"channels": 3},
    "conv": {"kind": "conv"},
    "conv, full size, no dense layer": {"kind": "conv", "hidden_dim": 0, "full_layers": 2, "activation": "elu"},
    "conv, color, odd sizes": {"kind": "conv", "channels": 3, "height": 11, "width": 7, "filters": [3, 4, 2], "kernel_size": 5, "likelihood": "gaussian"},
}  # fmt: skip


# --- JavaScript equals torch ----------------------------------------------------------------------------------


@needs_node
@pytest.mark.parametrize("name", MODELS)
def test_javascript_decodes_as_torch_does(tmp_path, name):
    model = make_model(**MODELS[name])
    decoded = run_js(tmp_path, DECODE, {"spec": export_decoder(model), "codes": CODES.tolist()})
    with torch.no_grad():
        expected = model.generate(CODES).flatten(1)
    assert expected.std() > 0.01
    assert (torch.tensor(decoded) - expected).abs().max() < 1e-5


@needs_node
@pytest.mark.parametrize("name", MODELS)
def test_javascript_encodes_as_torch_does(tmp_path, name):
    model = make_model(**MODELS[name])
    config = model.config
    pixels = torch.rand(5, config.channels, config.height, config.width, generator=torch.Generator().manual_seed(1))
    body = """
    const encoder = new Decoder.Encoder(data.spec);
    console.log(JSON.stringify(data.pixels.map((x) => encoder.encode(x)), (key, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v)));
    """
    found = run_js(tmp_path, body, {"spec": export_encoder(model), "pixels": pixels.flatten(1).tolist()})
    with torch.no_grad():
        posterior = model.encode(pixel_values=pixels)
    assert posterior.mean.std(0).min() > 1e-3
    assert (torch.tensor([f["mean"] for f in found]) - posterior.mean).abs().max() < 1e-5
    if config.posterior == "point":
        assert all(f["sigma"] is None for f in found)
    else:
        assert (torch.tensor([f["sigma"] for f in found]) - (0.5 * posterior.logvar).exp()).abs().max() < 1e-5


def test_encoders_that_the_page_cannot_run():
    cases = [
        ({"latent_dim": 5, "categories": 3, "prior": "categorical"}, "plain codes"),
        ({"code_activation": "tanh"}, "plain codes"),
        ({"kind": "conv", "spatial": True, "hidden_dim": 0, "filters": [2], "height": 2, "width": 4}, "without a spatial code"),
    ]
    for model, message in cases:
        with pytest.raises(ValueError, match=message):
            export_encoder(make_model(**model))
    with pytest.raises(ValueError, match="precision is 'int8'"):
        export_encoder(make_model(), "int8")


@needs_node
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_javascript_conditions_on_attributes(tmp_path, kind):
    model = make_model(kind, attributes={"label": ["0", "1", "2"], "bold": ["no", "yes"]})
    spec = export_decoder(model)
    names = [a["name"] for a in spec["inputs"]["attributes"]]
    assert names == ["bold", "label"]
    for chosen in ([-1, -1], [1, 2], [0, -1]):
        decoded = run_js(tmp_path, DECODE, {"spec": spec, "codes": CODES.tolist(), "choices": {"attributes": chosen}})
        with torch.no_grad():
            expected = model.generate(CODES, torch.tensor([chosen] * len(CODES))).flatten(1)
        assert (torch.tensor(decoded) - expected).abs().max() < 1e-5


@needs_node
def test_javascript_decodes_a_style_beside_a_category(tmp_path):
    model = make_model(latent_dim=5, categories=3, prior="categorical")
    decoded = run_js(tmp_path, DECODE, {"spec": export_decoder(model), "codes": CODES.tolist(), "choices": {"category": 1}})
    whole = torch.cat([torch.tensor([[0.0, 1.0, 0.0]]).expand(len(CODES), 3), CODES], 1)
    with torch.no_grad():
        assert (torch.tensor(decoded) - model.generate(whole).flatten(1)).abs().max() < 1e-5


@needs_node
def test_cluster_heads_are_part_of_the_plane(tmp_path):
    model = make_model(latent_dim=5, categories=3, prior="categorical", cluster_heads=True)
    whole = torch.cat([torch.softmax(torch.randn(len(CODES), 3), 1), CODES], 1)
    places = plane_codes(model, whole)
    assert torch.allclose(places, model.context(whole).detach())
    decoded = run_js(tmp_path, DECODE, {"spec": export_decoder(model), "codes": places.tolist()})
    with torch.no_grad():
        assert (torch.tensor(decoded) - model.generate(whole).flatten(1)).abs().max() < 1e-5


@needs_node
def test_half_precision_says_its_error(tmp_path):
    model = make_model(scale=1.0)
    full, half = export_decoder(model), export_decoder(model, "float16")
    assert full["error"] == 0 and 0 < half["error"] < 0.02
    assert len(json.dumps(half)) < 0.75 * len(json.dumps(full))
    z = 2 * torch.randn(256, 2, generator=torch.Generator().manual_seed(0))  # the codes it was measured at
    decoded = run_js(tmp_path, DECODE, {"spec": half, "codes": z.tolist()})
    with torch.no_grad():
        worst = (torch.tensor(decoded) - model.generate(z).flatten(1)).abs().max().item()
    assert worst == pytest.approx(half["error"], rel=1e-2)


@needs_node
def test_bytes_of_half_precision_are_read_exactly(tmp_path):
    values = np.array([0, -0.0, 1, -1.5, 6e-8, -6e-5, 6.1e-5, 65504, 1 / 3, np.inf, -np.inf], np.float16)
    body = "console.log(JSON.stringify(Array.from(Core.unpack(data), (v) => Number.isFinite(v) ? v : String(v))));"
    read = run_js(tmp_path, body, pack(values, "float16"))
    assert [float(v) for v in read] == values.astype(float).tolist()


@needs_node
def test_a_tensor_that_is_cut_off_is_an_error(tmp_path):
    packed = pack(torch.zeros(4))
    packed["shape"] = [5]
    body = "try { Core.unpack(data); } catch (error) { console.log(JSON.stringify(error.message)); }"
    assert run_js(tmp_path, body, packed) == "a tensor holds 4 numbers, not 5: the file is damaged"


def table(flat, width):
    return np.array(flat).reshape(-1, width)


def toy_in_torch(model):
    """The shapes' network in float64."""
    layers = []
    for linear in [*model.encoder, model.posterior_head.mean, *model.decoder, model.output]:
        layers += [linear, nn.Identity() if linear in (model.posterior_head.mean, model.output) else nn.Tanh()]
    return nn.Sequential(*layers).double()


@needs_node
def test_the_pages_own_training_equals_torchs(tmp_path):
    model, points, steps = shape_model(seed=2), shape("roller"), 25
    pixels = points.view(-1, 1, 1, 3)
    objective = Objective.from_config({"reconstruction": None}, TERMS)
    seen = look(model, objective, {"pixel_values": pixels, "targets": pixels}, 0, outputs=True)
    linears = [*model.encoder, model.posterior_head.mean, *model.decoder, model.output]
    weights = [{"weight": x.weight.flatten().tolist(), "bias": x.bias.tolist()} for x in linears]
    body = """
    const net = new Toy.Net(data.points, { weights: data.weights });
    const seen = () => {
      const { codes, codeGrads, outputs, loss } = net.backward();
      return { codes: Array.from(codes), codeGrads: Array.from(codeGrads), outputs: Array.from(outputs), loss };
    };
    const before = seen();
    for (let k = 0; k < data.steps; k++) net.step();
    console.log(JSON.stringify({ before, after: seen() }));
    """
    page = run_js(tmp_path, body, {"points": points.double().tolist(), "weights": weights, "steps": steps})
    assert np.allclose(table(page["before"]["codes"], 2), seen.codes_ND, atol=1e-6)
    assert np.allclose(table(page["before"]["codeGrads"], 2), seen.gradients_ND, atol=1e-5)
    assert np.allclose(table(page["before"]["outputs"], 3), seen.outputs_NP, atol=1e-6)
    net, wanted = toy_in_torch(model), points.double()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        loss = (net(wanted) - wanted).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert page["after"]["loss"] == pytest.approx((net(wanted) - wanted).square().sum(1).mean().item(), rel=1e-6)
    assert np.allclose(table(page["after"]["codes"], 2), net[:8](wanted).detach(), atol=1e-8)
    assert page["after"]["loss"] < page["before"]["loss"]


@needs_node
def test_a_trail_runs_along_the_negative_gradient(tmp_path):
    gradients = [[3.0, 4.0], [-1e-4, 2e-4], [0.0, 0.0], [50.0, -7.0]]
    body = "console.log(JSON.stringify(data.map(([x, y]) => Plane.trail(x, y, 2.5, 10))));"
    trails = np.array(run_js(tmp_path, body, gradients))
    for (gx, gy), trail in zip(gradients, trails, strict=True):
        size = np.hypot(gx, gy)
        length = 0.12 * 5 * min(size * 5 / 10, 2)
        assert np.allclose(trail, [0, 0] if size == 0 else np.array([-gx, -gy]) / size * length)


# --- the file -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with labels and a history."""
    space = make_space()
    images = some_images()
    labels = np.arange(20) % 3
    path = tmp_path_factory.mktemp("page") / "deep" / "view.html"
    return write_view(space, path, images, labels, names=["null", "</script><b>one</b>", "two"], history=a_history(space, images), shapes=False)


def a_history(space, images):
    codes = space.encode(images)
    moving = torch.stack([codes * 0.1, codes * 0.5, codes])
    gradients = torch.randn(moving.shape, generator=torch.Generator().manual_seed(1))
    return History(torch.tensor([0, 1, 2]), moving, gradients, torch.tensor([30.0, 20.0, 10.0]))


def data_of(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S).group(1))


def test_the_file_needs_nothing_else(page):
    text = page.read_text()
    assert [p.name for p in page.parent.iterdir()] == ["view.html"]
    assert "http:" not in text and "https:" not in text and "//cdn" not in text
    for address in re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", text.split('id="data"')[0]):
        assert address.startswith("data:")
    assert not re.search(r"<link|<iframe|\bimport\s*\(|\bfetch\s*\(|XMLHttpRequest|@import", text)
    assert "default-src 'none'" in text
    assert "{{" not in text.replace("{{ ", "")


def test_the_scripts_find_what_they_look_for(page):
    text = page.read_text()
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    wanted = set(re.findall(r'byId\("([^"]+)"\)', text)) | set(re.findall(r'getElementById\("([^"]+)"\)', text))
    assert len(wanted) > 25 and wanted <= ids
    for name in SCRIPTS:
        assert (HERE / f"{name}.js").read_text() in text
    assert sorted(SCRIPTS) == sorted(p.stem for p in HERE.glob("*.js"))


def test_no_text_ends_the_script_that_holds_it(page):
    data = data_of(page)["images"]
    assert data["names"] == ["null", "</script><b>one</b>", "two"] and data["labels"] == [i % 3 for i in range(20)]
    assert "<b>one" not in page.read_text()


def test_what_the_page_holds(page):
    space, images = make_space(), some_images()
    data = data_of(page)["images"]
    codes = np.frombuffer(base64.b64decode(data["codes"]["data"]), "<f4").reshape(data["codes"]["shape"])
    assert np.array_equal(codes, space.encode(images).numpy())
    history = data["history"]
    assert history["moments"] == [0, 1, 2] and history["ends_at_model"] and history["losses"] == [30.0, 20.0, 10.0]
    assert data["decoder"]["shape"] == [1, 6, 5] and data_of(page)["shapes"] is None


def test_the_sprite_holds_the_images_themselves():
    from PIL import Image

    for channels, size in ((1, (6, 5)), (3, (6, 5, 3))):
        images = some_images(7, size)
        pixels = ImageProcessor(channels, 6, 5)(images)["pixel_values"]
        found = sprite(pixels)
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["source"].partition(",")[2]))))
        for i, image in enumerate(images):
            row, column = divmod(i, found["columns"])
            assert np.array_equal(sheet[6 * row : 6 * row + 6, 5 * column : 5 * column + 5], image)


def test_inverted_images_are_shown_as_they_are_given():
    from PIL import Image

    space, images = make_space(invert=True), some_images(1)
    data = images_data(space, images, None, None, None, "float32")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["sprite"]["source"].partition(",")[2]))))
    assert np.array_equal(sheet, images[0]) and data["inverted"]


def test_page_of_the_tutorials_network_is_small(tmp_path):
    torch.manual_seed(0)
    model = MLPAutoencoder(MLPConfig(latent_dim=2, posterior="point", likelihood="gaussian"))
    blobs = [np.pad(np.random.default_rng(i).integers(0, 256, (12, 10), dtype=np.uint8), ((8, 8), (9, 9))) for i in range(500)]
    moving = torch.randn(41, 500, 2)
    history = History(torch.arange(41), moving, moving, torch.rand(41))
    full = write_view(make_space(model=model), tmp_path / "a.html", blobs, history=history, shapes=False)
    half = write_view(make_space(model=model), tmp_path / "b.html", blobs, history=history, shapes=False, precision="float16")
    assert full.stat().st_size < 3.75e6 and half.stat().st_size < 2.5e6  # the toy shapes add a quarter of a megabyte
    assert "float16" in half.read_text().rpartition("<footer>")[2][:300]


@pytest.fixture(scope="module")
def shapes_page(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes") / "shapes.html")


def test_the_page_of_the_shapes(shapes_page):
    data = data_of(shapes_page)
    assert data["images"] is None and [s["name"] for s in data["shapes"]] == ["circle", "roller", "sin", "twisted cubic"]
    for one in data["shapes"]:
        losses = one["history"]["losses"]
        assert one["history"]["moments"][0] == 0 and len(losses) == len(one["history"]["moments"]) == one["history"]["codes"]["shape"][0]
        assert losses[-1] < 0.02 * losses[0]
    assert shapes_page.stat().st_size < 5e5


# --- bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"latent_dim": 3}, "this model's has 3 dimensions: train one with latent_dim=2"),
        ({"latent_dim": 6, "categories": 3, "prior": "categorical"}, "has 3 dimensions beside 3 categories: train one with latent_dim=5"),
        ({"kind": "conv", "spatial": True, "hidden_dim": 0, "filters": [2], "height": 2, "width": 4}, "cannot decode a spatial code"),
    ],
)
def test_models_that_the_page_cannot_show(tmp_path, model, message):
    space = make_space(**model)
    size = (space.model.config.height, space.model.config.width)
    with pytest.raises(ValueError, match=message):
        write_view(space, tmp_path / "x.html", some_images(3, size))
    assert list(tmp_path.iterdir()) == []


def test_input_that_does_not_fit(tmp_path):
    space, images = make_space(), some_images(4)
    path = tmp_path / "x.html"
    cases = [
        ({}, "nothing to show of tiny: give some images"),
        ({"images": []}, "nothing to show of tiny"),
        ({"images": images, "labels": [0, 1]}, r"labels have shape \(2,\) for 4 codes"),
        ({"images": images, "labels": [0, 1, 2, 3], "names": ["a"]}, "label 3 has no name"),
        ({"images": images, "precision": "int8"}, "precision is 'int8'; it must be one of float32, float16"),
        ({"images": images, "history": a_history(space, some_images(5))}, "the history is of 5 codes of 2 dimensions; 4 images"),
        ({"images": [np.zeros((3, 3), np.uint8)]}, "image 1 is 3x3"),
        ({"images": images, "names": ["a"]}, "names come without labels"),
    ]
    for change, message in cases:
        with pytest.raises(ValueError, match=message):
            write_view(space, path, **{"shapes": False, **change})
    assert not path.exists()


def test_a_model_that_diverged_is_not_shown(tmp_path):
    space = make_space()
    with torch.no_grad():
        space.model.posterior_head.mean.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="the model's codes hold numbers that are not finite"):
        write_view(space, tmp_path / "x.html", some_images(2), shapes=False)


def test_a_runs_history_is_left_out_for_other_images(tmp_path):
    space = make_space()
    space.save_pretrained(tmp_path / "run" / "model")
    a_history(space, some_images(5)).save(tmp_path / "run" / FILE)
    data = data_of(write_view(tmp_path / "run", tmp_path / "x.html", some_images(3), shapes=False))["images"]
    assert data["history"] is None and data["codes"]["shape"] == [3, 2]


# --- history --------------------------------------------------------------------------------------------------


def make_splits(num=24):
    pixels = torch.rand(num, 1, 6, 5, generator=torch.Generator().manual_seed(3))

    def noisy(indices):
        return {"pixel_values": (pixels[indices] + 0.1 * torch.randn(len(indices), 1, 6, 5)).clamp(0, 1), "targets": pixels[indices]}

    return Splits(IndexedBatches(num, noisy, 5, seed=0), IndexedBatches(num, noisy, 12, shuffle=False)), pixels


def make_objective(**terms):
    return Objective.from_config({"reconstruction": None, **terms}, TERMS)


OPTIONS = {"epochs": 3, "lr": 0.01, "device": "cpu", "progress": False, "select": "last"}


def test_recording_changes_nothing_and_ends_at_the_model(tmp_path):
    terms = {"kl": 0.5, "latent_adversary": 0.3}
    splits, pixels = make_splits()
    plain = make_model(posterior="gaussian", scale=1.0)
    Trainer(plain.train(), make_objective(**terms), splits, tmp_path / "plain", TrainerOptions(**OPTIONS)).fit()
    model = make_model(posterior="gaussian", scale=1.0)
    start = model.encode(pixel_values=pixels[:7]).mean.detach()
    batch = {"pixel_values": pixels[:7], "targets": pixels[:7]}
    history = record_history(
        model.train(), make_objective(**terms), splits, tmp_path / "run", TrainerOptions(**OPTIONS), batch, labels_N=torch.arange(7)
    )  # fmt: skip
    for a, b in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert history.moments_K.tolist() == [0, 1, 2, 3] and history.unit == "epoch"
    assert torch.equal(history.codes_KND[0], start)
    saved = MLPAutoencoder.from_pretrained(tmp_path / "run" / "model").eval()
    assert torch.allclose(history.codes_KND[-1], saved.encode(pixel_values=pixels[:7]).mean, atol=1e-6)
    assert (tmp_path / "run" / FILE).is_file()


def test_a_runs_page_has_its_history_and_its_images(tmp_path):
    splits, pixels = make_splits()
    model, processor = make_model(scale=1.0), ImageProcessor(1, 6, 5)
    seen = pixels[:6].mul(255).round() / 255

    def write(folder, figures):
        model.save_pretrained(folder)
        processor.save_pretrained(folder)

    record_history(
        model.train(), make_objective(), splits, tmp_path / "run", TrainerOptions(**OPTIONS), {"pixel_values": seen, "targets": seen},
        labels_N=torch.tensor([0, 1, 0, 1, -1, 1]), write_model=write,
    )  # fmt: skip
    data = data_of(write_view(tmp_path / "run", tmp_path / "x.html", shapes=False))["images"]
    assert data["history"]["moments"] == [0, 1, 2, 3] and data["history"]["ends_at_model"]
    assert data["labels"] == [0, 1, 0, 1, -1, 1] and data["names"] == ["0", "1"]
    assert data["codes"]["shape"] == [6, 2]


@pytest.mark.parametrize("posterior", ["point", "gaussian"])
def test_the_recorded_gradient_is_of_each_examples_own_loss(posterior):
    model = make_model(posterior=posterior, scale=1.0)
    terms = {"kl": 0.25} if posterior == "gaussian" else {}
    pixels = torch.rand(4, 1, 6, 5)
    batch = {"pixel_values": pixels, "targets": pixels}
    together = look(model, make_objective(**terms), batch, 0)
    z = together.codes_ND.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model.nll(z, pixels)[0].sum(), z)
    if terms:
        expected = expected + 0.25 * z.detach()  # of the analytic KL
    assert torch.allclose(together.gradients_ND, expected, atol=1e-5)
    alone = look(model, make_objective(**terms), {k: v[2:3] for k, v in batch.items()}, 0)
    assert torch.allclose(together.gradients_ND[2:3], alone.gradients_ND, atol=1e-5)


def test_looking_leaves_no_trace():
    model = make_model(posterior="gaussian", dropout=0.5).train()
    objective = make_objective(kl=1.0, latent_adversary=1.0)
    objective.bind(model)
    pixels = torch.rand(4, 1, 6, 5)
    torch.manual_seed(5)
    before = torch.get_rng_state().clone()
    look(model, objective, {"pixel_values": pixels, "targets": pixels}, 3)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training and objective.training
    assert all(p.grad is None for p in [*model.parameters(), *objective.parameters()])


def test_history_is_saved_whole_and_checked(tmp_path):
    space, images = make_space(), some_images(5)
    history = a_history(space, images)
    path = tmp_path / FILE
    history.save(path)
    again = History.load(path)
    assert torch.equal(again.codes_KND, history.codes_KND) and again.outputs_KNP is None and again.unit == "epoch"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match="is damaged"):
        History.load(path)
    with pytest.raises(ValueError, match="there is no history at"):
        History.load(tmp_path / "other")
    space.save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="holds no history of a training"):
        History.load(tmp_path / "model" / "model.safetensors")
    codes = history.codes_KND
    with pytest.raises(ValueError, match="must ascend"):
        History(torch.tensor([0, 2, 1]), codes, codes, torch.zeros(3))
    with pytest.raises(ValueError, match="needs gradients of the same shape"):
        History(torch.tensor([0, 1, 2]), codes, codes[:2], torch.zeros(3))
    with pytest.raises(ValueError, match="5 codes has 4 labels"):
        History(torch.tensor([0, 1, 2]), codes, codes, torch.zeros(3), labels_N=torch.zeros(4))


def test_a_stream_has_no_epochs(tmp_path):
    class Stream:
        def __len__(self):
            return 0

    with pytest.raises(ValueError, match="a stream has no epochs"):
        record_history(make_model(), make_objective(), Splits(Stream()), tmp_path, TrainerOptions(), {})


# --- in a browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def opened(browser):
    """Opens a file; when the test is over, no error was on its console and it asked for nothing."""
    contexts, problems = [], []

    def open_page(path, width=1280, height=900, scheme="light", errors_expected=False):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        if not errors_expected:
            page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda e: problems.append(str(e)))
        page.on("request", lambda r: None if r.url == Path(path).as_uri() or r.url.startswith("data:") else problems.append(r.url))
        page.goto(Path(path).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def wait(shown, condition):
    """Until a condition holds; the page's own policy forbids playwright's way of waiting, which evaluates strings."""
    for _ in range(200):
        if shown.evaluate(condition):
            return
        shown.wait_for_timeout(50)
    raise AssertionError(f"in ten seconds it was never true that {condition}")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "light"), (390, 844, "dark"), (1600, 1000, "light"), (1600, 1000, "dark")])
def test_page_fits_every_screen(page, shapes_page, opened, width, height, scheme):
    for path in (page, shapes_page):
        shown = opened(path, width, height, scheme)
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert shown.locator("#alert").is_hidden()
        paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", paper))) < 60) == (scheme == "dark")


@pytest.mark.browser
def test_hover_decodes_in_the_browser(page, opened):
    shown = opened(page)
    model = make_model()
    decoded = shown.evaluate("codes => codes.map(([x, y]) => Array.from(imagesView.network.decode(x, y)))", CODES.tolist())
    with torch.no_grad():
        assert (torch.tensor(decoded) - model.generate(CODES).flatten(1)).abs().max() < 1e-5
    box = shown.locator("#plane").bounding_box()
    shown.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.7 * box["height"])
    shown.wait_for_timeout(100)
    cursor = shown.evaluate("imagesView.cursor")
    level = shown.evaluate("Array.from(document.getElementById('decoded').getContext('2d').getImageData(1, 1, 1, 1).data)[0]")
    with torch.no_grad():
        assert abs(level - 255 * model.generate(torch.tensor([cursor]))[0, 0, 0, 0].item()) <= 1
    assert "Decoded at (" in shown.locator("#decoded-note").inner_text()


@pytest.mark.browser
def test_keyboard_slider_legend_and_zoom(page, opened):
    shown = opened(page)
    shown.locator("#plane").focus()
    x = shown.evaluate("imagesView.cursor[0]")
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("Shift+ArrowRight")
    assert shown.evaluate("imagesView.cursor[0]") > x
    half = shown.evaluate("imagesView.surface.view.half")
    shown.keyboard.press("+")
    assert shown.evaluate("imagesView.surface.view.half") == pytest.approx(half / 1.5)
    shown.get_by_role("button", name="Show all").click()
    assert shown.evaluate("imagesView.surface.view.half") == pytest.approx(half)
    shown.get_by_label("Epoch").fill("0")
    wait(shown, "document.getElementById('moment-out').innerText.includes('epoch 0 · loss 30')")
    assert "slide to the end" in shown.locator("#decoded-note").inner_text()
    shown.get_by_role("button", name="Play the training").click()
    wait(shown, "imagesView.index === 2")
    wait(shown, "document.getElementById('decoded-note').innerText.includes('Decoded at')")  # drawn with the next frame
    for name in ("null", "</script><b>one</b>"):
        chip = shown.get_by_role("button", name=name)
        chip.click()
        assert chip.get_attribute("aria-pressed") == "false"
    wait(shown, "document.getElementById('nearest-note').innerText.includes('labelled two')")
    shown.locator("#tiles").check()
    shown.wait_for_timeout(300)
    assert shown.evaluate("imagesView.tiles !== null")


@pytest.mark.browser
def test_a_point_lights_up_in_all_views_and_the_page_trains(opened, shapes_page):
    shown = opened(shapes_page)
    wait(shown, "!!(shapesView.input.places[7])")  # with the first frame
    place = shown.evaluate("shapesView.input.places[7]")
    shown.locator("#shape-input").scroll_into_view_if_needed()
    box = shown.locator("#shape-input").bounding_box()
    shown.mouse.move(box["x"] + place["x"], box["y"] + place["y"])
    shown.wait_for_timeout(100)
    chosen = shown.evaluate("shapesView.chosen")
    assert chosen >= 0 and shown.locator("#shape-point-out").inner_text().startswith(f"{chosen + 1}: (")
    yaw = shown.evaluate("shapesView.turn.yaw")
    shown.mouse.down()
    shown.mouse.move(box["x"] + place["x"] + 60, box["y"] + place["y"])
    shown.mouse.up()
    assert shown.evaluate("shapesView.turn.yaw") > yaw
    shown.get_by_label("twisted cubic").check()
    shown.get_by_label("train here").check()
    first = shown.evaluate("shapesView.moments[0].loss")
    assert first > 0.01
    shown.get_by_role("button", name="Play the training of the shape").click()
    wait(shown, "shapesView.moments.length > 20")
    shown.get_by_role("button", name="Pause the training of the shape").click()
    assert shown.evaluate("shapesView.moments.at(-1).loss") < 0.3 * first
    weights = shown.evaluate("shapesView.net.layers[0].weight[0]")
    shown.get_by_role("button", name="New weights").click()
    assert shown.evaluate("shapesView.moments.length") == 1 and shown.evaluate("shapesView.net.layers[0].weight[0]") != weights


@pytest.mark.browser
def test_a_damaged_page_says_so(page, opened, tmp_path):
    for name, change in {"cut": ('"decoder"', '"dec'), "swapped": ('"kind": "dense"', '"kind": "dance"')}.items():
        path = tmp_path / f"{name}.html"
        path.write_text(page.read_text().replace(*change))
        alert = opened(path, errors_expected=True).locator("#alert")
        assert alert.is_visible() and alert.inner_text().startswith("This page cannot go on: ") and "write the" in alert.inner_text()
