"""Images from files that hold one array: idx, as MNIST is published, and NumPy's `.npz`.

Shapes: N images, H, W height and width, C channels.
"""

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from textae.core.config import choose
from vision.data.form import Form, collect, encoded, make_form
from vision.data.images import ImageSet, check_contrast

IDX_BYTES = 8  # the code of unsigned bytes in an idx file's magic number, and the only type that images have
IDX_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}


def read_idx(path: str | Path, *, label_file: str | Path | None = None, **form: Any) -> ImageSet:
    """Images of an idx file of bytes, shape (N, H, W) or (N, H, W, C), as MNIST is published; plain or `.gz`.

    Args:
        path: Of the images.
        label_file: The idx file of their labels; None takes the neighbour of the same name but for `labels-idx1` in place
            of `images-idx3`, where there is one.
        **form: Of `Form`.
    """
    path, form = Path(path), make_form(form, "read_idx", "label_file")
    images = idx_array(path)
    if images.ndim == 3:
        images = images[:, :, :, None]
    if images.ndim != 4:
        raise ValueError(f"{path} holds an array of shape {images.shape}, not images; give its path as label_file, and that of the images as the file")
    if label_file is None:
        neighbor = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"))
        label_file = neighbor if neighbor != path and neighbor.is_file() else None
    labels = None if label_file is None else idx_array(label_file)
    if labels is not None and labels.shape != images.shape[:1]:
        raise ValueError(f"{label_file} holds labels of shape {labels.shape}, {path} {len(images)} images: they are not of one set")
    return _from_arrays(images, labels, form, str(path))


def idx_array(path: str | Path) -> np.ndarray:
    """The array of bytes in an idx file, plain or `.gz`.

    Raises:
        ValueError: It is not an idx file, not one of unsigned bytes, or has more or fewer bytes than its header says.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    data = _unpacked(path)
    kind, num_dims = data[2:4] if len(data) >= 4 else (0, 0)
    if data[:2] != b"\0\0" or kind not in IDX_TYPES or not num_dims:
        raise ValueError(f"{path} is not an idx file; known are idx files, .npz, .parquet, and folders of pictures")
    if kind != IDX_BYTES:
        raise ValueError(f"{path} holds {IDX_TYPES[kind]} numbers; images and labels are unsigned bytes")
    start = 4 + 4 * num_dims
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">u4")) if len(data) >= start else ()
    expected = start + math.prod(shape)
    if len(shape) != num_dims or len(data) < expected:
        raise ValueError(f"{path} is truncated: it has {len(data):,} bytes where its header promises {expected:,}; copy it again")
    if len(data) > expected:
        raise ValueError(f"{path} has {len(data) - expected:,} bytes after its end: it is not the idx file that its header describes")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except EOFError:
        raise ValueError(f"{path} is a truncated gzip file: its end is missing; copy it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a sound gzip file: {error}") from None


def read_npz(path: str | Path, *, image_key: str | None = None, label_key: str | None = None, **form: Any) -> ImageSet:
    """Images of a NumPy archive: an array (N, H, W) or (N, H, W, C) of bytes, or of floats in [0, 1].

    Args:
        path: The `.npz` file.
        image_key: The array of images; None takes the only one with three or four dimensions.
        label_key: The array of labels, integers or text, shape (N,); None takes the only one of that shape, if any.
        **form: Of `Form`.
    """
    form = make_form(form, "read_npz", "image_key", "label_key")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a sound .npz file: it is cut off, or of another kind")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a sound .npz file of plain arrays: {error}") from None
    listed = ", ".join(f"{key} {value.shape}" for key, value in arrays.items())
    found = [key for key, value in arrays.items() if value.ndim in (3, 4)]
    if image_key is None and len(found) != 1:
        raise ValueError(f"{path} holds {listed}: name the images with image_key=... and the labels with label_key=...")
    images = choose(arrays, image_key or found[0], "array")
    if images.ndim not in (3, 4):
        raise ValueError(f"{path}: {image_key} has shape {images.shape}; images are (N, H, W) or (N, H, W, C)")
    if images.ndim == 3 and images.shape[2] in (1, 3, 4) and images.shape[1] > 4:
        raise ValueError(f"{path}: the images have shape {images.shape}, which is that of a single one; give (N, H, W) or (N, H, W, C)")
    if label_key is None:
        fitting = [key for key, value in arrays.items() if value.shape == images.shape[:1]]
        if len(fitting) > 1:
            raise ValueError(f"{path} holds {listed}: name the labels with label_key=...")
        label_key = fitting[0] if fitting else None
    labels = None if label_key is None else choose(arrays, label_key, "array")
    if labels is not None and labels.shape != images.shape[:1]:
        raise ValueError(f"{path}: {label_key} has shape {labels.shape}; {len(images)} images need labels of shape ({len(images)},)")
    if labels is not None and labels.dtype.kind not in "biuU":
        raise ValueError(f"{path}: the labels are of type {labels.dtype}; they must be integers or text")
    return _from_arrays(images if images.ndim == 4 else images[:, :, :, None], labels, form, str(path))


def _from_arrays(images: np.ndarray, labels: np.ndarray | None, form: Form, where: str) -> ImageSet:
    """A set from an array (N, H, W, C), all of one form already: each image is handled alone only where it must change."""
    images, values = images[: form.limit], None if labels is None else labels[: form.limit].tolist()
    if not len(images):
        raise ValueError(f"{where} holds no images")
    records = ((f"image {n} of {where}", image) for n, image in enumerate(images, 1))
    if form.size or form.channels or images.shape[3] not in (1, 3) or images.dtype != np.uint8 or 0 in images.shape:
        return collect(records, values, form, where)
    check_contrast(images, where)
    return ImageSet(images, *encoded(values))
