"""`textae image …`: pictures made better, and the demonstration that a narrow code cannot copy."""

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
Damage = Annotated[
    list[str] | None,
    typer.Option(help='What to do to clean images first, such as "gaussian sigma=0.5" or "low_resolution factor=2"; may be repeated. Without it: what the model was trained on.'),
]


def _damage(words: list[str] | None, space: Any) -> Any:
    """The corruption that `--damage` or else the model's own run names."""
    from omegaconf import OmegaConf

    from textae.core.config import read_config
    from vision.data.corruption import Corruption

    if words:
        specs = [{"kind": w.split()[0], **OmegaConf.to_container(OmegaConf.from_dotlist(w.split()[1:]))} for w in words]
        return Corruption.from_config(specs, where="--damage")
    run = space.folder / "run.yaml"
    spec = read_config(run)["data"].get("corruption") if run.is_file() else None
    if spec is None:
        raise ValueError(f"{space.name} was trained on clean images: say what to restore with --damage, such as --damage \"gaussian sigma=0.5\"")
    return Corruption.from_config(spec)


@app.command()
def restore(
    paths: Paths = None, model: Model = "mnist-denoiser", damage: Damage = None, data: Data = "digits", split: Split = "test",
    labels: Labels = "", num: Num = 1000,
    baselines: Annotated[bool, typer.Option(help="Put linear and classical restorers beside the model.")] = True,
    seed: Seed = 0, device: Device = "auto", as_json: AsJson = False, out: Out = None,
) -> None:  # fmt: skip
    """Denoise, remove marks, enlarge, colorize: original, damaged and restored, in dB; image files are restored as they are."""
    import torch

    from textae.core.space import seeded
    from vision.figures.rows import denoising, reconstructions
    from vision.reduction import pixels_of
    from vision.restoration import compare_restoration

    space = open_images(model, device)
    if paths:
        images, _ = inputs(paths, data, split, labels, num)
        return show(reconstructions(space.pixels(images), space.rebuild(images), title=model), out, "restore.png")
    corrupt = _damage(damage, space)
    clean = pixels_of(space, read_set(data, split, labels, num))
    train = pixels_of(space, read_set(data, "train", labels)) if baselines else clean[:1]
    rows = compare_restoration({model: space}, clean, corrupt, train=train, seed=seed, **({} if baselines else {"baselines": {}}))
    say([{"what": row.name, "psnr": row.psnr, "ssim": row.ssim, "mse": row.mse} for row in rows], as_json)
    shown = clean[:10]
    with torch.no_grad(), seeded(seed):
        noisy = corrupt(shown)
    return show(denoising(shown, noisy, space.rebuild(noisy), title=model), out, "restore.png")


@app.command()
def narrow(
    data: Data = "digits", num: Num = 100, seed: Seed = 0, as_json: AsJson = False,
    widths: Annotated[str, typer.Option(help="Widths of the code, with commas between them; empty: from 2 to wider than the image.")] = "",
    foreign: Annotated[str, typer.Option(help="A named set of other images, to see what is copied without being known; empty: noise alone.")] = "",
) -> None:  # fmt: skip
    """Few training images, codes from narrow to wide: which autoencoder learns digits, and which to copy."""
    from dataclasses import asdict

    from vision.overfitting import narrow_code

    try:
        given = [int(w) for w in widths.split(",") if w.strip()] or None
    except ValueError:
        raise ValueError(f"--widths is {widths!r}; give whole numbers with commas between them, such as 2,10,100") from None
    others = {foreign: read_set(foreign, "test", "", 200)} if foreign else None
    rows = narrow_code(read_set(data, "train", "", num), read_set(data, "test", "", 1000), others, widths=given, seed=seed)
    flat = []
    for row in map(asdict, rows):
        copied = row.pop("copied")
        flat.append({**row, **{f"copied: {name}": share for name, share in copied.items()}})
    say(flat, as_json)
