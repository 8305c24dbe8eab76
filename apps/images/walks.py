"""`textae image …`: walks through the latent space of images, each with its figure."""

from typing import Annotated

import typer

from apps.images.inputs import (
    AsJson,
    Data,
    Device,
    Labels,
    Model,
    Num,
    Out,
    Paths,
    Seed,
    Split,
    inputs,
    one_of_each,
    open_images,
    read_set,
    say,
    show,
)

app = typer.Typer(help="Autoencoders of images: walk, restore, detect, compress, draw.", no_args_is_help=True, rich_markup_mode=None)
Label = Annotated[str, typer.Option(help="The class to decode, for a model that is conditioned on labels.")]


@app.command()
def reconstruct(
    paths: Paths = None, model: Model = "mnist-vae", data: Data = "digits", split: Split = "test", labels: Labels = "", num: Num = 10,
    device: Device = "auto", as_json: AsJson = False, out: Out = None,
) -> None:  # fmt: skip
    """Input, output and error of each pixel."""
    from vision.figures.rows import reconstructions
    from vision.metrics import squared_error

    space = open_images(model, device)
    images, names = inputs(paths, data, split, labels, num)
    pixels, rebuilt = space.pixels(images), space.rebuild(images)
    errors = squared_error(rebuilt, pixels)
    say([{"image": name, "squared_error": float(e), "mse": float(e) / pixels[0].numel()} for name, e in zip(names, errors, strict=True)], as_json)
    show(reconstructions(pixels, rebuilt, title=model), out, "reconstruct.png")


@app.command()
def sample(
    model: Model = "mnist-vae", num: Annotated[int, typer.Option("--num", "-n", min=1, max=10_000)] = 64, label: Label = "",
    spread: Annotated[float, typer.Option(min=0.0, max=10.0, help="Scale of the prior's noise.")] = 1.0,
    seed: Seed = 0, device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """Images drawn from the prior, of one class where the model knows classes."""
    from vision.figures.style import as_images, image_grid, new_figure

    space = open_images(model, device)
    drawn = space.sample(num, spread=spread, seed=seed, attributes={"label": label} if label else None)
    side = min(10.0, 0.8 * num**0.5 + 1)
    figure = new_figure(side, side, f"{model}: {num} samples" + (f" of {label}" if label else ""))
    image_grid(figure, as_images(drawn))
    show(figure, out, "sample.png")


@app.command()
def decode(
    codes: Annotated[list[str], typer.Argument(help='Codes of your own, such as "-1,6".')], model: Model = "mnist-ae", label: Label = "",
    data: Data = "digits", split: Split = "test", device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """What chosen codes decode to; for 2-D and 3-D codes starred on the map of a data set."""
    import torch

    from vision.figures.latent import latent_scatter
    from vision.figures.style import as_images, image_grid, new_figure

    space = open_images(model, device)
    try:
        z = torch.tensor([[float(v) for v in code.split(",")] for code in codes])
    except ValueError:
        raise ValueError(f"codes are numbers with commas between them, {space.latent_dim} each, such as \"-1,6\"; got {codes}") from None
    decoded = space.decode(z, attributes={"label": label} if label else None)
    if space.latent_dim in (2, 3):
        known = read_set(data, split)
        figure = latent_scatter(
            space.encode(list(known.images)), known.labels, names=known.label_names, new_codes=z, new_images=decoded, title=model
        )
    else:
        figure = new_figure(1.6 * len(decoded) + 1, 2.4, model)
        image_grid(figure, as_images(decoded), captions=codes)
    show(figure, out, "decode.png")


@app.command()
def interpolate(
    paths: Paths = None, model: Model = "mnist-vae", data: Data = "digits", split: Split = "test",
    walk: Annotated[str, typer.Option(help="Without files: labels to walk through, such as 0,2,8,1.")] = "0,2,8,1",
    steps: Annotated[int, typer.Option(min=2, max=100)] = 8, path: Annotated[str, typer.Option(help="lerp or slerp.")] = "lerp",
    device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """From image to image through the code, one strip for each leg."""
    from vision.figures.rows import interpolation

    space = open_images(model, device)
    images, names = inputs(paths, data, split, "", 1) if paths else one_of_each(data, split, walk)
    show(interpolation(space, images, names=names, steps=steps, path=path, title=model), out, "interpolate.png")


@app.command()
def traverse(
    paths: Paths = None, model: Model = "mnist-vae", data: Data = "digits", split: Split = "test", labels: Labels = "",
    span: Annotated[float, typer.Option(min=0.0)] = 3.0, steps: Annotated[int, typer.Option(min=2, max=100)] = 9,
    device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """One image with each dimension of its code set from -span to span."""
    from vision.figures.rows import traversals

    images, names = inputs(paths, data, split, labels, 1)
    space = open_images(model, device)
    shown = list(range(min(space.latent_dim, 12)))
    show(traversals(space, images[0], dimensions=shown, span=span, steps=steps, title=f"{model}, from {names[0]}"), out, "traverse.png")


@app.command()
def arithmetic(
    plus: Annotated[str, typer.Option(help="Labels or image files to add, with commas between them.")],
    minus: Annotated[str, typer.Option(help="The same to subtract.")] = "",
    model: Model = "mnist-vae", data: Data = "digits", split: Split = "test", device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """Decode the sum of some codes minus others."""
    from pathlib import Path

    from vision.figures.style import as_images, image_grid, new_figure

    space = open_images(model, device)

    def read(words: str) -> list:
        parts = [w.strip() for w in words.split(",") if w.strip()]
        if parts and all(Path(p).is_file() for p in parts):
            return [Path(p) for p in parts]
        return one_of_each(data, split, words)[0] if parts else []

    added, taken = read(plus), read(minus)
    result = space.arithmetic(added, taken)
    shown = [*added, *taken, result]
    signs = ["+"] * len(added) + ["−"] * len(taken) + ["="]
    figure = new_figure(1.5 * len(shown) + 0.6, 2.4, model)
    image_grid(figure, as_images([*space.processor.decode(space.pixels([*added, *taken])), result]), captions=signs, columns=len(shown))
    show(figure, out, "arithmetic.png")


@app.command("map")
def map_(
    model: Model = "mnist-ae", kind: Annotated[str, typer.Option(help="scatter, manifold or samples.")] = "scatter",
    data: Data = "digits", split: Split = "test", labels: Labels = "", num: Num = 2000, seed: Seed = 0, label: Label = "",
    device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """The plane (or space) of the code: points by label, what it decodes to, or samples beside their decodings."""
    import torch

    from textae.core.config import choose
    from textae.core.space import seeded
    from vision.figures.latent import latent_scatter, manifold, sampled_map

    choose(dict.fromkeys(("scatter", "manifold", "samples")), kind, "kind of map")
    space = open_images(model, device)
    if kind == "manifold":
        figure = manifold(space, attributes={"label": label} if label else None, title=model)
        return show(figure, out, "map.png")
    known = read_set(data, split, labels, num)
    codes = space.encode(list(known.images))
    if kind == "scatter":
        figure = latent_scatter(codes, known.labels, names=known.label_names, title=f"{model} on {data}")
    else:
        with torch.no_grad(), seeded(seed):
            z = space.model.prior.sample(12).cpu()
        figure = sampled_map(codes, z, space.decode(z), known.labels, names=known.label_names, title=model)
    return show(figure, out, "map.png")


@app.command()
def reduce(
    models: Annotated[list[str], typer.Argument(help="Models to stand beside PCA, LDA and GDA.")], data: Data = "digits",
    dims: Annotated[str, typer.Option(help="Dimensions of PCA, LDA and GDA, such as 2,30.")] = "2", num: Num = 10_000, seed: Seed = 0,
    device: Device = "auto", as_json: AsJson = False, out: Out = None,
) -> None:  # fmt: skip
    """Dimension reduction beside PCA, LDA and GDA (kernel discriminant analysis): a table, and in 2-D a figure."""
    from dataclasses import asdict

    from vision.figures.latent import reduction_panel
    from vision.reduction import GDA, LDA, PCA, Code, compare, pixels_of

    try:
        widths = [int(part) for part in dims.split(",")]
    except ValueError:
        raise ValueError(f"--dims is {dims!r}; give whole numbers with commas between them, such as 2,30") from None
    spaces = {name: open_images(name, device) for name in models}
    first = next(iter(spaces.values()))
    train, test = read_set(data, "train", "", num), read_set(data, "test", "", num)
    pixels, test_pixels = pixels_of(first, train), pixels_of(first, test)
    rows = compare(spaces, pixels, train.labels, test_pixels, test.labels, dims=widths, seed=seed)
    say([asdict(row) for row in rows], as_json)
    flat = {name: Code(space) for name, space in spaces.items() if space.latent_dim == 2}
    if flat:
        ways = {**flat, "PCA": PCA(2), "LDA": LDA(2), "GDA": GDA(2, seed=seed)}
        codes = {name: way.fit(pixels, train.labels).transform(test_pixels) for name, way in ways.items()}
        show(reduction_panel(codes, test.labels, names=test.label_names), out, "reduce.png")


@app.command()
def probe(
    model: Model = "mnist-vae", data: Data = "digits", num: Num = 10_000, seed: Seed = 0, device: Device = "auto", as_json: AsJson = False
) -> None:
    """What the code knows of labels it was never shown: classification, clustering and retrieval."""
    from vision.metrics import clustering_accuracy, knn_probe, logistic_probe, retrieval

    space = open_images(model, device)
    train, test = read_set(data, "train", "", num), read_set(data, "test", "", num)
    if train.labels is None:
        raise ValueError(f"{data} has no labels to probe for")
    codes, test_codes = space.encode(list(train.images)).numpy(), space.encode(list(test.images)).numpy()
    found = retrieval(codes, train.labels, test_codes, test.labels)
    say([
        {"what": "5-nearest-neighbour accuracy", "value": knn_probe(codes, train.labels, test_codes, test.labels)},
        {"what": "logistic regression accuracy", "value": logistic_probe(codes, train.labels, test_codes, test.labels)},
        {"what": "k-means clustering accuracy", "value": clustering_accuracy(test_codes, test.labels, seed=seed)},
        {"what": "retrieval, precision at 10", "value": found.precision},
        {"what": "retrieval, mean average precision", "value": found.mean_average_precision},
    ], as_json)  # fmt: skip


@app.command()
def figure(
    what: Annotated[str, typer.Argument(help="structure, filters, features or curves.")], model: Model = "mnist-vae",
    run: Annotated[str, typer.Option(help="For curves: the folder of a run.")] = "", data: Data = "digits", num: Num = 1000,
    device: Device = "auto", out: Out = None,
) -> None:  # fmt: skip
    """A picture of the model itself: its layers, its weights, what its units see, its training."""
    from textae.core.config import choose
    from vision.figures.curves import training_curves
    from vision.figures.features import features_by_depth, filters
    from vision.figures.structure import structure

    drawn = {
        "structure": lambda: structure(open_images(model, device).model, title=model),
        "filters": lambda: filters(open_images(model, device).model, title=model),
        "features": lambda: features_by_depth(open_images(model, device), list(read_set(data, "train", "", num).images), title=model),
        "curves": lambda: training_curves(run, title=run),
    }
    if what == "curves" and not run:
        raise ValueError("curves are drawn from a run's log: give its folder with --run")
    show(choose(drawn, what, "figure")(), out, f"{what}.png")
