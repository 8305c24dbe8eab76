"""The chat in a real browser: typed, chipped, clicked, driven by keys, shared and imported; two visitors at once; nothing leaves this machine."""

import os
import re
from pathlib import Path

import gradio as gr
import pytest

from apps.page_style import CSS, THEME
from apps.tabs import chat

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=30_000)

DESKTOP, WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 1600, "height": 1000}, {"width": 390, "height": 844}
SENTENCE = "They saw rain."


@pytest.fixture(scope="module")
def served(told_space):
    """A page with the chat alone."""
    from apps.shelf import Shelf

    shelf = Shelf(["mnist-vae"], "cpu", {"told": told_space}, bundled=False)
    with gr.Blocks(analytics_enabled=False, title="textae") as page:
        chat.build(shelf)
    _, address, _ = page.queue(max_size=64).launch(
        server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, ssr_mode=False, theme=THEME, css=CSS, run_history=False
    )
    yield address
    page.close(verbose=False)


@pytest.fixture
def opened(open_address, served):
    """Opens the chat, each time as another visitor."""

    def open_page(viewport=DESKTOP, scheme="light", fragment=""):
        allowed = dict(permissions=["clipboard-read", "clipboard-write"], accept_downloads=True)
        page = open_address(served, viewport, scheme, fragment, **allowed)
        expect(answers(page)).not_to_have_count(0)
        page.wait_for_function("document.querySelector('#chat-map .lab')?.view")
        return page

    return open_page


def answers(page):
    return page.locator("#chat-talk .tc-answer")


def part(page, name):
    return page.locator(f'#chat-map [data-part="{name}"]')


def say(page, message):
    count = answers(page).count()
    page.get_by_label("Your message").fill(message)
    page.keyboard.press("Enter")
    expect(answers(page)).to_have_count(count + 1)
    return answers(page).last


def trail(page):
    return page.evaluate("document.querySelector('#chat-map .lab').view.walk.trail")


def shot(page, name, tmp_path):
    folder = Path(os.environ.get("TEXTAE_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"chat-{name}.png", full_page=True)


def test_the_first_screen_is_filled(opened):
    page = opened()
    assert answers(page).count() == 4 and len(trail(page)) >= 2
    assert page.locator("#chat-talk .option").count() >= 3
    assert part(page, "canvas").bounding_box()["y"] < 700
    assert page.evaluate("(() => { const c = document.querySelector('#chat-map canvas'); return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size })()") > 20


def test_typing_and_chips_walk_on(opened):
    page = opened()
    steps = len(trail(page))
    expect(say(page, SENTENCE)).to_contain_text(SENTENCE)
    expect(page.get_by_label("Your message")).to_have_value("")
    page.wait_for_function("n => document.querySelector('#chat-map .lab').view.walk.trail.length === n", arg=steps + 1)
    count = answers(page).count()
    page.locator("#chat-talk .option", has_text="make it present").click()
    expect(answers(page)).to_have_count(count + 1)
    expect(answers(page).last).to_contain_text("present")


def test_refusals_stand_in_words_and_keep_what_was_typed(opened):
    page = opened()
    count = answers(page).count()
    page.get_by_label("Your message").fill("   ")
    page.keyboard.press("Enter")
    expect(page.locator("#chat-alert")).to_contain_text("empty")
    assert answers(page).count() == count
    say(page, SENTENCE)
    expect(page.locator("#chat-alert")).to_have_text("")


def test_pointing_clicking_and_keys_on_the_map(opened):
    page = opened()
    x, y = page.evaluate("(() => { const v = document.querySelector('#chat-map .lab').view; const p = v.map.points[5]; return [v.surface.toX(p[0]), v.surface.toY(p[1])] })()")
    canvas = part(page, "canvas")
    canvas.hover(position={"x": x, "y": y})
    expect(part(page, "pointed")).to_have_text(re.compile(r"^[A-Z].*\.$"))
    sentence = part(page, "pointed").inner_text()
    count = answers(page).count()
    canvas.click(position={"x": x, "y": y})
    expect(answers(page)).to_have_count(count + 1)
    expect(page.locator("#chat-talk .tc-asked").last).to_have_text(f"“{sentence}”")
    canvas.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    expect(part(page, "pointed")).to_contain_text("click to see")
    page.keyboard.press("Enter")
    expect(answers(page)).to_have_count(count + 2)
    expect(page.locator("#chat-talk .tc-asked").last).to_contain_text("of the map")


def test_zoom_and_search(opened):
    page = opened()
    half = "document.querySelector('#chat-map .lab').view.surface.view.half"
    before = page.evaluate(half)
    part(page, "in").click()
    assert page.evaluate(half) < before
    part(page, "all").click()
    part(page, "search").fill("book")
    expect(part(page, "found").locator("button")).not_to_have_count(0)
    assert all("book" in text for text in part(page, "found").locator("button").all_inner_texts())
    count = answers(page).count()
    part(page, "search").press("Enter")
    expect(answers(page)).to_have_count(count + 1)
    part(page, "search").fill("zebra")
    expect(part(page, "found")).to_contain_text("No sentence")


def test_a_link_replays_for_somebody_else(opened):
    page = opened()
    say(page, SENTENCE)
    part(page, "link").click()
    expect(part(page, "told")).to_have_text("Copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    other = opened(fragment="#" + link.partition("#")[2])
    expect(other.locator("#chat-talk .tc-asked", has_text=SENTENCE)).to_have_count(1)
    expect(part(other, "told")).to_have_text("")
    assert trail(other) == trail(page) and "#" not in other.url


def test_a_damaged_link_is_refused_in_words(opened):
    page = opened(fragment="#walk=nonsense")
    expect(page.locator("#chat-alert")).to_contain_text("damaged")


def test_export_new_and_import(opened, tmp_path):
    page = opened()
    say(page, SENTENCE)
    before = trail(page)
    with page.expect_download() as download:
        part(page, "export").click()
    download.value.save_as(tmp_path / "walk.json")
    part(page, "new").click()
    expect(answers(page)).to_have_count(0)
    part(page, "import").set_input_files(tmp_path / "walk.json")
    expect(page.locator("#chat-talk .tc-asked", has_text=SENTENCE)).to_have_count(1)
    assert trail(page) == before
    (tmp_path / "bad.json").write_text("{}")
    part(page, "import").set_input_files(tmp_path / "bad.json")
    expect(page.locator("#chat-alert")).to_contain_text("no conversation")


def test_a_drawing_is_painted_again(opened, tmp_path):
    page = opened()
    count = answers(page).count()
    page.locator("#chat-map summary").click()
    part(page, "send").click()
    expect(part(page, "pad-alert")).to_contain_text("Nothing is drawn")
    box = part(page, "pad").bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 140, steps=4)
    page.mouse.up()
    part(page, "send").click()
    expect(answers(page)).to_have_count(count + 1)
    expect(answers(page).last.locator("img")).to_have_count(2)
    assert answers(page).last.locator("img").first.evaluate("i => i.naturalWidth") == 28
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    part(page, "file").set_input_files(tmp_path / "bad.png")
    expect(page.locator("#chat-alert")).to_contain_text("picture")


def test_two_visitors_do_not_meet(opened):
    one, other = opened(), opened()
    say(one, SENTENCE)
    say(other, "We like tea.")
    expect(say(one, "where am i")).to_contain_text(SENTENCE)
    expect(say(other, "where am i")).to_contain_text("We like tea.")
    assert SENTENCE not in other.locator("#chat-talk").inner_text()


def test_typed_html_and_markdown_stay_text(opened):
    page = opened()
    evil = '"<img src=x onerror=document.title=1> **bold** <script>document.title=2</script>"'
    say(page, evil)
    expect(page.locator("#chat-talk .tc-asked").last).to_have_text(evil)
    assert page.locator("#chat-talk .tc-asked img, #chat-talk .tc-asked strong").count() == 0 and page.title() == "textae"


@pytest.mark.parametrize(("name", "viewport", "scheme"), [("phone", PHONE, "light"), ("phone-dark", PHONE, "dark"), ("wide", WIDE, "light"), ("wide-dark", WIDE, "dark")])
def test_it_fits_every_screen(opened, tmp_path, name, viewport, scheme):
    page = opened(viewport, scheme)
    say(page, "neighbours")
    part(page, "search").fill("tea")
    page.locator("#chat-map summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shot(page, name, tmp_path)
