"""`textae space …`: a page of one's own on Hugging Face Spaces."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="A page of your own on Hugging Face Spaces.", no_args_is_help=True, rich_markup_mode=None)
Models = Annotated[list[str] | None, typer.Option("--model", "-m", help="A folder or Hub id beside the bundled models; may be repeated.")]
Static = Annotated[bool, typer.Option("--static", help="A static Space, free for everybody: digits, playground and map, all in the browser.")]
Hardware = Annotated[str, typer.Option(help="zero-a10g, cpu-basic, cpu-upgrade or t4-small; of a Space that is not static.")]
Title = Annotated[str, typer.Option(help="Shown on the Hub; empty: a title of ours.")]


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="New, empty, or a Space that was built before.")],
    model: Models = None,
    static: Static = False,
    hardware: Hardware = "zero-a10g",
    title: Title = "",
) -> None:
    """Write a complete Space: textae space build my-space."""
    written = _build(folder, model, static, hardware, title)
    typer.echo(f"{written}: open index.html" if static else f"{written}: try it there with python app.py")


@app.command()
def push(
    name: Annotated[str, typer.Argument(help="ORG/NAME of the Space; made if it does not exist.")],
    folder: Annotated[Path | None, typer.Option(help="A Space that was built before; else one is built now.")] = None,
    model: Models = None,
    static: Static = False,
    hardware: Hardware = "zero-a10g",
    title: Title = "",
    private: Annotated[bool, typer.Option("--private", help="Of a new Space.")] = False,
) -> None:
    """Upload a Space: textae space push someone/textae."""
    import tempfile

    from apps.space.push import push as upload

    if folder is not None:
        if model or static or title:
            raise ValueError("--folder uploads what was built: leave --model, --static and --title out, or leave --folder out")
        typer.echo(upload(name, folder, private=private, hardware=hardware))
        return
    with tempfile.TemporaryDirectory() as parent:
        typer.echo(upload(name, _build(Path(parent) / "space", model, static, hardware, title), private=private, hardware=hardware))


def _build(folder: Path, model: list[str] | None, static: bool, hardware: str, title: str) -> Path:
    from apps.space import build as building

    named = {"title": title} if title else {}
    if static:
        return building.build_static(folder, model or [], **named)
    return building.build(folder, model or [], hardware=hardware, **named)
