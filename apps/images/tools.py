"""`textae image …`: what autoencoders of images are good for: finding what is wrong with a picture, and packing pictures."""

from pathlib import Path
from typing import Annotated, Any

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
    open_images,
    read_set,
    say,
    show,
)

app = typer.Typer(rich_markup_mode=None)
Normal = Annotated[str, typer.Option(help="Labels of --data that count as normal; empty: all.")]


@app.command()
def anomaly(
    paths: Paths = None, model: Model = "mnist-vae", data: Data = "digits", normal: Normal = "", num: Num = 20,
    score: Annotated[str, typer.Option(help="A score, or several with commas between them: see the README.")] = "relative",
    rate: Annotated[float, typer.Option(min=0.0001, max=0.9999, help="Share of normal images that may raise an alarm.")] = 0.05,
    seed: Seed = 0, device: Device = "auto", as_json: AsJson = False, out: Out = None,
) -> None:  # fmt: skip
    """Scores, alarms and maps of what is odd; the threshold is fitted on the validation images of --data."""
    from vision.anomaly import AnomalyDetector
    from vision.figures.rows import anomalies

    space = open_images(model, device)
    detector = AnomalyDetector(space, score.split(","), seed=seed)
    detector.fit(read_set(data, "train", normal), read_set(data, "valid", normal), false_positive_rate=rate)
    images, names = inputs(paths, data, "test", "", num)
    pixels = space.pixels(images)
    scores, alarms = detector.score(pixels), detector.predict(pixels)
    say([{"image": n, "score": float(s), "threshold": float(detector.threshold), "anomalous": bool(a)} for n, s, a in zip(names, scores, alarms, strict=True)], as_json)
    show(anomalies(pixels, detector.localize(pixels), scores=[float(s) for s in scores], threshold=float(detector.threshold), title=model), out, "anomaly.png")


@app.command("one-class")
def one_class(
    config: Annotated[str, typer.Argument(help="A config whose data set has digits: each is trained alone, and all others are its anomalies.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as trainer.epochs=5")] = None,
    score: Annotated[str, typer.Option(help="A score, or several with commas between them: see the README.")] = "relative",
    pca: Annotated[int, typer.Option(min=1, help="Dimensions of the PCA beside it.")] = 32,
    runs: Annotated[Path, typer.Option(help="Where each run's folder is written, by its digit.")] = Path("runs/one-class"),
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """AUROC of telling one class from all others, for each class of a data set in turn; beside PCA. The test images choose nothing."""
    from apps.catalog import find_config, open_space
    from apps.modalities.images import read_set as read
    from apps.run import train
    from apps.settings import resolve
    from vision.anomaly import one_class_auroc
    from vision.data.images import ImageSet
    from vision.reduction import pca_space

    found = find_config(config)
    settings = resolve(found, overrides or [])
    options = {k: v for k, v in settings["data"].items() if k in ("limit", "valid_size")}
    sets = {split: read(settings["data"]["name"], split, **options) for split in ("train", "test")}

    def trained(normal: ImageSet) -> Any:
        (name,) = normal.label_names
        return open_space(str(train(resolve(found, [*(overrides or []), f"data.digits=[{name}]", f"out={runs / name}"]))))

    seed = settings["trainer"].get("seed", 0)
    results = {
        Path(config).stem: one_class_auroc(trained, *sets.values(), score=score.split(","), seed=seed),
        f"PCA-{pca}, residual": one_class_auroc(lambda normal: pca_space(normal, pca), *sets.values(), score="reconstruction", seed=seed),
    }
    say([{"what": name, "mean": found.mean, **found.auroc} for name, found in results.items()], as_json)


@app.command()
def localize(
    model: Model = "mnist-vae", data: Data = "digits", num: Num = 500, dim: Annotated[int, typer.Option(help="Of the PCA beside it.")] = 30,
    projection: Annotated[int, typer.Option(min=0, help="Steps that move an image towards what the model rebuilds well; 20 is enough, 0 none.")] = 0,
    seed: Seed = 0, device: Device = "auto", as_json: AsJson = False, out: Out = None,
) -> None:  # fmt: skip
    """How well maps show defects of a published kind, beside the residual of PCA: pixel AUROC and PRO."""
    from dataclasses import asdict
    from functools import partial

    from vision.anomaly import AnomalyDetector
    from vision.defects import localization_benchmark, make_defects
    from vision.figures.rows import anomalies
    from vision.reduction import pca_space

    space = open_images(model, device)
    train, valid = read_set(data, "train"), read_set(data, "valid")
    detectors = {
        name: AnomalyDetector(one, "reconstruction", seed=seed).fit(train, valid) for name, one in ((model, space), (f"PCA-{dim}", pca_space(train, dim)))
    }
    defects = make_defects(read_set(data, "test", "", num).images, seed=seed)
    maps = {name: detector.localize for name, detector in detectors.items()}
    maps[model] = partial(detectors[model].localize, projection_steps=projection)
    say([asdict(row) for row in localization_benchmark(maps, defects)], as_json)
    shown = list(defects.images[:8])
    show(anomalies(space.pixels(shown), maps[model](shown), masks=defects.masks[:8], title=model), out, "localize.png")


@app.command()
def compress(
    to: Annotated[Path, typer.Argument(help="The file to write.")], paths: Paths = None, model: Model = "mnist-vae", data: Data = "digits",
    split: Split = "test", labels: Labels = "", num: Num = 100_000,
    step: Annotated[float, typer.Option(min=0.0, help="Of the quantizer of codes; 0 is lossless, by bits back, for models of 8-bit pixels.")] = 0.0,
    device: Device = "auto", as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write images to a file that only the same model can read; beside what general compressors take."""
    import numpy as np

    from vision.compression import baselines
    from vision.compression import compress as pack

    space = open_images(model, device)
    images, _ = inputs(paths, data, split, labels, num)
    report = pack(space, images, to, mode="lossy" if step else "lossless", step=step or None, progress=True)
    stack = np.stack(space.processor.decode(space.pixels(images)))
    rows = [{"what": f"{to} ({report.mode})", "bytes_per_image": report.bytes_per_image, "bits_per_pixel": report.bits_per_pixel, "psnr": report.psnr}]
    rows += [{"what": name, "bytes_per_image": size} for name, size in baselines(stack).items()]
    say(rows, as_json)


@app.command()
def decompress(
    source: Annotated[Path, typer.Argument(help="A file of `textae image compress`.")],
    to: Annotated[Path, typer.Argument(help="A .npz file, or a folder for PNG files.")], model: Model = "mnist-vae", device: Device = "auto",
) -> None:  # fmt: skip
    """Read a compressed file back, whole or not at all."""
    import numpy as np

    from textae.core.files import whole_folder
    from vision.compression import decompress as unpack

    found = unpack(open_images(model, device), source, progress=True)
    if to.suffix == ".npz":
        temporary = to.with_name(f".{to.name}.new.npz")
        np.savez_compressed(temporary, images=found)
        temporary.replace(to)
    else:
        from PIL import Image

        if to.exists():
            raise ValueError(f"{to} exists already; choose another folder, or a .npz file")
        with whole_folder(to) as folder:
            for i, image in enumerate(found):
                Image.fromarray(image).save(folder / f"{i:06d}.png")
    typer.echo(f"{len(found)} images in {to}")


@app.command()
def rates(
    model: Model = "mnist-vae", data: Data = "digits", split: Split = "test", num: Num = 1000,
    steps: Annotated[str, typer.Option(help="Of the quantizer, with commas between them.")] = "0.1,0.25,0.5,1,2",
    device: Device = "auto", as_json: AsJson = False, out: Out = None,
) -> None:  # fmt: skip
    """Bytes against error of lossy files, over the quantizer's steps."""
    from vision.compression import rate_distortion
    from vision.figures.curves import rate_distortion as draw

    space = open_images(model, device)
    try:
        widths = [float(part) for part in steps.split(",")]
    except ValueError:
        raise ValueError(f"--steps is {steps!r}; give numbers with commas between them, such as 0.25,0.5,1") from None
    points = rate_distortion(space, list(read_set(data, split, "", num).images), widths)
    say([{"step": p.step, "bytes_per_image": p.bytes_per_image, "mse": p.mse, "psnr": p.psnr} for p in points], as_json)
    pixels = space.model.config.num_pixels
    show(draw({model: [(p.bytes_per_image, p.mse * pixels) for p in points]}), out, "rates.png")


@app.command("fine-tune")
def fine_tune(
    to: Annotated[Path, typer.Argument(help="Folder of the classifier.")], model: Model, data: Data = "digits",
    options: Annotated[list[str] | None, typer.Option("--set", help="Options such as epochs=60 or average=0.999; may be repeated.")] = None,
    code: Annotated[bool, typer.Option(help="Whether the code is the last hidden layer.")] = True,
    dropout: Annotated[float, typer.Option(min=0.0, max=0.99, help="Of hidden units.")] = 0.0,
    input_dropout: Annotated[float, typer.Option(min=0.0, max=0.99, help="Of pixels.")] = 0.0,
    seed: Seed = 0, device: Device = "auto", as_json: AsJson = False,
) -> None:  # fmt: skip
    """Turn the encoder of a dense autoencoder into a classifier and train it on labels; its error on the test images."""
    import sys

    import torch
    from omegaconf import OmegaConf

    from textae.core.config import call
    from vision.classifier import Classifier
    from vision.classifier import fine_tune as tune
    from vision.models.mlp import MLPAutoencoder
    from vision.options import FineTuneOptions
    from vision.reduction import pixels_of

    space = open_images(model, device)
    if not isinstance(space.model, MLPAutoencoder):
        raise ValueError(f"{model!r} is no dense autoencoder; only those become classifiers")
    for option in options or []:
        if "=" not in option:
            raise ValueError(f"--set {option!r} must look like epochs=60")
    given = OmegaConf.to_container(OmegaConf.from_dotlist(options or []))
    settings = call(FineTuneOptions, {"progress": sys.stderr.isatty(), **given}, where="--set")
    sets = {split: read_set(data, split) for split in ("train", "valid", "test")}
    if sets["train"].labels is None:
        raise ValueError(f"{data} has no labels to learn")
    tensors = {split: (pixels_of(space, s), torch.from_numpy(s.labels)) for split, s in sets.items()}
    classifier = Classifier.from_autoencoder(space.model, sets["train"].label_names, code=code, dropout=dropout, input_dropout=input_dropout)
    done = tune(classifier.to(space.device), *tensors["train"], settings, seed, valid=tensors["valid"])
    classifier.save_pretrained(to)
    best = next(e for e in done.epochs if e.epoch == done.best_epoch)
    say([{"epoch": done.best_epoch, "validation_error_percent": 100 * best.valid_error, "test_error_percent": 100 * classifier.error_rate(*tensors["test"])}], as_json)
