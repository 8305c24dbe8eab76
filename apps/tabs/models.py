"""The tab that shows what models the page has: how large they are, what was measured, where they compute, and their cards."""

import re
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from apps.limits import LIVE
from apps.page_style import alert, html, lead
from apps.shelf import MODALITY_NAMES, Shelf
from apps.tabs.choice import facts, rounded

MAX_CARD = 60_000  # characters of a card
FENCE = re.compile(r"(`{3,}|~{3,})([^`<]*)")  # begins a block of code; CommonMark takes no backtick behind backticks
CODE = re.compile(r"(?<![`\\])`([^`\n]*<[^`\n]*)`(?!`)")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
KINDS = {"text": "Sentences", "images": "Images"}

LEAD = """These are the models that this page can open, with what was measured of each.
Every other tab has a choice of its own."""
MORE = """
- Models come with the package, or from whoever started the page: `textae demo --model FOLDER --model someone/model` adds folders and
  models of the Hugging Face Hub. Visitors choose among these alone.
- A model is loaded when it is first used, and shared by all visitors. On a machine with a GPU it computes there.
- The **card** says what the model was trained on and under which terms, how it was measured, and where its limits are.
"""


def build(shelf: Shelf) -> None:
    """Add the tab's components."""
    names = [name for kind in MODALITY_NAMES for name in shelf.names(kind)]
    lead(LEAD, MORE)
    if not names:
        html('<p class="ta-note">No model stands on this page: <code>textae demo --model NAME</code> adds one.</p>')
        return

    def show(name: str) -> tuple[Any, ...]:
        try:
            return facts(shelf, name, shelf.summary(name)["modality"]) if name in names else "", card(shelf, name), table(shelf), alert()
        except ValueError as error:
            return gr.skip(), gr.skip(), gr.skip(), alert(error)

    overview = html(table(shelf), elem_id="models-table")
    model = gr.Dropdown(names, value=names[0], label="Show the card of", filterable=False, elem_id="models-choice")
    message = html(alert(), elem_classes=["ta-html", "ta-alert-slot"])
    line = html(facts(shelf, names[0], shelf.summary(names[0])["modality"]), elem_id="models-facts")
    words = gr.Markdown(card(shelf, names[0]), elem_id="models-card", elem_classes="ta-prose", header_links=False, latex_delimiters=[])
    model.change(show, model, [line, words, overview, message], **LIVE)


def table(shelf: Shelf) -> str:
    """All models in a table, as HTML."""
    rows = ""
    for kind in MODALITY_NAMES:
        for name in shelf.names(kind):
            known = shelf.summary(name)
            told = "; ".join(f"{n}: {', '.join(values) if len(values) < 6 else f'{len(values)} values'}" for n, values in known["attributes"].items())
            if shelf.is_open(name):
                space = shelf.open(name)
                where = f"{rounded(space.model.num_parameters())} parameters on {space.device}"
            else:
                where = "not loaded yet"
            rows += (
                f'<tr><th scope="row">{escape(name)}</th><td>{KINDS[kind]}</td><td>{escape(known["type"])}</td><td>{known["latent_dim"]}</td>'
                f"<td>{escape(told) or '–'}</td><td>{escape(where)}</td></tr>"
            )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Model", "Of", "Type", "Code", "Knows", "State"))
    return (
        '<div class="ta-card ta-scroll" tabindex="0" role="region" aria-label="All models"><table class="ta-steps ta-models">'
        f"<caption>All models of this page</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def card(shelf: Shelf, name: str) -> str:
    """A model's card as Markdown that shows no picture and holds no HTML; a sentence where it has none."""
    folder = shelf.folder(name)
    path = None if folder is None else Path(folder) / "README.md"
    if path is None or not path.is_file():
        return "*This model has no card.*"
    with path.open(encoding="utf-8", errors="replace") as file:
        return safe_markdown(file.read(MAX_CARD))


def _without_html(line: str) -> str:
    """A line outside of code blocks: no tag but those around code of its own."""
    line, found = line.replace("![", "["), 0
    parts = []
    for code in CODE.finditer(line):
        parts += [line[found : code.start()].replace("<", "&lt;"), f"<code>{code[1].replace('<', '&lt;')}</code>"]
        found = code.end()
    return "".join([*parts, line[found:].replace("<", "&lt;")])


def safe_markdown(words: str) -> str:
    """Markdown without its front matter, pictures (they would be fetched from anywhere) and HTML.

    Blocks of code stay as they are where their fence begins a line: of these alone it is certain that every reader of Markdown
    takes them for code.

    >>> safe_markdown("![a](https://x/y.png) <b>bold</b> `<kept>`")
    '[a](https://x/y.png) &lt;b>bold&lt;/b> <code>&lt;kept></code>'
    """
    lines, fence = [], ""
    for line in FRONT_MATTER.sub("", words.replace("\r\n", "\n"), count=1).split("\n"):
        if fence:
            lines.append(line)
            fence = "" if re.fullmatch(rf" {{0,3}}{fence}{fence[0]}*[ \t]*", line) else fence
        elif opening := FENCE.fullmatch(line):
            fence = opening[1]
            lines.append(line)
        else:
            lines.append(_without_html(line))
    return "\n".join(lines).strip()
