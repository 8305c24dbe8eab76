"""Readers: the same images in every format are the same set, and damaged or foreign files are refused in a sentence."""

import gzip
import struct

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vision.data.arrays import idx_array, read_idx, read_npz
from vision.data.files import load_files, load_hub, local_file, read_folder, read_images
from vision.data.tables import read_hub, read_parquet

RNG = np.random.default_rng(0)
LABELS = np.sort(RNG.integers(0, 3, 24))  # sorted, as a folder for each label is read
NAMES = ["0", "1", "2"]


def images(channels=1, num=24):
    return np.random.default_rng(channels).integers(0, 256, (num, 6, 5, channels), dtype=np.uint8)


def idx_bytes(array, kind=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def png(image):
    import io

    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return file.getvalue()


def write_idx(folder, pixels, labels=None):
    plain = pixels[:, :, :, 0] if pixels.shape[3] == 1 else pixels
    path = folder / f"train-images-idx{plain.ndim}-ubyte"
    path.write_bytes(idx_bytes(plain))
    if labels is not None:
        (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels.astype(np.uint8)))
    return path


def write_npz(folder, pixels, labels=None):
    arrays = {"x": pixels if pixels.shape[3] == 3 else pixels[:, :, :, 0]} | ({} if labels is None else {"y": labels})
    np.savez(folder / "train.npz", **arrays)
    return folder / "train.npz"


def write_parquet(folder, pixels, labels=None, plain=False):
    cells = [png(image) if plain else {"bytes": png(image), "path": None} for image in pixels]
    table = {"image": cells} | ({} if labels is None else {"label": labels.tolist()})
    pq.write_table(pa.table(table), folder / "train.parquet", row_group_size=10)
    return folder / "train.parquet"


def write_plain_parquet(folder, pixels, labels=None):
    return write_parquet(folder, pixels, labels, plain=True)


def write_pngs(folder, pixels, labels=None):
    root = folder / "pngs"
    for number, image in enumerate(pixels):
        sub = root if labels is None else root / str(labels[number])
        sub.mkdir(parents=True, exist_ok=True)
        (sub / f"{number:03}.png").write_bytes(png(image))
    return root


WRITERS = [write_idx, write_npz, write_parquet, write_plain_parquet, write_pngs]


@pytest.mark.parametrize("labels", [LABELS, None], ids=["labels", "none"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_the_same_set(tmp_path, write, channels, labels):
    pixels = images(channels)
    found = read_images(write(tmp_path, pixels, labels))
    assert np.array_equal(found.images, pixels)
    if labels is None:
        assert found.labels is None and found.label_names == []
    else:
        assert found.labels.tolist() == labels.tolist() and found.label_names == NAMES


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_is_brought_to_a_form(tmp_path, write):
    path = write(tmp_path, images(3), LABELS)
    found = read_images(path, size=8, channels=1, limit=6)
    assert found.images.shape == (6, 8, 8, 1) and len(found.labels) == 6
    plain = read_images(write_npz(tmp_path, images(3), LABELS), size=(8, 8), channels=1)
    if write is not write_pngs:  # where a limit is spread over the labels
        assert np.array_equal(found.images, plain.images[:6])


def test_a_packed_idx_file_is_the_plain_one(tmp_path):
    path = write_idx(tmp_path, images(), LABELS)
    packed = tmp_path / "other-images-idx3-ubyte.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(read_idx(packed).images, read_idx(path).images)
    assert read_idx(packed).labels is None  # no neighbour of its own
    assert read_idx(packed, label_file=tmp_path / "train-labels-idx1-ubyte").labels.tolist() == LABELS.tolist()


GOOD = idx_bytes(images()[:, :, :, 0])


@pytest.mark.parametrize(
    "data, message",
    [
        (GOOD[:-1], "truncated: it has 735 bytes where its header promises 736"),
        (GOOD[:9], "truncated"),
        (GOOD[:3], "not an idx file"),
        (b"", "not an idx file"),
        (GOOD + b"x", "1 bytes after its end"),
        (b"\x89PNG\r\n\x1a\n" + GOOD, "not an idx file"),
        (b"\0\0\x01\0" + GOOD, "not an idx file"),
        (b"\0\0\x08\0" + GOOD, "not an idx file"),
        (idx_bytes(np.zeros((2, 4, 4), ">f4"), 13), "holds float32 numbers"),
        (idx_bytes(np.zeros((2, 4, 4), ">i2"), 11), "holds int16 numbers"),
        (idx_bytes(LABELS.astype(np.uint8)), r"an array of shape \(24,\), not images"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31), "truncated"),
        (idx_bytes(np.zeros((0, 4, 4), np.uint8)), "holds no images"),
        (idx_bytes(np.zeros((5, 4, 4), np.uint8)), "every image is of a single color"),
        (idx_bytes(np.zeros((5, 3, 8, 8), np.uint8)), "channels stand first"),
    ],
)
def test_damaged_and_foreign_idx_files(tmp_path, data, message):
    path = tmp_path / "bad-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_images(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("data, message", [(gzip.compress(GOOD)[:-9], "truncated gzip"), (b"x" + gzip.compress(GOOD), "not a sound gzip")])
def test_damaged_gzip_files(tmp_path, data, message):
    path = tmp_path / "bad-idx3-ubyte.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_images(path)


def test_labels_of_another_set(tmp_path):
    path = write_idx(tmp_path, images(), LABELS[:-1])
    with pytest.raises(ValueError, match="they are not of one set"):
        read_idx(path)
    with pytest.raises(ValueError, match="none.idx does not exist"):
        read_idx(path, label_file=tmp_path / "none.idx")


def test_npz_finds_what_can_only_be_meant(tmp_path):
    np.savez(tmp_path / "two.npz", x_train=images(), y_train=LABELS, x_test=images(num=6), y_test=LABELS[:6])
    with pytest.raises(ValueError, match=r"x_train \(24, 6, 5, 1\).*image_key"):
        read_npz(tmp_path / "two.npz")
    found = read_npz(tmp_path / "two.npz", image_key="x_test")  # the only labels of its length
    assert len(found) == 6 and found.labels.tolist() == LABELS[:6].tolist()
    with pytest.raises(ValueError, match="no array 'x_tst': did you mean 'x_test'"):
        read_npz(tmp_path / "two.npz", image_key="x_tst")
    with pytest.raises(ValueError, match="need labels of shape"):
        read_npz(tmp_path / "two.npz", image_key="x_test", label_key="y_train")
    with pytest.raises(ValueError, match="y_test has shape"):
        read_npz(tmp_path / "two.npz", image_key="y_test")


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x": np.full((3, 4, 4), np.nan)}, "image 1 of .* not finite"),
        ({"x": images()[:, :, :, 0] / 1.0}, "divide by 255"),
        ({"x": images().astype(np.uint16)}, "16 bits a channel"),
        ({"x": np.zeros((3, 4, 4), np.uint8)}, "single color"),
        ({"x": np.zeros((0, 4, 4), np.uint8)}, "holds no images"),
        ({"x": np.zeros((28, 28, 3), np.uint8)}, "that of a single one"),
        ({"x": np.zeros((9, 3, 8, 8), np.uint8)}, "channels stand first"),
        ({"x": np.zeros((9, 64), np.uint8)}, r"holds x \(9, 64\): name the images"),
        ({"x": images(), "y": LABELS / 2}, "type float64"),
        ({"x": images(), "y": np.array([None] * 24)}, "plain arrays"),
    ],
)
def test_npz_files_that_cannot_be_used(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_npz(tmp_path / "bad.npz")
    assert "bad.npz" in str(caught.value)


def test_one_nan_among_many_names_its_image(tmp_path):
    floats = images()[:, :, :, 0] / 255
    np.savez(tmp_path / "x.npz", x=floats)
    assert np.array_equal(read_npz(tmp_path / "x.npz").images, images())
    floats[17, 2, 3] = np.nan
    np.savez(tmp_path / "x.npz", x=floats)
    with pytest.raises(ValueError, match="image 18 of .*x.npz has pixels that are not finite"):
        read_npz(tmp_path / "x.npz")


def test_texts_as_labels(tmp_path):
    np.savez(tmp_path / "x.npz", x=images(), y=np.array(["cat", "dog"] * 12))
    found = read_npz(tmp_path / "x.npz")
    assert found.label_names == ["cat", "dog"] and found.labels.tolist() == [0, 1] * 12


@pytest.mark.parametrize("data", [b"no archive", write_npz], ids=["foreign", "truncated"])
def test_damaged_npz_files(tmp_path, data):
    if callable(data):
        data = data(tmp_path, images()).read_bytes()[:-200]
    (tmp_path / "bad.npz").write_bytes(data)
    with pytest.raises(ValueError, match="not a sound .npz file"):
        read_npz(tmp_path / "bad.npz")


def test_a_lone_array_is_no_archive(tmp_path):
    np.save(tmp_path / "x.npy", images())
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="not a sound .npz file"):
        read_npz(tmp_path / "x.npz")


def test_numbers_sort_by_value_and_before_words(tmp_path):
    np.savez(tmp_path / "x.npz", x=images(num=4), y=np.array(["b", "10", "9", "a"]))
    assert read_npz(tmp_path / "x.npz").label_names == ["9", "10", "a", "b"]


def test_parquet_columns(tmp_path):
    cells = [png(image) for image in images(num=4)]
    pq.write_table(pa.table({"a": cells, "b": cells, "kind": ["x", "y", None, "x"], "n": [1, 2, 3, 4]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="2 columns of encoded images among a, b, kind, n"):
        read_parquet(tmp_path / "x.parquet")
    found = read_parquet(tmp_path / "x.parquet", image_column="b", label_column="kind")
    assert found.labels.tolist() == [0, 1, -1, 0] and found.label_names == ["x", "y"]
    with pytest.raises(ValueError, match="no column 'c'"):
        read_parquet(tmp_path / "x.parquet", image_column="c")
    with pytest.raises(ValueError, match="'n' holds int64, not encoded images"):
        read_parquet(tmp_path / "x.parquet", image_column="n")


def test_parquet_rows_and_files_that_cannot_be_used(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": [png(images()[0]), None]}), path)
    with pytest.raises(ValueError, match="x.parquet, row 2 has no image"):
        read_parquet(path)
    pq.write_table(pa.table({"image": [png(images()[0]), b"nothing"]}), path)
    with pytest.raises(ValueError, match="x.parquet, row 2 is not an image file"):
        read_parquet(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="not a sound parquet file"):
        read_parquet(path)


def test_mixed_sizes_in_a_folder_name_two_files(tmp_path):
    root = write_pngs(tmp_path, images(num=3))
    (root / "001.png").write_bytes(png(np.zeros((9, 5, 1), np.uint8)))
    with pytest.raises(ValueError, match=r"000.png is 6x5 \(height x width\) in gray, .*001.png 9x5 .*set size, such as size=28"):
        read_folder(root)
    assert read_folder(root, size=(6, 5)).images.shape == (3, 6, 5, 1)
    (root / "001.png").write_bytes(png(images(3)[0]))
    with pytest.raises(ValueError, match="000.png is .* gray, .*001.png .* RGB: set channels=1 or channels=3"):
        read_folder(root)
    assert read_folder(root, channels=3).images.shape == (3, 6, 5, 3)


def test_folders_that_cannot_be_used(tmp_path, caplog):
    with pytest.raises(ValueError, match="holds no pictures"):
        read_folder(tmp_path)
    root = write_pngs(tmp_path, images(), LABELS)
    (root / "notes.txt").write_text("mine")
    (root / ".hidden").write_text("not counted")
    (root / ".thumbnails").mkdir()
    with caplog.at_level("WARNING"):
        assert len(read_folder(root)) == 24
    assert "passed over 1 files that are no pictures" in caplog.text
    (root / "stray.png").write_bytes(png(images()[0]))
    with pytest.raises(ValueError, match=r"stray.png\) and folders of pictures \(0\)"):
        read_folder(root)


def test_a_bad_picture_is_named(tmp_path):
    root = write_pngs(tmp_path, images(num=3))
    (root / "002.png").write_bytes(b"GIF?")
    with pytest.raises(ValueError, match="002.png is not an image file"):
        read_folder(root)


def test_a_limit_takes_every_folder_in_its_share(tmp_path):
    found = read_folder(write_pngs(tmp_path, images(), np.repeat([0, 1, 2], 8)), limit=6)
    assert np.bincount(found.labels).tolist() == [2, 2, 2]


def test_black_pictures_among_others_are_taken(tmp_path):
    pixels = images(num=3)
    pixels[1:] = 0
    assert np.array_equal(read_folder(write_pngs(tmp_path, pixels)).images, pixels)
    with pytest.raises(ValueError, match="single color"):
        read_folder(write_pngs(tmp_path / "other", np.zeros_like(pixels)))


@pytest.mark.parametrize(
    "name, message", [("trian.npz", "does not exist; near it: train.npz"), ("0.png", "is a single picture")]
)
def test_paths_that_cannot_be_read(tmp_path, name, message):
    write_npz(tmp_path, images())
    (tmp_path / "0.png").write_bytes(png(images()[0]))
    with pytest.raises(ValueError, match=message):
        read_images(tmp_path / name)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 0}, "size is 0"),
        ({"size": [1, 2, 3]}, "size is"),
        ({"size": 2.5}, "size is 2.5"),
        ({"resize": "squash"}, "no resize 'squash'"),
        ({"channels": 2}, "channels is 2"),
        ({"background": "green"}, "no background 'green'"),
        ({"limit": 0}, "limit is 0"),
        ({"sise": 3}, "read_npz has no key 'sise': did you mean 'size'"),
        ({"image_kye": "x"}, "did you mean 'image_key'"),
    ],
)
def test_options_out_of_range(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read_images(write_npz(tmp_path, images()), **options)


def test_load_files_gives_splits_with_one_list_of_labels(tmp_path):
    np.savez(tmp_path / "x.npz", a=images(), b=LABELS, c=images(num=4), d=np.array([2, 7, 7, 2]))
    path = str(tmp_path / "x.npz")
    splits = load_files(train={"path": path, "image_key": "a", "label_key": "b"}, test={"path": path, "image_key": "c", "label_key": "d"})
    assert list(splits) == ["train", "test"]
    assert all(split.label_names == ["0", "1", "2", "7"] for split in splits.values())
    assert splits["test"].labels.tolist() == [2, 3, 3, 2]


def test_load_files_draws_a_validation_split(tmp_path):
    path = write_npz(tmp_path, images(), LABELS)
    splits = load_files(train=path, valid_size=6)
    assert {name: len(split) for name, split in splits.items()} == {"train": 18, "valid": 6}
    assert set(splits["valid"].labels) == {0, 1, 2}
    assert np.array_equal(splits["valid"].images, load_files(train=path, valid_size=6)["valid"].images)
    with pytest.raises(ValueError, match="not both"):
        load_files(train=path, valid=path, valid_size=6)
    with pytest.raises(ValueError, match="test has no key 'path'"):
        load_files(train=path, test={"image_key": "x"})


def test_splits_of_two_sizes(tmp_path):
    a = write_npz(tmp_path, images())
    b = write_pngs(tmp_path, images()[:, :5])
    with pytest.raises(ValueError, match="the images of test are 5x5 .* those of train 6x5"):
        load_files(train=a, test=b)


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """A data set as the Hub keeps it: parquet files of encoded images and named classes."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee", "cow"])})
    folder = tmp_path / "set"
    folder.mkdir()
    for split, num in (("train", 24), ("test", 6)):
        rows = {"image": [{"bytes": png(image), "path": None} for image in images(num=num)], "label": [*LABELS[: num - 1].tolist(), None]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / f"{split}.parquet")
    return folder


def test_the_hub_by_way_of_datasets(hub_folder):
    splits = load_hub(repo=str(hub_folder), valid_size=4)
    assert {name: len(split) for name, split in splits.items()} == {"train": 20, "valid": 4, "test": 6}
    whole = load_hub(repo=str(hub_folder), test_split=None)["train"]
    assert np.array_equal(whole.images, images()) and whole.label_names == ["ant", "bee", "cow"]
    assert whole.labels.tolist() == [*LABELS[:-1].tolist(), -1]
    part = read_hub(str(hub_folder), split="train[4:9]", size=8, limit=3)
    assert part.images.shape == (3, 8, 8, 1) and part.labels.tolist() == LABELS[4:7].tolist()
    straight = read_parquet(hub_folder / "train.parquet")  # the names stand in its metadata
    assert straight.label_names == whole.label_names and straight.labels.tolist() == whole.labels.tolist()


def test_a_folder_of_pictures_by_way_of_datasets(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = read_hub(str(write_pngs(tmp_path, images(), LABELS)), split="train")
    assert np.array_equal(found.images, images()) and found.labels.tolist() == LABELS.tolist() and found.label_names == NAMES


def test_what_the_hub_cannot_give(hub_folder):
    with pytest.raises(ValueError, match="cannot load split 'validation'"):
        load_hub(repo=str(hub_folder), valid_split="validation")
    with pytest.raises(ValueError, match="no column 'labl'"):
        read_hub(str(hub_folder), split="train", label_column="labl")
    with pytest.raises(ValueError, match="cannot load split 'train'"):
        read_hub(str(hub_folder / "nowhere"), split="train")


def test_a_damaged_file_behind_the_hub(hub_folder):
    path = hub_folder / "train.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="cannot load split 'train'"):
        read_hub(str(hub_folder), split="train")


def test_local_files_say_what_to_do_without_them(monkeypatch, tmp_path):
    monkeypatch.delenv("TEXTAE_DATA", raising=False)
    with pytest.raises(ValueError, match="set the environment variable TEXTAE_DATA .* use another"):
        local_file("mnist", "x", "use another")
    monkeypatch.setenv("TEXTAE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="which has no mnist/x; use another"):
        local_file("mnist", "x", "use another")


def test_idx_array_is_ones_own(tmp_path):
    path = write_idx(tmp_path, images())
    array = idx_array(path)
    array[0] = 0  # writable, and no view of what another call gives
    assert np.array_equal(idx_array(path), images()[:, :, :, 0])
