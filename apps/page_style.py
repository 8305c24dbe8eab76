"""How the page looks: theme, style sheet and the pieces of HTML that tabs share. Everything a user or a model wrote is escaped here."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from html import escape
from typing import Any

import gradio as gr

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]  # of the reader's machine: nothing is fetched

THEME = gr.themes.Base(
    primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="md", font=FONT, font_mono=MONO
).set(
    body_background_fill="#f6f7f9",
    body_background_fill_dark="#0d1219",
    block_background_fill="#ffffff",
    block_background_fill_dark="#151c26",
    block_border_color="#dfe4ea",
    block_border_color_dark="#263140",
    input_background_fill="#ffffff",
    input_background_fill_dark="#0f151e",
    block_label_text_weight="600",
    block_title_text_weight="600",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
    input_border_width="1px",
    input_border_color="#c6cfda",
    input_border_color_dark="#36445a",
    input_border_color_focus="*primary_600",
    input_border_color_focus_dark="*primary_400",
    checkbox_label_background_fill_dark="#222c3a",
    checkbox_label_background_fill_hover_dark="#2a3647",
    button_secondary_background_fill_dark="#2a3647",
    button_secondary_background_fill_hover_dark="#354358",
    body_text_color_subdued="#566274",  # 6:1 on white; the theme's own gray has 2.6:1
    body_text_color_subdued_dark="#9ba9bb",
    block_label_text_color="#566274",
    block_label_text_color_dark="#9ba9bb",
    link_text_color="*primary_700",
    link_text_color_hover="*primary_800",
    link_text_color_visited="*primary_700",
    link_text_color_active="*primary_700",
    link_text_color_dark="*primary_300",
    link_text_color_hover_dark="*primary_200",
    link_text_color_visited_dark="*primary_300",
    link_text_color_active_dark="*primary_300",
    block_title_text_color="#3b4656",
    block_title_text_color_dark="#c3cedb",
    color_accent="*primary_700",
    slider_color="*primary_600",
    slider_color_dark="*primary_500",
)

# Gradio puts `.contain` before every selector, so the footer is out of reach.
CSS = """
.gradio-container { width: 100% !important; max-width: 1120px !important; margin: 0 auto !important; }
.gradio-container .main.app { padding: 20px 24px 12px; }
.gradio-container input[type=range]:focus-visible { outline: 2px solid var(--primary-600); outline-offset: 5px; }
.dark input[type=range] { --neutral-200: #2f3b4c; }
.gradio-container .gap { gap: 12px; }
.ta-html > .html-container { padding: 0 !important; }
.tab-container button.selected { color: var(--primary-700) !important; font-weight: 600; }
.dark .tab-container button.selected { color: var(--primary-300) !important; }
.ta-lead p { margin: 0; max-width: 75ch; line-height: 1.55; }
.ta-fold p, .ta-fold li { max-width: 75ch; line-height: 1.55; }

.ta-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 18px; }
.ta-head h1 { font-size: 1.5rem; font-weight: 700; letter-spacing: -0.01em; margin: 0; color: var(--body-text-color); }
.ta-head .ta-model { font-family: var(--font-mono); font-size: .95rem; color: var(--primary-700); overflow-wrap: anywhere; }
.dark .ta-head .ta-model { color: var(--primary-300); }
.ta-facts { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 6px 0 2px; padding: 0; color: var(--body-text-color-subdued); font-size: .9rem; }
.ta-choice { align-items: center; flex-wrap: wrap; gap: 4px 20px; }
.ta-choice > .form { border: 0 !important; background: transparent !important; overflow: visible; flex: 0 0 auto !important; box-shadow: none; }
.ta-model-choice { padding: 0 !important; background: transparent !important; overflow: visible !important; }
.ta-model-choice .container { display: flex; align-items: center; gap: 12px; }
.ta-model-choice .container > span { margin: 0; }
.ta-model-choice .container > .wrap { min-width: 200px; }
.ta-fold { border: 0 !important; background: transparent !important; padding: 0 !important; box-shadow: none !important; }
.ta-fold > .label-wrap { width: auto; gap: 8px; color: var(--primary-700); font-size: .92rem; }
.dark .ta-fold > .label-wrap { color: var(--primary-300); }
.ta-facts div { display: flex; gap: 6px; }
.ta-facts dt, .ta-facts dd { margin: 0; }
.ta-facts dd { color: var(--body-text-color); font-variant-numeric: tabular-nums; order: -1; font-weight: 600; }

.ta-alert-slot { min-height: 1.5rem !important; margin: -4px 0; }
.ta-alert { margin: 0; line-height: 1.5rem; font-size: .92rem; color: #b42318; overflow-wrap: anywhere; }
.dark .ta-alert { color: #ff9c8f; }

.ta-card { background: var(--block-background-fill); border: 1px solid var(--block-border-color); border-radius: 8px; padding: 14px 18px; }
.ta-card h2, .ta-card h3, .ta-card caption { font-size: .82rem; font-weight: 600; color: var(--body-text-color-subdued); margin: 0 0 6px; text-align: left; }
.ta-card h2 + *, .ta-card h3 + * { margin-top: 0; }
.ta-card p { margin: 0; }
.ta-big { font-size: 1.4rem; line-height: 1.4; min-height: 2.8em; display: flex; align-items: center; font-weight: 500; overflow-wrap: anywhere; color: var(--body-text-color); }
.ta-note { color: var(--body-text-color-subdued); font-size: .88rem; }
.ta-empty { color: var(--body-text-color-subdued); font-style: italic; }

.ta-steps { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.ta-steps th { font-size: .82rem; font-weight: 600; color: var(--body-text-color-subdued); text-align: left; padding: 4px 10px 6px 0; }
.ta-steps td { padding: 7px 10px 7px 0; border-top: 1px solid var(--block-border-color); vertical-align: baseline; line-height: 1.4; }
.ta-steps td.ta-t { color: var(--body-text-color-subdued); width: 3.4rem; }
.ta-steps td.ta-s { overflow-wrap: anywhere; }
.ta-steps tr.ta-same td.ta-s { color: var(--body-text-color-subdued); }
.ta-steps td.ta-n, .ta-steps th.ta-n { text-align: right; white-space: nowrap; padding-right: 0; width: 9rem; }
.ta-bar { display: inline-block; height: .5rem; width: 4.5rem; margin-left: 10px; border-radius: 4px; overflow: hidden; background: var(--block-border-color); vertical-align: middle; }
.ta-bar i { display: block; height: 100%; background: var(--primary-600); }
.ta-steps th.ta-like, .ta-steps td.ta-like { text-align: right; width: 5rem; color: var(--body-text-color-subdued); }
.ta-steps th[scope=row] { font-size: .95rem; padding: 7px 10px 7px 0; border-top: 1px solid var(--block-border-color); color: var(--body-text-color); font-weight: 500; overflow-wrap: anywhere; }
.ta-bars { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.ta-bars th { font-weight: 400; text-align: left; padding: 2px 10px 2px 0; width: 6rem; }
.ta-bars td:last-child { text-align: right; width: 3.5rem; }
.ta-bars .ta-bar { width: 100%; margin: 0; display: block; }
.ta-columns h3 { font-size: .9rem; margin: 0 0 4px; color: var(--body-text-color); }
.ta-scroll { overflow-x: auto; max-height: 28rem; overflow-y: auto; }
.ta-scroll:focus-visible { outline: 2px solid var(--primary-600); outline-offset: 2px; }
.ta-models { min-width: 620px; }
.ta-prose { max-width: 100%; overflow-x: auto; overflow-wrap: anywhere; }
.ta-prose .token { color: inherit !important; }
[data-testid=status-tracker].minimal { opacity: 0; pointer-events: none; }
[data-testid=status-tracker].minimal:not(.hide) { animation: ta-late 0s linear 1.2s forwards; }
.ta-alert-slot [data-testid=status-tracker].minimal, .ta-quiet [data-testid=status-tracker].minimal, .form [data-testid=status-tracker].minimal { display: none; }
.ta-html .pending { opacity: 1 !important; }  /* what is there stays readable until the answer comes */
[data-testid=status-tracker].minimal { z-index: 3; overflow: visible !important; background: transparent !important; }
[data-testid=status-tracker].minimal .progress-text { position: absolute; transform: none; margin: 0 !important; top: 10px; right: 14px; padding: 1px 8px; border-radius: 6px; font-size: .82rem; color: var(--body-text-color); background: var(--block-background-fill); border: 1px solid var(--block-border-color); }
@keyframes ta-late { to { opacity: 1; } }
.ta-progress { display: flex; gap: 14px; align-items: center; margin: 0; }
.ta-progress progress { width: 14rem; max-width: 50%; accent-color: var(--primary-700); }
.ta-card mark { background: transparent; color: inherit; font-weight: 600; box-shadow: inset 0 -2px 0 var(--primary-400); }

.ta-list { margin: 0; padding: 0; list-style: none; }
.ta-list li { padding: 6px 0; border-top: 1px solid var(--block-border-color); line-height: 1.4; overflow-wrap: anywhere; display: flex; gap: 12px; justify-content: space-between; }
.ta-list li:first-child { border-top: 0; }
.ta-list .ta-note { white-space: nowrap; font-variant-numeric: tabular-nums; }

.ta-numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px; margin: 0; }
.ta-numbers div { display: flex; flex-direction: column; }
.ta-numbers dt { font-size: .82rem; color: var(--body-text-color-subdued); font-weight: 600; }
.ta-numbers dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; color: var(--body-text-color); }
.ta-numbers small { font-size: .82rem; font-weight: 400; color: var(--body-text-color-subdued); }
.ta-reading { margin: 12px 0 0; padding-left: 1.1em; line-height: 1.55; max-width: 75ch; }
.ta-columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 12px; margin-top: 12px; }
.ta-stack { display: grid; gap: 12px; }

.ta-radio .wrap { display: flex; flex-direction: column; flex-wrap: nowrap; gap: 0; }
.ta-radio .wrap label { width: 100%; background: transparent; border: 0; border-top: 1px solid var(--block-border-color); border-radius: 0; box-shadow: none; padding: 7px 4px; font-weight: 400; overflow-wrap: anywhere; }
.ta-radio .wrap label:first-child { border-top: 0; }
.ta-radio .wrap label.selected { color: var(--body-text-color); font-weight: 600; }
.ta-radio { min-height: 300px; }
.ta-tools { align-items: flex-end; }
.ta-fit { flex: 0 0 auto !important; }

@media (max-width: 640px) {
  .gradio-container .main.app { padding: 14px 14px 8px; }
  .tab-container button { padding: 0 9px !important; font-size: .9rem !important; }  /* also those by whose width Gradio counts how many fit */
  .ta-big { font-size: 1.15rem; }
  .ta-card { padding: 12px 12px; }
  .ta-steps .ta-bar { display: none; }
  .ta-steps th.ta-like, .ta-steps td.ta-like { width: 3rem; padding-right: 6px; }
  .ta-steps td.ta-t { width: 2.6rem; }
  .ta-steps th { font-size: .75rem; }
  .ta-choice { flex-direction: column; align-items: stretch; }
  .ta-choice > .form, .ta-model-choice .container > .wrap { width: 100%; }
  .ta-steps td.ta-n, .ta-steps th.ta-n { width: 2.8rem; white-space: normal; }
  .ta-fit { flex: 1 1 auto !important; }
}
"""


def html(value: str, elem_classes: Sequence[str] = ("ta-html",), **options: Any) -> gr.HTML:
    """A piece of our own HTML, styled by `CSS` alone: without Gradio's prose style, which draws borders around every cell."""
    return gr.HTML(value, elem_classes=list(elem_classes), apply_default_css=False, **options)


def lead(words: str, more: str) -> gr.Accordion:
    """A tab's two sentences, and the fold that says more, which is returned."""
    gr.Markdown(words, elem_classes="ta-lead")
    with gr.Accordion("More", open=False, elem_classes="ta-fold") as fold:
        gr.Markdown(more)
    return fold


def line_of_facts(facts: Iterable[tuple[str, str]]) -> str:
    """Values with what they are, in one line that wraps."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for value, name in facts)
    return f'<dl class="ta-facts">{rows}</dl>'


def alert(error: ValueError | None = None) -> str:
    """The line under a tab's inputs: empty, or what is wrong with them in words."""
    return f'<p class="ta-alert" role="alert">{escape(_sentence(str(error)))}</p>' if error else ""


def text(sentence: str) -> str:
    """A sentence as HTML; the empty one is called so."""
    return escape(sentence) if sentence.strip() else '<span class="ta-empty">(the empty sentence)</span>'


def changed(sentence: str, before: str) -> str:
    """A sentence as HTML, its words that are not in `before` marked."""
    words = sentence.split()
    if not words:
        return text(sentence)
    same = [False] * len(words)
    for block in SequenceMatcher(a=before.split(), b=words, autojunk=False).get_matching_blocks():
        same[block.b : block.b + block.size] = [True] * block.size
    return " ".join(escape(w) if s else f"<mark>{escape(w)}</mark>" for w, s in zip(words, same, strict=True))


def listed(rows: Iterable[tuple[str, str]]) -> str:
    """Sentences one below the other, each with a short note at its right."""
    items = "".join(f'<li><span>{text(s)}</span><span class="ta-note">{escape(note)}</span></li>' for s, note in rows)
    return f'<ol class="ta-list">{items}</ol>'


def bars(values: Mapping[str, float]) -> str:
    """Probabilities with their names, as bars."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><span class="ta-bar" aria-hidden="true"><i style="width:{p:.0%}"></i></span></td><td class="ta-like">{p:.0%}</td></tr>'
        for name, p in values.items()
    )
    return f'<table class="ta-bars"><tbody>{rows}</tbody></table>'


def counted(sentences: Sequence[str]) -> list[tuple[str, str]]:
    """Each different sentence once, in order of first appearance, with how often it came."""
    return [(s, f"× {n}" if n > 1 else "") for s, n in Counter(sentences).items()]


def _sentence(message: str) -> str:
    """A library's message as a sentence: capital, full stop."""
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "!", "?")) else ".")
