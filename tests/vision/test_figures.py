"""Figures by what is in them: the data of their axes, how many images, which words; not by their pixels."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import rcParams
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from vision.data.processor import ImageProcessor
from vision.figures import curves, features, latent, rows, structure, style
from vision.models.conv import ConvAutoencoder, ConvConfig
from vision.models.mlp import MLPAutoencoder, MLPConfig
from vision.space import LatentSpace

RNG = np.random.default_rng(0)
CODES, LABELS = RNG.normal(size=(30, 2)), np.arange(30) % 3
CODES_3D = RNG.normal(size=(30, 3)) * [1, 2, 4]


def make_space(kind="mlp", invert=False, **changes):
    torch.manual_seed(0)
    common = {"height": 6, "width": 5, "latent_dim": 2, "posterior": "point"}
    if kind == "mlp":
        model = MLPAutoencoder(MLPConfig(**{**common, "hidden_dims": [9, 7], **changes}))
    else:
        model = ConvAutoencoder(ConvConfig(**{**common, "filters": [4, 3], "hidden_dim": 8, **changes}))
    config = model.config
    return LatentSpace(model, ImageProcessor(config.channels, config.height, config.width, config.attributes, invert=invert), kind)


def some_images(num, size=(6, 5)):
    return list(np.random.default_rng(1).integers(0, 256, (num, *size), dtype=np.uint8))


def drawn(figure):
    """Axes that show an image, in order."""
    return [axes for axes in figure.axes if axes.images]


def arrays(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in drawn(figure)]


def words(axes):
    """Every text that was written into an axes."""
    return [t.get_text() for t in axes.texts]


def legend_of(axes):
    return [t.get_text() for t in axes.get_legend().get_texts()]


# --- style and files ------------------------------------------------------------------------------------------


def test_ten_colors_apart_for_everybody():
    """Differences in CIE Lab, as seen and as the color-blind see them (Machado et al. 2009, severity 1)."""
    seen = {
        "normal": np.eye(3),
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    }
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in style.PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    assert len(style.PALETTE) == 10
    for matrix in seen.values():
        xyz = (linear @ np.array(matrix).T).clip(0, 1) @ to_xyz.T / [0.9505, 1, 1.089]
        f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)[np.triu_indices(10, 1)]
        assert apart.min() > 15  # 2.3 is just noticeable


def test_more_classes_than_colors():
    many = style.colors(14)
    assert len({to_hex(c) for c in many}) == 14 and style.colors(3) == list(style.PALETTE[:3])


@pytest.mark.parametrize("path", sorted(Path(style.__file__).parent.glob("*.py")), ids=lambda p: p.stem)
def test_matplotlib_is_imported_inside_functions(path):
    at_top = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
    modules = [n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in at_top]
    assert not any(m.split(".")[0] in ("matplotlib", "PIL", "sklearn", "scipy") for m in modules)
    assert "pyplot" not in path.read_text().replace("without pyplot", "")


def test_settings_stay_as_they_were():
    before = dict(rcParams)
    latent.latent_scatter(CODES, LABELS)
    assert dict(rcParams) == before


@pytest.mark.parametrize("name", ["a.png", "b.PDF", "c.svg"])
def test_save_writes_the_same_file_again(tmp_path, name):
    figure = rows.image_rows({"one": some_images(2)})
    path = style.save(figure, tmp_path / "new" / name)
    first = path.read_bytes()
    assert len(first) > 500 and [p.name for p in path.parent.iterdir()] == [name]
    style.save(rows.image_rows({"one": some_images(2)}), path)
    assert path.read_bytes() == first


def test_save_refuses_and_leaves_what_was_there(tmp_path):
    figure = rows.image_rows({"one": some_images(1)})
    with pytest.raises(ValueError, match="'a.xyz' does not end in a format of pictures: choose one of .*png"):
        style.save(figure, tmp_path / "a.xyz")
    with pytest.raises(ValueError, match="'a' does not end in a format"):
        style.save(figure, tmp_path / "a")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(OSError, match="could not write"):
        style.save(figure, tmp_path / "b.png")
    assert [p.name for p in tmp_path.iterdir()] == ["b.png"]


def test_images_of_every_kind_become_the_same():
    byte = np.array([[0, 255], [51, 102]], np.uint8)
    same = [byte, byte / 255, torch.tensor(byte / 255)[None], Image.fromarray(byte), byte[..., None]]
    for image in style.as_images(same):
        assert image.dtype == np.float32 and np.allclose(image, byte / 255)
    assert style.as_images(torch.rand(2, 3, 4, 5))[0].shape == (4, 5, 3)
    for bad, message in [([np.zeros(3)], r"images\[0\] has shape \(3,\)"), ([], "images is empty"), ([np.full((2, 2), np.nan)], "not finite")]:
        with pytest.raises(ValueError, match=message):
            style.as_images(bad)


def test_image_grid_is_about_square():
    figure = style.new_figure(4, 4)
    style.image_grid(figure, style.as_images(some_images(7)))
    assert len(figure.axes) == 9 and len(drawn(figure)) == 7 and not figure.axes[8].axison
    figure = style.new_figure(4, 4)
    style.image_grid(figure, style.as_images(some_images(3)), captions=["a", "b", "c"], columns=3)
    assert [a.get_title() for a in figure.axes] == ["a", "b", "c"]


# --- maps of the code -----------------------------------------------------------------------------------------


def test_scatter_holds_every_code_under_its_label():
    names = ["one", "five", "six"]
    figure = latent.latent_scatter(CODES, LABELS, names=names, title="Digits")
    (axes,) = figure.axes
    assert isinstance(figure, Figure) and figure.get_suptitle() == "Digits"
    assert axes.get_aspect() == 1 and legend_of(axes) == names == words(axes)
    for label, cloud in enumerate(axes.collections):
        assert np.allclose(cloud.get_offsets(), CODES[LABELS == label]) and cloud.get_label() == names[label]
        assert to_hex(cloud.get_facecolor()[0]) == style.PALETTE[label]
        assert np.allclose(axes.texts[label].get_position(), np.median(CODES[LABELS == label], 0))
    assert axes.get_xlabel() == "$z_1$" and axes.get_ylabel() == "$z_2$"


def test_scatter_without_labels_and_with_some():
    (axes,) = latent.latent_scatter(CODES).axes
    assert len(axes.collections) == 1 and axes.get_legend() is None and len(axes.collections[0].get_offsets()) == 30
    (axes,) = latent.latent_scatter(CODES, np.where(LABELS == 1, -1, LABELS)).axes
    assert legend_of(axes) == ["unlabelled", "0", "2"]
    assert [len(c.get_offsets()) for c in axes.collections] == [10, 10, 10]


def test_scatter_in_three_dimensions_has_equal_axes():
    figure = latent.latent_scatter(torch.tensor(CODES_3D), torch.tensor(LABELS))
    (axes,) = figure.axes
    assert axes.name == "3d" and legend_of(axes) == ["0", "1", "2"] and axes.get_zlabel() == "$z_3$"
    found = np.concatenate([np.stack(c._offsets3d, 1) for c in axes.collections])
    assert np.allclose(np.sort(found, 0), np.sort(CODES_3D, 0))
    assert axes.get_aspect() == "equal"


def test_a_new_code_is_a_star_beside_its_image():
    image = some_images(1)
    figure = latent.latent_scatter(CODES, LABELS, new_codes=[[-1, 6]], new_images=image)
    axes, beside = figure.axes
    star = axes.collections[-1]
    assert star.get_offsets().tolist() == [[-1, 6]] and star.get_label() == "new code" and legend_of(axes)[-1] == "new code"
    assert len(star.get_paths()[0].vertices) == 11  # ten corners and the way back
    assert np.allclose(beside.images[0].get_array(), image[0] / 255) and beside.get_title() == "(−1, 6)"


def test_samples_are_numbered_on_the_map_and_beside_it():
    figure = latent.sampled_map(CODES, CODES[:4] + 0.1, some_images(4), LABELS)
    axes = figure.axes[0]
    assert np.allclose(axes.collections[-1].get_offsets(), CODES[:4] + 0.1)
    assert words(axes)[-4:] == ["1", "2", "3", "4"] and len(drawn(figure)) == 4
    assert [a.get_title()[:2] for a in drawn(figure)] == ["1:", "2:", "3:", "4:"]
    twenty = latent.sampled_map(CODES_3D, CODES_3D[:20], some_images(20))
    assert [a.get_title() for a in drawn(twenty)] == [str(i) for i in range(1, 21)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"codes": np.zeros((3, 4))}, "codes are 4-D; this picture takes 2-D or 3-D ones"),
        ({"codes": np.zeros(3)}, r"codes have shape \(3,\)"),
        ({"codes": np.full((3, 2), np.inf)}, "codes hold numbers that are not finite"),
        ({"codes": CODES, "labels": [1, 2]}, r"labels have shape \(2,\) for 30 codes"),
        ({"codes": CODES, "labels": LABELS * 0.5}, "labels must be whole numbers"),
        ({"codes": CODES, "labels": LABELS, "names": ["a", "b"]}, "label 2 has no name: 2 names"),
        ({"codes": CODES, "names": ["a"]}, "names come without labels"),
        ({"codes": CODES, "new_images": some_images(1)}, "new_images come without new_codes"),
        ({"codes": CODES, "new_codes": CODES[:2], "new_images": some_images(1)}, "2 new codes come with 1 images"),
        ({"codes": CODES, "new_codes": CODES_3D}, "new codes are 3-D; this picture takes 2-D"),
    ],
)
def test_maps_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        latent.latent_scatter(**arguments)


def test_manifold_decodes_a_grid_that_ends_at_the_quantiles():
    space = make_space()
    figure = latent.manifold(space, steps=3)
    (axes,) = figure.axes
    (sheet,) = arrays(figure)
    assert sheet.shape == (18, 15)
    q = 1.6448536  # of the standard normal at 95 %
    for (row, column), code in {(0, 0): (-q, q), (0, 2): (q, q), (2, 0): (-q, -q), (1, 1): (0, 0)}.items():
        tile = sheet[6 * row : 6 * row + 6, 5 * column : 5 * column + 5]
        assert np.allclose(tile, space.decode(torch.tensor(code)) / 255, atol=0.5 / 255 + 1e-6)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["−1.6", "0", "1.6"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1.6", "0", "−1.6"]


def test_manifold_over_a_span_or_four_sides():
    space = make_space()
    (sheet,) = arrays(latent.manifold(space, steps=2, over=4))
    assert np.allclose(sheet[:6, :5], space.decode(torch.tensor([-4.0, 4.0])) / 255)
    (sheet,) = arrays(latent.manifold(space, steps=2, over=(0, 1, 5, 9)))
    assert np.allclose(sheet[6:, 5:], space.decode(torch.tensor([1.0, 5.0])) / 255)
    given = make_space(attributes={"label": ["a", "b"]})
    one, other = (arrays(latent.manifold(given, steps=2, attributes={"label": v}))[0] for v in "ab")
    assert not np.array_equal(one, other)


def test_manifold_refuses():
    with pytest.raises(ValueError, match="a manifold needs a 2-D code; mlp has 3 dimensions"):
        latent.manifold(make_space(latent_dim=3))
    with pytest.raises(ValueError, match="steps is 1"):
        latent.manifold(make_space(), steps=1)
    for over in (0, (1, 0, 0, 1), (1, 2)):
        with pytest.raises(ValueError, match="left < right"):
            latent.manifold(make_space(), over=over)


def test_reduction_panel_has_a_map_for_each_method():
    codes = {"autoencoder": CODES, "PCA": CODES[:, ::-1], "LDA": CODES * 2, "GDA": -CODES}
    figure = latent.reduction_panel(codes, LABELS, names=["a", "b", "c"], notes={"PCA": "5-NN 50 %"})
    assert [a.get_title() for a in figure.axes] == list(codes)
    for axes, table in zip(figure.axes, codes.values(), strict=True):
        assert axes.get_aspect() == 1 and np.allclose(axes.collections[1].get_offsets(), table[LABELS == 1])
    assert figure.axes[1].get_xlabel() == "5-NN 50 %" and [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="codes of PCA are 3-D"):
        latent.reduction_panel({"PCA": CODES_3D}, LABELS)
    with pytest.raises(ValueError, match="notes name TSNE"):
        latent.reduction_panel({"PCA": CODES}, LABELS, notes={"TSNE": ""})
    with pytest.raises(ValueError, match="no method to draw"):
        latent.reduction_panel({}, LABELS)


# --- rows -----------------------------------------------------------------------------------------------------


def test_reconstructions_are_input_output_error():
    inputs, outputs = some_images(4), [np.full((6, 5), 128, np.uint8)] * 4
    figure = rows.reconstructions(inputs, outputs)
    shown = arrays(figure)
    assert len(shown) == 12 and [figure.axes[i].get_ylabel() for i in (0, 4, 8)] == ["Input", "Output", "Error"]
    for i in range(4):
        a, b = inputs[i] / 255, outputs[i] / 255
        assert np.allclose(shown[i], a) and np.allclose(shown[4 + i], b) and np.allclose(shown[8 + i], np.abs(a - b), atol=1e-6)
        assert float(figure.axes[8 + i].get_xlabel()) == pytest.approx(((a - b) ** 2).sum(), rel=0.01)
    assert {(a.images[0].norm.vmin, a.images[0].norm.vmax) for a in figure.axes} == {(0, 1)}
    color = rows.reconstructions(some_images(2, (6, 5, 3)), some_images(2, (6, 5, 3)))
    assert [a.shape for a in arrays(color)] == [(6, 5, 3)] * 4 + [(6, 5)] * 2


def test_denoising_has_three_rows_with_psnr():
    clean = torch.full((3, 1, 6, 5), 0.5)
    figure = rows.denoising(clean, clean + 0.1, clean)
    assert [figure.axes[i].get_ylabel() for i in (0, 3, 6)] == ["Original", "Noisy", "Denoised"] and len(drawn(figure)) == 9
    assert figure.axes[0].get_xlabel() == "" and figure.axes[3].get_xlabel() == "20.0 dB" and figure.axes[6].get_xlabel() == "exact"


def test_rows_refuse():
    images = some_images(3)
    cases = [
        (lambda: rows.reconstructions(images, images[:2]), "inputs are 3 images and outputs are 2"),
        (lambda: rows.reconstructions(images, some_images(3, (5, 5))), r"image 0 is \(6, 5\) in inputs and \(5, 5\) in outputs"),
        (lambda: rows.image_rows({"a": images, "b": images[:1]}), "a has 3 images and b 1"),
        (lambda: rows.image_rows({"a": images}, notes={"a": ["x"]}), "a has 3 images and 1 notes"),
        (lambda: rows.image_rows({"a": images}, notes={"c": []}), "notes name c"),
        (lambda: rows.image_rows({}), "no rows to draw"),
    ]
    for draw, message in cases:
        with pytest.raises(ValueError, match=message):
            draw()


def test_interpolation_goes_through_several_images():
    space, images = make_space(), some_images(4)
    figure = rows.interpolation(space, images, names=["0", "2", "8", "1"], steps=5)
    shown = arrays(figure)
    assert len(shown) == 3 * 7 and [figure.axes[i].get_ylabel() for i in (0, 7, 14)] == ["0 → 2", "2 → 8", "8 → 1"]
    for leg in range(3):
        strip = shown[7 * leg : 7 * leg + 7]
        assert np.allclose(strip[0], images[leg] / 255) and np.allclose(strip[-1], images[leg + 1] / 255)
        walk = space.interpolate(images[leg], images[leg + 1], steps=5)
        assert all(np.allclose(a, b / 255) for a, b in zip(strip[1:-1], walk, strict=True))
        framed = [a.spines["left"].get_visible() for a in figure.axes[7 * leg : 7 * leg + 7]]
        assert framed == [True, *[False] * 5, True]
    arc = rows.interpolation(space, images[:2], steps=5, path="slerp")
    assert np.allclose(arrays(arc)[3], space.interpolate(*images[:2], steps=5, path="slerp")[2] / 255) and arc.axes[0].get_ylabel() == "1 → 2"


def test_images_of_an_inverted_model_are_shown_as_given():
    space, images = make_space(invert=True), some_images(2)
    assert np.allclose(arrays(rows.interpolation(space, images, steps=2))[0], images[0] / 255)


def test_walks_refuse():
    space, images = make_space(), some_images(2)
    for arguments, message in [
        ({"images": images[:1]}, "at least two images; 1"),
        ({"images": images, "steps": 1}, "steps is 1"),
        ({"images": images, "names": ["a"]}, "2 images come with 1 names"),
        ({"images": images, "path": "lurp"}, "path"),
    ]:
        with pytest.raises(ValueError, match=message):
            rows.interpolation(space, **arguments)


def test_traversals_have_a_row_for_each_dimension():
    space, image = make_space(latent_dim=12), some_images(1)[0]
    figure = rows.traversals(space, image, span=2, steps=5)
    assert len(drawn(figure)) == 50 and figure.axes[0].get_ylabel() == "$z_{1}$" and figure.axes[45].get_ylabel() == "$z_{10}$"
    assert [a.get_xlabel() for a in figure.axes[45:]] == ["−2", "−1", "0", "1", "2"]
    few = rows.traversals(space, image, dimensions=[11], span=2, steps=5)
    assert all(np.allclose(a, b / 255) for a, b in zip(arrays(few), space.traverse(image, 11, span=2, steps=5), strict=True))
    with pytest.raises(ValueError, match="dimension is 12"):
        rows.traversals(space, image, dimensions=[12])
    with pytest.raises(ValueError, match="dimensions is empty"):
        rows.traversals(space, image, dimensions=[])


def test_anomalies_overlay_maps_and_outline_masks():
    images, maps = some_images(3), [np.full((6, 5), v) for v in (0.0, 1.0, 4.0)]
    maps[1][2, 2] = 3
    masks = np.zeros((3, 6, 5), bool)
    masks[1, 2:4, 1:3] = True
    figure = rows.anomalies(images, maps, masks=masks, scores=[0.1, 0.9, 0.4], threshold=0.5)
    picture, heat, overlay, mask = (figure.axes[3 * r : 3 * r + 3] for r in range(4))
    assert [r[0].get_ylabel() for r in (picture, heat, overlay, mask)] == ["Image", "Map", "Overlay", "Mask"]
    for i in range(3):
        assert np.allclose(picture[i].images[0].get_array(), images[i] / 255)
        assert np.allclose(heat[i].images[0].get_array(), maps[i]) and (heat[i].images[0].norm.vmin, heat[i].images[0].norm.vmax) == (0, 4)
        assert len(overlay[i].images) == 2 and np.allclose(overlay[i].images[1].get_array(), maps[i] / 4)
        assert np.array_equal(mask[i].images[0].get_array(), masks[i])
    assert [len(a.collections) for a in overlay] == [0, 1, 0]  # the outline
    assert [a.xaxis.label.get_text() for a in picture] == ["0.1", "0.9", "0.4"]
    assert [a.xaxis.label.get_color() == style.ACCENT for a in picture] == [False, True, False]
    assert len(figure.axes) == 13 and figure.axes[-1].get_ylabel() == "anomaly"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": [np.zeros((6, 5))]}, "2 images come with 1 maps"),
        ({"masks": [np.zeros((2, 2))] * 2}, r"masks\[0\] has shape \(2, 2\)"),
        ({"maps": [np.full((6, 5), np.nan)] * 2}, "not finite"),
        ({"scores": [1.0]}, "2 images come with 1 scores"),
    ],
)
def test_anomalies_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        rows.anomalies(**{"images": some_images(2), "maps": [np.zeros((6, 5))] * 2, **change})


# --- curves ---------------------------------------------------------------------------------------------------


def write_log(folder, kl=2.0):
    lines = [
        {"step": 10, "epoch": 0, "split": "train", "seconds": 1, "loss": 9.0, "reconstruction": 8.0, "kl": kl, "weight_kl": 0.5, "lr": 1e-3, "grad_norm_autoencoder": 1, "per_second": 5},
        {"step": 20, "epoch": 0, "split": "train", "seconds": 2, "loss": 7.0, "reconstruction": 6.0, "kl": kl, "weight_kl": 0.5, "lr": 1e-3, "grad_norm_autoencoder": 1, "per_second": 5},
        {"step": 20, "epoch": 1, "split": "valid", "seconds": 2, "num_examples": 5, "count": 9, "reconstruction": 6.5, "kl": kl, "active_units": 2, "latent_dim": 2, "loss": 8.5, "best": True},
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_training_curves_have_a_panel_for_each_term(tmp_path):
    figure = curves.training_curves(write_log(tmp_path / "run"))
    assert [a.get_title() for a in figure.axes] == ["loss", "reconstruction", "kl"]
    train, valid = figure.axes[1].lines
    assert train.get_xydata().tolist() == [[10, 8], [20, 6]] and valid.get_xydata().tolist() == [[20, 6.5]]
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["training", "validation"]
    assert figure.axes[0].get_ylabel() == "nats per image" and figure.axes[0].get_xlabel() == "step"
    same = curves.training_curves(tmp_path / "run" / "log.jsonl")
    assert len(same.axes) == 3


def test_a_point_code_has_no_panel_of_kl(tmp_path):
    assert [a.get_title() for a in curves.training_curves(write_log(tmp_path / "run", kl=0.0)).axes] == ["loss", "reconstruction"]


def test_logs_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="there is no training log"):
        curves.training_curves(tmp_path)
    (tmp_path / "log.jsonl").write_text("")
    with pytest.raises(ValueError, match="holds no line yet"):
        curves.training_curves(tmp_path)
    for text in ("{not json}\n", '{"step": 1}\n', "[]\n"):
        (tmp_path / "log.jsonl").write_text('{"step": 1, "split": "train", "loss": 1.0}\n' + text)
        with pytest.raises(ValueError, match="line 2 of .* is not of a training log"):
            curves.training_curves(tmp_path)


def test_rate_distortion_sorts_by_rate():
    figure = curves.rate_distortion({"VAE": [(40, 9), (10, 30)], "PCA": [(20, 29)]}, notes={"VAE": ["20-D", "2-D"]})
    (axes,) = figure.axes
    assert axes.lines[0].get_xydata().tolist() == [[10, 30], [40, 9]] and legend_of(axes) == ["VAE", "PCA"]
    assert {t.get_text(): t.xy for t in axes.texts if t.get_text()} == {"20-D": (40, 9), "2-D": (10, 30)}
    assert axes.get_xlabel() == "bytes an image"
    with pytest.raises(ValueError, match="no curve to draw"):
        curves.rate_distortion({})
    with pytest.raises(ValueError, match="VAE has 1 pairs and 2 notes"):
        curves.rate_distortion({"VAE": [(1, 2)]}, notes={"VAE": ["a", "b"]})
    with pytest.raises(ValueError, match="pairs of VAE are 3-D"):
        curves.rate_distortion({"VAE": [(1, 2, 3)]})


# --- structure and features -----------------------------------------------------------------------------------

STRUCTURES = {
    "mlp": ({}, [(1, 6, 5), (9,), (7,), (2,), (7,), (9,), (1, 6, 5)]),
    "tied": ({"tied": True}, [(1, 6, 5), (9,), (7,), (2,), (7,), (9,), (1, 6, 5)]),
    "not mirrored, variational": ({"decoder_dims": [4], "posterior": "gaussian"}, [(1, 6, 5), (9,), (7,), (2,), (4,), (1, 6, 5)]),
    "no hidden layer": ({"hidden_dims": []}, [(1, 6, 5), (2,), (1, 6, 5)]),
    "conv": ({"kind": "conv"}, [(1, 6, 5), (4, 3, 3), (3, 2, 2), (8,), (2,), (8,), (12,), (4, 3, 3), (1, 6, 5)]),
    "spatial conv": (
        {"kind": "conv", "spatial": True, "hidden_dim": 0, "latent_dim": 8, "full_layers": 1},
        [(1, 6, 5), (4, 6, 5), (4, 3, 3), (3, 2, 2), (2, 2, 2), (3, 2, 2), (4, 3, 3), (4, 6, 5), (1, 6, 5)],
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure_is_read_from_the_module(name):
    changes, shapes = STRUCTURES[name]
    model = make_space(**changes).model.train()
    found = structure.layers(model)
    assert [layer.shape for layer in found] == shapes and model.training
    assert [x.part for x in found].count("code") == 1 and (found[0].part, found[-1].part) == ("input", "output")
    assert sum(x.parameters for x in found) == sum(p.numel() for p in model.parameters())
    figure = structure.structure(model)
    (axes,) = figure.axes
    assert len(axes.patches) == 2 + len(shapes)  # two trapezoids and the bars
    assert {"Encoder", "Decoder"} <= set(words(axes))
    labels = [t.split("\n")[0] for t in words(axes)[2:-1]]
    assert labels == [" × ".join(map(str, shape)) for shape in shapes]
    assert words(axes)[-1] == f"{sum(p.numel() for p in model.parameters()):,} weights and biases"


def test_filters_are_the_first_layers_weights():
    model = make_space().model
    weights = model.encoder[0].weight.detach().view(9, 6, 5)
    shown = arrays(features.filters(model, count=4))
    order = weights.flatten(1).norm(dim=1).argsort(descending=True)
    assert len(shown) == 4
    for image, unit in zip(shown, order, strict=False):
        assert np.allclose(image, weights[unit])
    conv = make_space("conv", channels=3).model
    (first, *others) = arrays(features.filters(conv))
    assert first.shape == (3, 3, 3) and len(others) == 3 and first.min() >= 0 and first.max() <= 1
    with pytest.raises(ValueError, match="no hidden layer"):
        features.filters(make_space(hidden_dims=[]).model)
    with pytest.raises(ValueError, match="count is 0"):
        features.filters(model, count=0)


@pytest.mark.parametrize("full_layers", [0, 1])
def test_receptive_fields_are_those_of_autograd(full_layers):
    model = make_space("conv", height=40, width=40, filters=[2, 2, 2], full_layers=full_layers, activation="tanh", hidden_dim=0).model
    for i, layer in enumerate([*model.before, *model.down]):
        pixels = torch.rand(1, 1, 40, 40, requires_grad=True)
        maps = model.features(pixels)[i + 1]
        row, column = maps.shape[2] // 2, maps.shape[3] // 2 - 1
        (gradient,) = torch.autograd.grad(maps[0, 0, row, column], pixels)
        touched = gradient[0, 0].nonzero()
        side, jump = features.receptive_field(model, layer)
        assert touched.max(0).values.tolist() == [row * jump + side // 2, column * jump + side // 2]
        assert touched.min(0).values.tolist() == [row * jump - side // 2, column * jump - side // 2]


def test_a_unit_is_shown_by_what_excites_it():
    """A convolution that answers to a bright pixel: wherever it lies, it stands in the middle of the mean patch."""
    space = make_space("conv", height=12, width=12, filters=[1], hidden_dim=4)
    with torch.no_grad():
        space.model.down[0].weight.zero_()[0, 0, 1, 1] = 1
    dots = np.zeros((8, 12, 12), np.uint8)
    for i in range(8):
        dots[i, 2 * (i % 5), 2 * (i % 6)] = 200  # at even places, the middles of a stride of two
    figure = features.features_by_depth(space, list(dots), count=3, strongest=5)
    first = arrays(figure)[0]
    assert first.shape == (3, 3) and first[1, 1] == 1 and first.sum() == 1
    assert "3 × 3 pixels" in figure.axes[0].get_ylabel() and "1 units" in figure.axes[0].get_ylabel()


def test_a_dense_unit_is_shown_by_the_mean_of_its_images():
    space, images = make_space(), some_images(30)
    with torch.no_grad():
        space.model.encoder[0].weight.zero_()[4, 7] = 1  # unit 4 reads pixel 7 alone
    figure = features.features_by_depth(space, images, count=3, strongest=6)
    best = sorted(images, key=lambda image: -int(image.flat[7]))[:6]
    mean = np.mean(best, 0)
    assert np.allclose(arrays(figure)[0], mean / mean.max(), atol=1e-5)
    assert [a.get_ylabel().split(",")[0] for a in figure.axes if a.get_ylabel()] == ["layer 1", "layer 2", "code"]
    with pytest.raises(ValueError, match="30 images were given and 40 patches"):
        features.features_by_depth(space, images, strongest=40)
    with pytest.raises(ValueError, match="count is 0"):
        features.features_by_depth(space, images, count=0)
