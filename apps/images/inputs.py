"""Which images a command works on, and where its figure goes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Model = Annotated[str, typer.Option("--model", "-m", help="Bundled name, folder or Hub id of an image model.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Paths = Annotated[list[Path] | None, typer.Argument(help="Image files; else images of --data.")]
Data = Annotated[str, typer.Option(help="A named data set: digits (comes with scikit-learn), mnist, faces, omniglot.")]
Split = Annotated[str, typer.Option(help="Of --data: train, valid or test.")]
Labels = Annotated[str, typer.Option(help="Only images of these labels, such as 1,5,6.")]
Num = Annotated[int, typer.Option("--num", "-n", min=1, help="How many images of --data.")]
Seed = Annotated[int, typer.Option(help="Makes every draw repeatable.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The figure: .png, .svg or .pdf.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON lines.")]


def open_images(model: str, device: str = "auto") -> Any:
    """The `LatentSpace` of an image model, or a ValueError for a model of sentences."""
    from apps.catalog import modality_of, open_space

    if modality_of(model).__name__ != "apps.modalities.images":
        raise ValueError(f"{model!r} is a model of sentences; this command takes one of images, such as mnist-vae")
    return open_space(model, device)


def read_set(data: str, split: str, labels: str = "", num: int | None = None) -> Any:
    """Images of a named data set's split, an `ImageSet`: those of some labels, and of these the first so many."""
    from apps.modalities.images import read_set as read

    found = read(data, split)
    if labels:
        found = found.only([part.strip() for part in labels.split(",")])
    return found.limit(num)


def inputs(paths: Sequence[Path] | None, data: str, split: str, labels: str, num: int) -> tuple[list[Any], list[str]]:
    """Images and what to call them: files by their names, images of a data set by their labels."""
    if paths:
        for path in paths:
            if not path.is_file():
                raise ValueError(f"there is no image file {str(path)!r}")
        return list(paths), [path.name for path in paths]
    found = read_set(data, split, labels, num)
    if found.labels is None:
        return list(found.images), [f"{data} {split} {i}" for i in range(len(found))]
    return list(found.images), [found.label_names[i] if i >= 0 else "" for i in found.labels]


def one_of_each(data: str, split: str, names: str) -> tuple[list[Any], list[str]]:
    """The first image of each label named, in the order given, such as 0,2,8,1; a label may come again."""
    found = read_set(data, split)
    if found.labels is None:
        raise ValueError(f"{data} has no labels to pick by: give image files")
    wanted = [part.strip() for part in names.split(",")]
    picked, used = [], dict.fromkeys(found.label_names, 0)
    for name in wanted:
        if name not in used:
            raise ValueError(f"{data} has no label {name!r}: it has {', '.join(found.label_names)}")
        where = (found.labels == found.label_names.index(name)).nonzero()[0]
        if used[name] >= len(where):
            raise ValueError(f"{data}, split {split}, has only {len(where)} images of {name!r}")
        picked.append(found.images[where[used[name]]])
        used[name] += 1
    return picked, wanted


def show(figure: Any, out: Path | None, default: str) -> None:
    """Write a figure, and say where it is on standard error."""
    from vision.figures.style import save

    typer.echo(f"figure: {save(figure, out or Path(default))}", err=True)


def say(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Rows as JSON lines, or as an aligned table."""
    import json

    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    shown = [{k: f"{v:.4g}" if isinstance(v, float) else "" if v is None else str(v) for k, v in row.items()} for row in rows]
    columns = list(dict.fromkeys(k for row in shown for k in row))
    widths = {c: max(len(c), *(len(row.get(c, "")) for row in shown)) for c in columns}
    typer.echo("  ".join(c.ljust(widths[c]) for c in columns).rstrip())
    for row in shown:
        typer.echo("  ".join(row.get(c, "").ljust(widths[c]) for c in columns).rstrip())
