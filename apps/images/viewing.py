"""`textae view`: which images the offline page shows."""

from pathlib import Path

from apps.images.inputs import open_images, read_set


def view(model: str, out: Path, data: str, split: str, num: int, shapes: bool, half: bool) -> Path:
    """Write the page of a model, or without one that of the toy shapes; see `textae view --help`."""
    from vision.view.history import FILE
    from vision.view.page import write_shapes, write_view

    if not model:
        return write_shapes(out)
    options = {"shapes": shapes, "precision": "float16" if half else "float32"}
    if not data and (Path(model) / FILE).is_file():
        return write_view(model, out, **options)
    found = read_set(data or "digits", split, "", num)
    return write_view(open_images(model, "cpu"), out, list(found.images), found.labels, names=found.label_names, **options)
