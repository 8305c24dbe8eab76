"""The chat's named endpoint: a message and the conversation so far in, the answer and the conversation after it out."""

from dataclasses import asdict
from typing import Any

import gradio as gr

from apps.chat.desk import Desk
from apps.chat.store import to_json
from apps.chat.walk import Walk
from apps.limits import ONE_LINE, check_seed, refusing


def register(desk: Desk) -> None:
    """Add `/chat`; inside `gr.Blocks`."""

    def chat(message: str, conversation: str = "", model: str = desk.default, seed: int = 0) -> dict[str, Any]:
        """Say something to the chat: a sentence to go to, or what to do from there ("make it past", "halfway", "neighbours", "why", ...).

        Args:
            message: At most 500 characters; "help" lists what is understood.
            conversation: What the answer before gave as `conversation`, or an exported file's text; empty begins a new one.
            model: A model of sentences, for a new conversation.
            seed: Of a new conversation's draws, 0 to 2147483647.

        Returns:
            `answer` in words, `intent` (how the message was understood), `sentence` where the walk now stands with its `step`'s figures (code,
            KL, NLL, distance, readings, reasons), `rows` of further sentences with notes, `chips` that may come next, and `conversation`.
        """
        if conversation:
            before = desk.imported(conversation)
        else:
            desk.guide(model)
            before = Walk(model, check_seed(seed))
        walk = desk.answer(before, message)
        turn, here = walk.turns[-1], walk.here
        return {
            "answer": turn.said, "intent": turn.kind, "sentence": here.sentence if here else None, "step": asdict(turn.step) if turn.step else None,
            "rows": [list(row) for row in turn.rows], "chips": list(turn.chips), "conversation": to_json(walk),
        }  # fmt: skip

    gr.api(refusing(chat), api_name="chat", **ONE_LINE)


