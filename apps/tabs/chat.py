"""The tab of the chat: messages at one side, the map at the other. What a message does is decided in `apps.chat`."""

import json
import time
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from apps.chat import endpoints, pictures
from apps.chat.desk import Desk
from apps.chat.render import map_of, messages, trail_of
from apps.chat.replies import BACK, GREETING
from apps.chat.store import to_json
from apps.chat.walk import Walk
from apps.digits.verbs import digit_models
from apps.lab import ASSETS, SHARED, style
from apps.limits import LIVE, MAX_CHARS
from apps.page_style import alert, html, lead
from apps.shelf import Shelf
from apps.tabs.choice import absent, facts, model_choice

SCRIPTS = [SHARED / "core.js", SHARED / "plane.js", *(ASSETS / f"chat_{name}.js" for name in ("line", "map_touch", "map_draw", "map", "picture"))]
VIEW = "document.querySelector('#chat-map .lab')?.view"
# Each returns what it is to stand in its one output, in a list: the conversation, or the text of the box.
SHOW = f"(data, talk) => [{VIEW} && data ? {VIEW}.show(data, talk) : talk]"
TYPED = f"(typed) => [{VIEW} ? {VIEW}.line.typed(typed) : typed]"
POSTED = f"(talk) => [{VIEW}.line.below(talk)]"
LOST = f"(talk) => {{ {VIEW}.line.lost(); return [{VIEW}.line.below(talk)]; }}"
HEIGHT = 540
INSTEAD = ("new", "model", "link", "import", "back")  # what begins another conversation
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
    with lead(LEAD, MORE):
        small = html(facts(shelf, desk.default, "text"), elem_classes=["ta-html", "tc-facts"])  # on a phone in place of those beside the model
    model = model_choice(shelf, "text")
    model.change(lambda name: facts(shelf, name, "text"), model, small, **LIVE)
    walk = gr.State(None)  # of this visitor; None until the first message, so that each gets a seed
    kept = gr.State(None)  # the conversation before this one
    with gr.Row(elem_classes="tc-sides"):
        with gr.Column(min_width=320, scale=11):
            talk = gr.Chatbot(
                _said(desk, first), label="Conversation", show_label=False, height=HEIGHT, elem_id="chat-talk", allow_tags=False, feedback_options=None,
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

    def told(**data: Any) -> dict[str, Any]:
        """Data for the map's script, which hears of it only where it differs from the last."""
        return {**data, "stamp": time.time_ns()}

    def acted(before: Walk | None, last: Walk | None, kind: str, sent: Any, number: int | None = None) -> tuple[Any, ...]:
        """Answer what was sent: the walk, the one before it, messages, no alert or a refusal's words, what the map needs to follow, and the model."""
        before = before or desk.begin(desk.default)
        if kind == "export":
            return *(gr.skip(),) * 3, alert(), told(export=to_json(before), number=number), gr.skip()
        if kind == "message" and sent == BACK and last is not None:
            kind = "back"
        try:
            after = acts[kind](before, last, sent)
        except ValueError as error:
            return *(gr.skip(),) * 3, alert(error), told(failed=True, number=number), before.model
        instead = kind in INSTEAD
        if instead and after is not before:
            last = before if desk.is_own(before) else None if kind == "back" else last
        places = desk.guide(after.model).places
        found = {"map": map_of(places)} if after.model != before.model else {}
        said = _said(desk, after, instead and last is not None)
        return after, last, said, alert(), told(**trail_of(after, places), **found, number=number), after.model

    acts: dict[str, Callable[[Walk, Walk | None, Any], Walk]] = {
        "message": lambda walk, _, text: desk.answer(walk, text), "picture": lambda walk, _, picture: pictures.answer(shelf, walk, picture),
        "new": lambda walk, *_: desk.new(walk.model), "model": lambda walk, _, name: walk if name == walk.model else desk.begin(name),
        "link": lambda *given: desk.replayed(given[-1]), "import": lambda *given: desk.imported(given[-1]), "back": lambda _, last, __: last,
    }  # fmt: skip

    def heard(before: Walk | None, last: Walk | None, event: gr.EventData) -> tuple[Any, ...]:
        """Whatever the scripts send: its kind, its text and its number."""
        sent = event._data if isinstance(event._data, dict) else {}
        kind, number = str(sent.get("kind", "")), sent.get("number")
        known = kind in {"export", *acts} - {"back", "model"}
        return acted(before, last, kind, sent.get("text", ""), number if isinstance(number, int) else None) if known else (gr.skip(),) * 6

    outputs = [walk, kept, talk, message, data, model]
    # Nothing that was said is dropped: messages wait their turn, and each finds the walk that the one before left.
    events = {**LIVE, "trigger_mode": "multiple", "show_progress_on": talk}
    here = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    gr.on([box.submit, send.click], None, box, box, js=TYPED, **here)
    side.posted(None, talk, talk, js=POSTED, **here)
    side.submit(heard, [walk, kept], outputs, **events).failure(None, talk, talk, js=LOST, **here)
    talk.clear(lambda *walks: acted(*walks, "new", ""), [walk, kept], outputs, **events)
    model.input(lambda before, last, name: acted(before, last, "model", name), [walk, kept, model], outputs, **events)
    data.change(None, [data, talk], talk, js=SHOW, **here)


def _said(desk: Desk, walk: Walk, back: bool = False) -> list[dict[str, Any]]:
    """The conversation below its greeting, with chips on the last message.

    Args:
        desk: Whose guides propose the chips.
        walk: The conversation.
        back: Whether the first chip leads back to the one before.
    """
    greeting = {"role": "assistant", "content": f'<div class="tc-greeting"><p>{escape(GREETING)}</p></div>', "options": []}
    found = [greeting, *messages(walk)]
    chips = walk.turns[-1].chips if walk.turns else desk.guide(walk.model).chips(walk, "new")
    found[-1]["options"] = [{"value": chip, "label": chip} for chip in ([BACK] if back else []) + list(chips)]
    return found


def _map(desk: Desk, first: Walk, pictures_too: bool) -> gr.HTML:
    """The map, its tools, and the drawing pad."""
    guide = desk.guide(desk.default)
    about = json.dumps({"map": map_of(guide.places), "walk": trail_of(first, guide.places), "pictures": pictures_too}).replace("<", "\\u003c")
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    markup = (ASSETS / "chat_map.html").read_text(encoding="utf-8")
    css = style() + (ASSETS / "chat.css").read_text(encoding="utf-8")
    begin = f"{{ const root = element.querySelector('.lab'); root.view = new ChatMap.View(root, new ChatLine.Line(trigger), {about}); }}"
    return html(f"<style>{css}</style>{markup}", elem_id="chat-map", js_on_load=f"{scripts}\n{begin}")
