"""A folder that is the page without a server: playground, digits and maps, all in the browser; opens from a disk or from any host of files."""

import json
from html import escape
from pathlib import Path

from apps.digits.browser import as_script, map_models, title
from apps.lab import ASSETS, markup, scripts, start, style
from apps.shelf import Shelf
from textae.core.files import write_text

# A strict policy: scripts and styles of the page itself and of its folder, no request to anywhere else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self' 'unsafe-inline' file:; img-src data:"


def write_static(folder: Path, shelf: Shelf) -> None:
    """Write `index.html` and a script of weights for each map's model.

    Args:
        folder: Made where it does not exist; files of the same names are replaced, others stay.
        shelf: Where the models of the maps come from; without one the page has the playground alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = {name: f"weights-{number}.js" for number, name in enumerate(map_models(shelf), 1)}
    for name, file in places.items():
        write_text(folder / file, as_script(shelf, name))
    write_text(folder / "index.html", static_page(places))


def static_page(places: dict[str, str]) -> str:
    """The page as HTML.

    Args:
        places: The maps' models by name, each with the file of its weights beside the page; none: the playground alone.
    """
    models = [{"name": name, "title": title(name)} for name in places]
    labs = (["digits"] if models else []) + ["playground"]
    starts = [start("digits", "document.querySelector('.digits')", "files", {"models": models})] if models else []
    starts.append(start("playground", "document.querySelector('.playground')", "null", {}))
    parts = {
        "policy": escape(POLICY), "css": style(), "digits": markup("digits") if models else "", "hidden": "" if models else " hidden",
        "playground": markup("playground"), "scripts": scripts(*labs), "starts": "\n".join(starts), "places": json.dumps(places).replace("<", "\\u003c"),
    }  # fmt: skip
    head, *rest = (ASSETS / "static.html").read_text(encoding="utf-8").split("{{")
    filled = [head]
    for piece in rest:
        key, _, after = piece.partition("}}")
        filled += [parts[key], after]
    return "".join(filled)
