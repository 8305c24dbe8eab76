"""The tab that edits sentences: one live, with sliders and choices, or a list of them with progress and a download."""

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from apps.batch import MAX_SHOWN, gather, outputs, progress_bar, results_table
from apps.editing import LEAST_STRENGTH, MAX_CANDIDATES, MAX_ROWS, MAX_STRENGTH, edit_one, edit_parts
from apps.limits import LIVE, LONG_LINE, MAX_CHARS
from apps.page_style import alert, bars, changed, html, lead, text
from apps.paths import read_values
from apps.shelf import Shelf
from apps.tabs.choice import absent, changeable, model_choice
from textae.editing import METHODS, Edit
from textae.editing.sentences import NO_VERB
from textae.space import LatentSpace

SENTENCES = [
    "The food is good and the waiter is friendly.",
    "She was late again yesterday.",
    "I will call you when the train arrives.",
    "This is the worst room in the hotel.",
]
KEEP = "as it is"
CANDIDATES, BATCH_CANDIDATES = 12, 6
FILES = [".txt", ".csv", ".jsonl"]
METHOD_NAMES = {
    "auto": "Automatic", "condition": "Tell the decoder", "offset": "Add the mean difference", "probe": "Cross a linear probe",
    "gradient": "Follow a classifier", "ode": "Follow a flow",
}  # fmt: skip

LEAD = """Change the tense or the sentiment of a sentence and keep what it says.
Move a slider or choose a value: the sentence follows."""
MORE = f"""
- The sentence's code is first refined until the model says the sentence itself. Then the decoder is **told** other values, or the
  code is **moved**: by the difference of class means, across a linear probe, along a classifier's gradient, or along a flow.
- **Strength** 1 is one step as the method counts it. More changes more words, also those that should stay.
- Several **candidates** are decoded, and the one is chosen that has the wanted values, keeps the words, and is likely.
- The percentages are a **reader's**: a small classifier beside the model that the choice itself listens to. It is no judge: an edit
  that pleases it was partly made to. The figures in the model's card come from judges that no edit ever saw.
- A **list** may have {MAX_ROWS} sentences of {MAX_CHARS} characters. It waits in a line of its own. An uploaded file is deleted after an hour.
"""
DOWNLOAD = """(found) => {
  if (!found || !found.%(kind)s) return %(nothing)s;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([found.%(kind)s], { type: "%(mime)s" }));
  link.download = "edits.%(kind)s";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return "";
}"""


def build(shelf: Shelf) -> None:
    """Add the tab's components."""
    names = [name for name in shelf.names("text") if shelf.summary(name)["edits"]]
    if not names:
        return absent("text", " that knows attributes, such as tense or sentiment")

    def show(model: str, sentence: str, feeling: float, tense: str, others: list[str], method: str, strength: float, candidates: int) -> tuple[Any, str]:
        try:
            space = shelf.open(model, "text")
            wanted = _wanted(space, feeling, tense, others)
            if not wanted:
                return _unedited(space, sentence), alert()
            return _edited(space, edit_one(space, sentence, wanted, method, strength, candidates)), alert()
        except ValueError as error:
            return gr.skip(), alert(error)

    def follow(model: str) -> tuple[Any, Any, Any]:
        """The controls that a model has use for; what was chosen may not be among its values, so nothing is."""
        slider, choice, rest = _controls(shelf.open(model, "text"))
        return gr.update(**slider, value=0), gr.update(**choice, value=KEEP), gr.update(**rest, value=[])

    def run(model: str, pasted: str, file: str | None, feeling: float, tense: str, others: list[str], method: str, strength: float) -> Iterator[tuple[Any, ...]]:
        """Edit a list: the bar, the table, what can be downloaded, what is wrong."""
        try:
            sentences = gather(pasted, file)
            space, found = shelf.open(model, "text"), []
            yield progress_bar(0, len(sentences)), "", None, alert()
            for part in edit_parts(space, sentences, _wanted(space, feeling, tense, others), method, strength, BATCH_CANDIDATES):
                found += part
                yield progress_bar(len(found), len(sentences)), results_table(found[:MAX_SHOWN]), outputs(found), alert()
        except ValueError as error:
            yield "", gr.skip(), gr.skip(), alert(error)
        else:
            yield progress_bar(len(found), len(sentences)), results_table(found), outputs(found), alert()

    first = shelf.open(names[0], "text")
    feeling_options, tense_options, other_options = _controls(first)
    start = show(names[0], SENTENCES[0], 0.0, _first_tense(first), [], "auto", 1.0, CANDIDATES)
    lead(LEAD, MORE)
    model = model_choice(shelf, "text", names)
    with gr.Row(equal_height=True, elem_classes="ta-tools"):
        sentence = gr.Textbox(SENTENCES[0], label="Sentence", max_length=MAX_CHARS, scale=4, min_width=260, elem_id="control-sentence")
        go = gr.Button("Edit", variant="primary", min_width=110, elem_id="control-go", elem_classes="ta-fit")
    with gr.Row():
        tense = gr.Radio(label="Tense", value=_first_tense(first), min_width=300, elem_id="control-tense", **tense_options)
        feeling = gr.Slider(
            -MAX_STRENGTH, MAX_STRENGTH, 0, step=0.25, label="Sentiment, from negative to positive; 0 keeps it", min_width=260, buttons=[],
            elem_id="control-sentiment", **feeling_options,
        )  # fmt: skip
        others = gr.Dropdown(value=[], label="Other attributes", multiselect=True, min_width=260, elem_id="control-others", **other_options)
    with gr.Accordion("Method, strength and candidates", open=False, elem_id="control-options"):
        with gr.Row():
            method = gr.Dropdown(
                [(METHOD_NAMES.get(m, m), m) for m in METHODS], value="auto", label="Method", filterable=False, min_width=220, elem_id="control-method"
            )
            strength = gr.Slider(LEAST_STRENGTH, MAX_STRENGTH, 1.0, step=0.01, label="Strength", min_width=220, buttons=[], elem_id="control-strength")
            candidates = gr.Slider(1, MAX_CANDIDATES, CANDIDATES, step=1, label="Candidates", min_width=220, buttons=[], elem_id="control-candidates")
    message = html(start[1], elem_classes=["ta-html", "ta-alert-slot"])
    result = html(start[0], elem_id="control-result")
    gr.Examples([[s] for s in SENTENCES], [sentence], label="Sentences to try", api_visibility="private", cache_examples=False, example_labels=SENTENCES)
    with gr.Accordion("A list of sentences", open=False, elem_id="control-many"):
        with gr.Row():
            pasted = gr.Textbox(
                "", label=f"One a line, at most {MAX_ROWS}", lines=6, max_lines=12, max_length=MAX_ROWS * (MAX_CHARS + 1), min_width=300,
                placeholder="Paste sentences here, or give a file", elem_id="control-pasted",
            )  # fmt: skip
            file = gr.File(label="Or a file: .txt, .csv (column text) or .jsonl", file_types=FILES, type="filepath", min_width=260, elem_id="control-file")
        with gr.Row(elem_classes="ta-tools"):
            run_all = gr.Button("Edit all", variant="primary", min_width=120, elem_id="control-run", elem_classes="ta-fit")
            stop = gr.Button("Stop", min_width=90, elem_id="control-stop", elem_classes="ta-fit")
            csv = gr.Button("Download .csv", min_width=150, elem_id="control-csv", elem_classes="ta-fit")
            jsonl = gr.Button("Download .jsonl", min_width=150, elem_id="control-jsonl", elem_classes="ta-fit")
        many_message = html(alert(), elem_classes=["ta-html", "ta-alert-slot"])
        bar = html(progress_bar(0, 0), elem_id="control-progress")
        table = html("", elem_id="control-table")
        ready = gr.JSON(None, visible=False)

    wishes = [feeling, tense, others, method, strength]
    edit = [model, sentence, *wishes, candidates]
    model.change(follow, model, [feeling, tense, others], **LIVE).then(show, edit, [result, message], **LIVE)
    gr.on(
        [sentence.submit, sentence.blur, go.click, feeling.change, tense.change, others.change, method.change, strength.change, candidates.change],
        show, edit, [result, message], **LIVE,
    )  # fmt: skip
    job = run_all.click(
        run, [model, pasted, file, *wishes], [bar, table, ready, many_message],
        api_visibility="private", show_progress="hidden", trigger_mode="once", **LONG_LINE,
    )  # fmt: skip
    stop.click(lambda: progress_bar(0, 0, "Stopped."), None, bar, cancels=[job], api_visibility="private", queue=False)
    for button, kind, mime in ((csv, "csv", "text/csv"), (jsonl, "jsonl", "application/jsonl")):
        asked = {"kind": kind, "mime": mime, "nothing": json.dumps(alert(ValueError("there is nothing to download yet: edit a list first")))}
        button.click(None, ready, many_message, js=DOWNLOAD % asked, api_visibility="private", queue=False)


def _controls(space: LatentSpace) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Options of the slider of sentiment, the choice of tense, and the list of what else a model knows."""
    known = space.attributes
    tenses = [v for v in known.get("tense", []) if v != NO_VERB["tense"]]
    others = [choice for choice in changeable(space) if choice[1].partition("=")[0] not in ("tense", "sentiment")]
    return (
        {"visible": len(known.get("sentiment", [])) == 2},
        {"choices": [KEEP, *tenses], "visible": bool(tenses)},
        {"choices": others, "visible": bool(others)},
    )


def _first_tense(space: LatentSpace) -> str:
    """What the page opens with: an edit that shows something."""
    return "past" if "past" in space.attributes.get("tense", []) else KEEP


def _wanted(space: LatentSpace, feeling: Any, tense: Any, others: Any) -> dict[str, Any]:
    """The controls' values that ask for a change, of attributes that the model knows."""
    wanted: dict[str, Any] = {}
    if feeling and "sentiment" in space.attributes:
        wanted["sentiment"] = feeling
    if tense and tense != KEEP and "tense" in space.attributes:
        wanted["tense"] = tense
    for choice in others or []:
        name, _, value = str(choice).partition("=")
        if name in space.attributes:
            wanted[name] = value
    return wanted


def _unedited(space: LatentSpace, sentence: str) -> str:
    """What is shown while nothing is asked for: the sentence as the readers see it."""
    from apps.limits import check_sentence

    check_sentence(sentence)
    space.processor.check([sentence])
    return _cards(sentence, text(sentence), "Nothing is asked for yet: choose a tense or move the slider.", read_values(space, [sentence])[0], "")


def _edited(space: LatentSpace, found: Edit) -> str:
    note = found.reason[:1].upper() + found.reason[1:] + "." if found.reason else f"{found.kept:.0%} of the words are kept, in their order."
    rows = ""
    if found.candidates:
        for candidate, read in zip(found.candidates, read_values(space, found.candidates), strict=True):
            cells = "".join(f'<td class="ta-like">{read[n][v]:.0%}</td>' if n in read else '<td class="ta-like">–</td>' for n, v in found.wanted.items())
            rows += f'<tr><td class="ta-s">{changed(candidate, found.source)}</td>{cells}</tr>'
        heads = "".join(f'<th scope="col" class="ta-like">{text(v)}</th>' for v in found.wanted.values())
        rows = (
            '<section class="ta-card"><table class="ta-steps"><caption>Candidates, the best first, with the reader’s probabilities</caption>'
            f'<thead><tr><th scope="col">Sentence</th>{heads}</tr></thead><tbody>{rows}</tbody></table></section>'
        )
    return _cards(found.source, changed(found.text, found.source), note, found.attributes, rows)


def _cards(source: str, shown: str, note: str, read: dict[str, dict[str, float]], rows: str) -> str:
    told = "".join(f"<div><h3>{text(name)}</h3>{bars(values)}</div>" for name, values in read.items())
    said = f'<section class="ta-card"><h2>What the reader says of it (a classifier that the edit listens to, not a judge)</h2><div class="ta-columns">{told}</div></section>'
    return (
        f'<div class="ta-stack"><section class="ta-card" aria-live="polite"><h2>{text(source)}</h2>'
        f'<p class="ta-big"><span>{shown}</span></p><p class="ta-note">{text(note)}</p></section>{said if told else ""}{rows}</div>'
    )
