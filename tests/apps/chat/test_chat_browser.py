"""The chat in a real browser: typed, chipped, clicked, driven by keys, shared and imported; two visitors at once; nothing leaves this machine."""

import os
import re
import time
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
    expect(page.locator("#chat-talk .tc-greeting")).to_be_visible()
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


@pytest.fixture
def slowly(monkeypatch):
    """Every answer takes a while, as where others wait before one."""
    from apps.chat.desk import Desk

    answer = Desk.answer

    def late(self, walk, message):
        time.sleep(2.5)
        return answer(self, walk, message)

    monkeypatch.setattr(Desk, "answer", late)


def enter(page, message):
    page.get_by_label("Your message").fill(message)
    page.keyboard.press("Enter")


def test_a_message_that_waits_is_seen_and_sent_once(opened, slowly, tmp_path):
    page = opened()
    count, waiting = answers(page).count(), page.locator("#chat-talk .tc-waiting")
    enter(page, SENTENCE)
    page.keyboard.press("Enter")
    expect(waiting).to_have_text([SENTENCE], timeout=1_000)
    expect(page.get_by_label("Your message")).to_have_value("")
    enter(page, "We <b>like</b> tea.")
    expect(waiting).to_have_text([SENTENCE, "We <b>like</b> tea."], timeout=1_000)
    line = page.locator("#chat-talk .progress-text")
    expect(line).to_contain_text(re.compile(r"\d"))
    expect(page.locator("#chat-talk [data-testid=status-tracker]")).to_have_css("opacity", "1", timeout=2_400)
    assert page.locator("#chat-talk .progress-text").bounding_box()["height"] < 40
    shot(page, "waiting", tmp_path)
    page.get_by_label("Your message").type("half a", delay=20)
    expect(waiting).to_have_text(["We <b>like</b> tea."])
    expect(waiting).to_have_count(0)
    expect(answers(page)).to_have_count(count + 2)
    assert page.get_by_label("Your message").input_value() == "half a"
    assert page.locator("#chat-talk .tc-asked", has_text=SENTENCE).count() == 1


def test_a_refused_message_is_in_the_box_again(opened, monkeypatch):
    from apps.chat.desk import Desk

    def refuse(self, walk, message):
        raise ValueError("not today")

    page = opened()
    count = answers(page).count()
    monkeypatch.setattr(Desk, "answer", refuse)
    enter(page, SENTENCE)
    expect(page.locator("#chat-alert")).to_contain_text("Not today")
    expect(page.get_by_label("Your message")).to_have_value(SENTENCE)
    expect(page.locator("#chat-talk .tc-waiting")).to_have_count(0)
    assert answers(page).count() == count


def test_a_new_chat_greets_and_leads_back(opened, tmp_path):
    page = opened()
    say(page, SENTENCE)
    before = trail(page)
    for begin in (part(page, "new"), page.get_by_label("Clear")):
        begin.click()
        expect(answers(page)).to_have_count(0)
        expect(page.locator("#chat-talk .tc-greeting")).to_be_visible()
        chips = page.locator("#chat-talk .option")
        expect(chips.first).to_have_text("Bring the last conversation back")
        assert chips.count() >= 3
        shot(page, "new", tmp_path)
        chips.first.click()
        expect(page.locator("#chat-talk .tc-asked").last).to_have_text(SENTENCE)
        assert trail(page) == before


def test_a_link_leaves_a_way_back(opened):
    page = opened()
    say(page, SENTENCE)
    other = opened()
    say(other, "We like tea.")
    link = page.evaluate("document.querySelector('#chat-map .lab').view.walk.link")
    other.evaluate("link => { location.hash = 'walk=' + link }", link)
    expect(other.locator("#chat-talk .tc-asked").last).to_have_text(SENTENCE)
    other.locator("#chat-talk .option").first.click()
    expect(other.locator("#chat-talk .tc-asked").last).to_have_text("We like tea.")


def test_two_visitors_draw_different_sentences(opened, monkeypatch):
    from apps.chat import desk

    seeds = iter([11, 22])
    monkeypatch.setattr(desk.secrets, "randbelow", lambda _: next(seeds))
    one, other = opened(), opened()
    say(one, "surprise me")
    say(other, "surprise me")
    assert trail(one)[:-1] == trail(other)[:-1] and trail(one)[-1] != trail(other)[-1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_the_box_on_its_first_screen(open_address, address, scheme, tmp_path):
    page = open_address(address, PHONE, scheme)
    page.wait_for_function("document.querySelector('#chat-map .lab')?.view")
    box = page.locator("#chat-box").bounding_box()
    assert box["y"] + box["height"] < PHONE["height"]
    assert page.get_by_role("tab").count() >= 3
    expect(page.locator(".ta-choice .ta-facts").first).to_be_hidden()
    page.screenshot(path=Path(os.environ.get("TEXTAE_ARTIFACTS", tmp_path)) / f"chat-first-{scheme}.png")
    page.locator(".ta-fold > .label-wrap").first.click()
    expect(page.locator(".tc-facts").first).to_contain_text("latent dimensions")


HALF = "document.querySelector('#chat-map .lab').view.surface.view.half"


def test_a_second_press_on_the_map_zooms_and_sends_nothing(opened):
    page = opened()
    count, half = answers(page).count(), page.evaluate(HALF)
    part(page, "canvas").dblclick(position={"x": 60, "y": 60})
    expect(answers(page)).to_have_count(count + 1)
    page.wait_for_timeout(500)
    assert answers(page).count() == count + 1 and page.locator("#chat-talk .tc-waiting").count() == 0
    assert page.evaluate(HALF) < half


def test_the_wheel_zooms_where_the_pointer_rests_and_else_scrolls(opened):
    page = opened({"width": 1280, "height": 600})
    canvas = part(page, "canvas")
    half = page.evaluate(HALF)
    page.mouse.move(20, 300)
    page.mouse.wheel(0, 60)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, 300)
    page.mouse.wheel(0, 60)  # of one scroll with the one before
    page.wait_for_timeout(100)
    assert page.evaluate(HALF) == half
    page.wait_for_timeout(800)
    top = page.evaluate("scrollY")
    page.mouse.wheel(0, -60)
    page.wait_for_function(f"{HALF} < {half}")
    assert page.evaluate("scrollY") == top


def test_two_fingers_zoom_the_map(opened):
    page = opened()
    half, count = page.evaluate(HALF), answers(page).count()
    part(page, "canvas").scroll_into_view_if_needed()
    box = part(page, "canvas").bounding_box()
    x, y = box["x"] + 150, box["y"] + 150
    touch = page.context.new_cdp_session(page)
    for kind, gap in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80)):
        points = [{"x": x - gap, "y": y, "id": 1}, {"x": x + gap, "y": y, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function(f"{HALF} < {half / 2}")
    page.wait_for_timeout(300)
    assert answers(page).count() == count


def test_the_focus_of_a_chip_goes_to_the_box(opened):
    page = opened()
    count = answers(page).count()
    page.locator("#chat-talk .option").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your message")).to_be_focused()
    expect(answers(page)).to_have_count(count + 1)
    expect(page.get_by_label("Your message")).to_be_focused()
