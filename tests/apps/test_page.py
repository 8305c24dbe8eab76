"""The page in a real browser: filled when it opens, answers while one types and slides, stays on this machine.

Screenshots go to the folder in TEXTAE_ARTIFACTS, or to pytest's temporary one.
"""

import os
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=30_000)  # a busy machine draws late; what is never drawn fails all the same

DESKTOP, WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 1600, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, address):
    """Opens the page; when the test is over, no error was on its console and no request left this machine."""
    contexts, problems = [], []

    def open_page(viewport=DESKTOP, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: problems.append(f"error: {e}"))
        page.on("request", lambda r: problems.append(f"left: {r.url}") if not r.url.startswith((address, "data:", "blob:")) else None)
        page.goto(f"{address}?__theme={scheme}")
        expect(page.locator("#here .ta-big")).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def shot(tmp_path):
    folder = Path(os.environ.get("TEXTAE_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png", full_page=True)


def to_tab(page, title):
    page.get_by_role("tab", name=title).click()


def slide(page, name, value):
    handle = page.locator(f"#{name} input[type=range]")
    handle.fill(str(value))
    handle.dispatch_event("pointerup")


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_first_screen_is_filled(opened, shot):
    page = opened()
    assert page.locator("#here .ta-big").inner_text().strip()
    assert page.locator("#steps tbody tr").count() == 9
    assert page.locator("#here").bounding_box()["y"] < 900  # without scrolling
    for name in ("From", "To"):
        assert page.get_by_label(name, exact=True).input_value()
    shot(page, "desktop-interpolate")


def test_slider_changes_the_sentence(opened):
    page = opened()
    page.get_by_label("From", exact=True).fill("We need rain.")
    page.get_by_label("To", exact=True).fill("They want the dog.")
    expect(page.locator("#steps tbody tr").first).to_contain_text("We need rain.")
    expect(page.locator("#steps tbody tr").last).to_contain_text("They want the dog.")
    slide(page, "position", 0)
    expect(page.locator("#here .ta-big")).to_have_text("We need rain.")
    slide(page, "position", 1)
    expect(page.locator("#here .ta-big")).to_have_text("They want the dog.")
    expect(page.locator("#here h3")).to_have_text("At 100% of the way")


def test_swap_surprise_path_and_examples(opened):
    page = opened()
    a, b = page.get_by_label("From", exact=True), page.get_by_label("To", exact=True)
    before = a.input_value(), b.input_value()
    page.locator("#swap").click()
    expect(a).to_have_value(before[1])
    expect(b).to_have_value(before[0])
    page.locator("#surprise").click()
    expect(a).not_to_have_value(before[1])
    page.get_by_role("button", name="She speaks three languages. →").click()
    expect(a).to_have_value("She speaks three languages.")
    expect(b).to_have_value("He forgot to lock the door.")
    page.get_by_label("Arc (slerp)").check()
    expect(page.locator("#steps tbody tr")).to_have_count(9)


def test_errors_stand_in_words_under_the_fields(opened, shot):
    page = opened()
    steps = page.locator("#steps").inner_text()
    page.get_by_label("From", exact=True).fill("")
    expect(page.get_by_role("alert").first).to_have_text("The first sentence is empty: type a few words.")
    assert page.locator("#steps").inner_text() == steps  # the last answer stays
    shot(page, "desktop-error")
    page.get_by_label("From", exact=True).fill("I see tea.")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_reconstruct(opened, shot):
    page = opened()
    to_tab(page, "Reconstruct")
    expect(page.locator("#rebuilt .ta-numbers dd")).to_have_count(4)
    page.get_by_label("Your sentence").fill("You like rain.")
    expect(page.locator("#rebuilt .ta-big")).to_have_text("You like rain.")
    expect(page.locator("#rebuilt")).to_contain_text("letter for letter")
    expect(page.locator("#rebuilt")).to_contain_text("Nearest examples")
    shot(page, "desktop-reconstruct")


def test_typed_html_stays_text(opened):
    page = opened()
    to_tab(page, "Reconstruct")
    before = page.locator("#rebuilt").inner_text()
    page.get_by_label("Your sentence").fill('<img src=x onerror="document.title=1"><script>document.title=2</script>')
    expect(page.locator("#rebuilt")).not_to_have_text(before)
    assert page.locator("#rebuilt img, #rebuilt script").count() == 0
    assert page.title().startswith("textae")


def test_sample_and_more_like_one(opened, shot):
    page = opened()
    to_tab(page, "Sample")
    rows = page.locator("#drawn label")
    expect(rows).to_have_count(10)
    first = rows.all_inner_texts()
    page.locator("#new-seed").click()
    expect(page.get_by_label("Seed", exact=True)).not_to_have_value("0")
    page.wait_for_function("old => [...document.querySelectorAll('#drawn label')].map(x => x.innerText).join() !== old", arg=",".join(first))
    rows.nth(3).click()
    chosen = rows.nth(3).inner_text().strip()
    expect(page.get_by_label("More like this")).to_have_value(chosen)
    slide(page, "noise", 0)
    expect(page.locator("#around li")).to_have_count(1)
    expect(page.locator("#around li")).to_contain_text(chosen)
    slide(page, "num", 50)
    expect(rows).to_have_count(50)
    slide(page, "num", 10)
    expect(rows).to_have_count(10)
    slide(page, "noise", 0.8)
    shot(page, "desktop-sample")


@pytest.mark.parametrize(("name", "viewport", "scheme"), [("phone", PHONE, "light"), ("phone-dark", PHONE, "dark"), ("wide-dark", WIDE, "dark")])
def test_every_tab_fits_its_screen(opened, shot, name, viewport, scheme):
    page = opened(viewport, scheme)
    for title in ("Interpolate", "Reconstruct", "Sample"):
        to_tab(page, title)
        page.locator("button:visible", has_text="More").first.click()
        assert fits(page), f"{title} scrolls sideways"
        page.locator("button:visible", has_text="More").first.click()
        page.wait_for_timeout(300)  # the fold's own transition
        shot(page, f"{name}-{title.lower()}")


def test_nothing_jumps_while_sliding(opened):
    page = opened()
    tops = set()
    for value in (0.1, 0.4, 0.9):
        slide(page, "position", value)
        expect(page.locator("#here h3")).to_have_text(f"At {value:.0%} of the way")
        tops.add(page.locator("#steps").bounding_box()["y"])
    assert len(tops) == 1
