"""The tab of the chat: messages at one side, the map at the other. What a message does is decided in `apps.chat`."""

import json
import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.chat import endpoints, pictures
from apps.chat.desk import Desk
from apps.chat.render import map_of, messages, trail_of
from apps.chat.store import to_json
from apps.chat.walk import Walk
from apps.digits.verbs import digit_models
from apps.lab import ASSETS, SHARED, style
from apps.limits import MAX_CHARS, ONE_LINE
from apps.page_style import alert, html, lead
from apps.shelf import Shelf
from apps.tabs.choice import absent, model_choice

SCRIPTS = [SHARED / "core.js", SHARED / "plane.js", ASSETS / "chat_map.js", ASSETS / "chat_picture.js"]
MAP = "document.querySelector('#chat-map .lab')"
SHOW = f"(data) => {{ const root = {MAP}; if (root && root.view && data) root.view.show(data); }}"
HEIGHT = 540
LEAD = """Type any short English sentence: the model turns it into a point of its latent space, and the chat walks you on from there.
Ask for another tense or mood, for the way to another sentence, for its neighbours; or touch the map."""
MORE = """
- **Words that work:** “make it past” · “future please, and more negative” · “a bit less positive” · “from *one sentence* to *another*” · “halfway” ·
  “a third of the way back” · “something like this” · “surprise me” · “say something negative in the past tense” · “5 sentences about dogs” ·
  “*A* minus *B* plus *C*” · “neighbours” · “why” · “undo” · “start over”. Small slips are forgiven. Anything in quotation marks is a sentence.
- **No language model is behind the chat**: a small grammar reads your message, and an autoencoder writes the answers. It knows short everyday
  English and no facts; what it cannot say comes back as something plainer.
- **The figures:** what small readers find in the sentence and how sure they are; **KL**, what its code says beyond the prior; **NLL**, how
  surprised the model is by the sentence (a bound from 10 draws); both in nats. The distance is measured between codes.
- **The map** shows sentences of ours in the two widest directions of their codes (PCA). Shape and color say what the readers find; they are
  mixed on the map because the decoder is told tense and mood, so the codes need not hold them. A touch between dots decodes a mix of the three nearest.
- **Your conversation** is yours alone. A link holds your messages and replays them; “Export” writes every number to a file.
"""


def build(shelf: Shelf) -> None:
    """Add the tab's components, its events and the endpoint `chat`."""
    if not shelf.names("text"):
        absent("text")
        return
    desk = Desk(shelf)
    endpoints.register(desk)
    first = desk.first(desk.default)
    lead(LEAD, MORE)
    model = model_choice(shelf, "text")
    walk = gr.State(first)
    with gr.Row(elem_classes="tc-sides"):
        with gr.Column(min_width=320, scale=11):
            talk = gr.Chatbot(
                messages(first), label="Conversation", show_label=False, height=HEIGHT, elem_id="chat-talk", allow_tags=False, feedback_options=None,
                buttons=[], latex_delimiters=[], group_consecutive_messages=False, layout="bubble",
            )  # fmt: skip
            with gr.Row(elem_classes="ta-tools", equal_height=True):
                box = gr.Textbox(
                    label="Your message", show_label=False, placeholder="Type a sentence, or what to do with this one", max_length=MAX_CHARS, elem_id="chat-box",
                    html_attributes=gr.InputHTMLAttributes(autocomplete="off", enterkeyhint="send"), scale=8, min_width=180, lines=1, max_lines=1, container=False,
                )  # fmt: skip
                send = gr.Button("Send", variant="primary", min_width=80, scale=1, elem_id="chat-send")
            message = html("", elem_classes=["ta-html", "ta-alert-slot"], elem_id="chat-alert")
        with gr.Column(min_width=320, scale=9):
            side = _map(desk, first, bool(digit_models(shelf)))
    data = gr.JSON(visible=False)

    def shown(after: Walk, before: Walk) -> tuple[Any, ...]:
        """State, messages, an empty box, no alert, what the map needs to follow, and the model."""
        guide = desk.guide(after.model)
        found = {"map": map_of(guide.places)} if after.model != before.model else {}
        return after, messages(after), "", alert(), told(**trail_of(after, guide.places), **found), after.model

    def told(**data: Any) -> dict[str, Any]:
        """Data for the map's script, which hears of it only where it differs from the last."""
        return {**data, "stamp": time.time_ns()}

    def answering(ask: Callable[..., Walk], *args: Any) -> tuple[Any, ...]:
        """What `ask` answers, or the words of its refusal."""
        before = args[0]
        try:
            return shown(ask(*args), before)
        except ValueError as error:
            return gr.skip(), gr.skip(), gr.skip(), alert(error), told(failed=True), before.model

    def talked(before: Walk, typed: str) -> tuple[Any, ...]:
        return answering(desk.answer, before, typed)

    def chipped(before: Walk, event: gr.SelectData) -> tuple[Any, ...]:
        chosen = event.value.get("value") if isinstance(event.value, dict) else event.value
        return answering(desk.answer, before, chosen)

    def touched(before: Walk, event: gr.EventData) -> tuple[Any, ...]:
        """Whatever the map's script sends: one key and its text."""
        sent = event._data if isinstance(event._data, dict) else {}
        kind, text = str(sent.get("kind", "")), sent.get("text", "")
        if kind == "export":
            return gr.skip(), gr.skip(), gr.skip(), alert(), told(export=to_json(before)), gr.skip()
        acts: dict[str, Callable[[Walk, Any], Walk]] = {
            "message": desk.answer, "link": lambda _, packed: desk.replayed(packed), "import": lambda _, file: desk.imported(file),
            "picture": lambda walk, picture: pictures.answer(shelf, walk, picture), "new": lambda walk, _: Walk(walk.model, walk.seed),
        }  # fmt: skip
        return answering(acts[kind], before, text) if kind in acts else (gr.skip(),) * 6

    def switched(before: Walk, name: str) -> tuple[Any, ...]:
        return answering(lambda _: before if name == before.model else desk.first(name), before)

    outputs = [walk, talk, box, message, data, model]
    # Nothing that was said is dropped: messages wait their turn, and each finds the walk that the one before left.
    events = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple", **ONE_LINE}
    gr.on([box.submit, send.click], talked, [walk, box], outputs, **events)
    talk.option_select(chipped, walk, outputs, **events)
    side.submit(touched, walk, outputs, **events)
    talk.clear(lambda before: answering(lambda _: Walk(before.model, before.seed), before), walk, outputs, **events)
    model.input(switched, [walk, model], outputs, **events)
    data.change(None, data, None, js=SHOW, api_visibility="private", queue=False)


def _map(desk: Desk, first: Walk, pictures_too: bool) -> gr.HTML:
    """The map, its tools, and the drawing pad."""
    guide = desk.guide(desk.default)
    about = json.dumps({"map": map_of(guide.places), "walk": trail_of(first, guide.places), "pictures": pictures_too}).replace("<", "\\u003c")
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    markup = (ASSETS / "chat_map.html").read_text(encoding="utf-8")
    css = style() + (ASSETS / "chat.css").read_text(encoding="utf-8")
    begin = f"{{ const root = element.querySelector('.lab'); root.view = new ChatMap.View(root, (kind, text) => trigger('submit', {{ kind, text }}), {about}); }}"
    return html(f"<style>{css}</style>{markup}", elem_id="chat-map", js_on_load=f"{scripts}\n{begin}")
