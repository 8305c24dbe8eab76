"""The page in a real browser: filled when it opens, answers while one types and slides, stays on this machine.

Screenshots go to the folder in TEXTAE_ARTIFACTS, or to pytest's temporary one.
"""

import re
from pathlib import Path

import pytest

from apps.tabs import TABS

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=30_000)  # a busy machine draws late; what is never drawn fails all the same

PAST = re.compile("saw|liked|needed|wanted")  # what the tiny model knows
DESKTOP, WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 1600, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture
def opened(open_address, address, settle):
    """Opens the page at a tab, and waits until it listens."""

    def open_page(viewport=DESKTOP, scheme="light", tab="Interpolate"):
        page = open_address(address, viewport, scheme)
        to_tab(page, tab)
        settle(page)
        return page

    return open_page


def to_tab(page, title):
    """Choose a tab; on a narrow screen the last ones are in the menu behind the dots."""
    expect(page.get_by_role("tab").first).to_be_visible()
    tab = page.get_by_role("tab", name=title, exact=True)
    if tab.count() and tab.is_visible():
        tab.click()
    else:
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=title).click()
    expect(page.get_by_role("tab", name=title, exact=True, include_hidden=True).first).to_have_attribute("aria-selected", "true")


def slide(page, name, value):
    handle = page.locator(f"#{name} input[type=range]")
    for _ in range(40):
        handle.fill(str(value))
        handle.dispatch_event("pointerup")
        if name != "position" or f"At {value:.0%} of the way" in page.locator("#here h2").inner_text():
            return
        page.wait_for_timeout(250)  # a slow machine shows the slider a moment before it listens


def choose_model(page, name):
    page.get_by_label("Model", exact=True).locator("visible=true").click()
    page.get_by_role("option", name=name, exact=True).click()


def test_first_screen_is_filled(opened, shot):
    page = opened()
    assert page.locator("#here .ta-big").inner_text().strip()
    assert page.locator("#steps tbody tr").count() == 9
    assert page.locator("#here").bounding_box()["y"] < 900  # without scrolling
    for name in ("From", "To"):
        assert page.get_by_label(name, exact=True).input_value()
    shot(page, "desktop-interpolate")


def test_slider_changes_the_sentence_without_asking_the_server(opened):
    page = opened()
    page.get_by_label("From", exact=True).fill("We need rain.")
    page.get_by_label("To", exact=True).fill("They want the dog.")
    expect(page.locator("#steps tbody tr").first).to_contain_text("We need rain.")
    expect(page.locator("#steps tbody tr").last).to_contain_text("They want the dog.")
    page.wait_for_timeout(500)
    asked = []
    page.on("request", lambda r: asked.append(r.url) if r.method == "POST" else None)
    slide(page, "position", 0)
    expect(page.locator("#here .ta-big")).to_have_text("We need rain.")
    slide(page, "position", 1)
    expect(page.locator("#here .ta-big")).to_have_text("They want the dog.")
    expect(page.locator("#here h2")).to_have_text("At 100% of the way")
    assert asked == []
    assert page.evaluate(SLIDING) < 2000  # it follows at all; 2 to 5 ms where nothing else runs


def test_the_card_follows_the_slider_when_the_path_changes_under_it(opened):
    page = opened()
    slide(page, "position", 1)
    expect(page.locator("#here h2")).to_have_text("At 100% of the way")
    page.get_by_label("To", exact=True).fill("They want the dog.")
    expect(page.locator("#here .ta-big")).to_have_text("They want the dog.")
    page.get_by_label("From", exact=True).fill("We need rain.")
    slide(page, "position", 0)  # while the answer is on its way
    expect(page.locator("#steps tbody tr").first).to_contain_text("We need rain.")
    expect(page.locator("#here .ta-big")).to_have_text("We need rain.")
    expect(page.locator("#here h2")).to_have_text("At 0% of the way")


# Milliseconds from a slider's event to the changed card, the middle of nine.
SLIDING = """async () => {
  const handle = document.querySelector('#position input[type=range]'), times = [];
  const said = () => document.querySelector('#here h2').textContent;
  for (let i = 1; i <= 9; i++) {
    const before = said(), start = performance.now();
    handle.value = i / 12;
    handle.dispatchEvent(new Event('input', { bubbles: true }));
    while (said() === before && performance.now() - start < 2000) await new Promise(r => setTimeout(r, 1));
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[4];
}"""


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


def test_through_attributes_where_the_model_knows_some(opened, settle, shot):
    page = opened()
    expect(page.get_by_label("Through attributes")).to_have_count(0)  # the first model knows none
    choose_model(page, "told")
    settle(page)
    page.get_by_label("From", exact=True).fill("I see tea.")
    page.get_by_label("Through attributes").check()
    expect(page.get_by_label("To", exact=True)).to_have_count(0)
    expect(page.locator("#become input")).to_have_value("sentiment: negative")
    page.locator("#become input").click()
    page.get_by_role("option", name="tense: past").click()
    expect(page.locator("#steps tbody tr").first).to_contain_text("I see tea.")
    expect(page.locator("#steps tbody tr").last).to_contain_text(PAST)
    shot(page, "desktop-through-attributes")


def test_steps_are_copied(opened):
    page = opened()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    lines = page.evaluate("navigator.clipboard.readText()").strip().split("\n")
    assert len(lines) == 10 and lines[1].startswith("0%\t") and lines[-1].startswith("100%\t")


def test_errors_stand_in_words_under_the_fields(opened, shot):
    page = opened()
    steps = page.locator("#steps").inner_text()
    page.get_by_label("From", exact=True).fill("")
    expect(page.get_by_role("alert").first).to_have_text("The first sentence is empty: type a few words.")
    assert page.locator("#steps").inner_text() == steps  # the last answer stays
    shot(page, "desktop-error")
    page.get_by_label("From", exact=True).fill("I see tea.")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_control_edits_live_and_a_list(opened, settle, shot, tmp_path):
    page = opened(tab="Control")
    page.get_by_label("Sentence", exact=True).fill("I see tea.")
    page.locator("#control-go").click()
    expect(page.locator("#control-result h2").first).to_have_text("I see tea.")
    expect(page.locator("#control-result .ta-big")).to_contain_text(PAST)
    expect(page.locator("#control-result")).to_contain_text("not a judge")
    page.get_by_label("as it is").check()
    expect(page.locator("#control-result")).to_contain_text("Nothing is asked for yet")
    slide(page, "control-sentiment", -1)
    expect(page.locator("#control-result")).not_to_contain_text("Nothing is asked for yet")
    page.get_by_label("past", exact=True).check()
    slide(page, "control-sentiment", 0)
    shot(page, "desktop-control")
    page.get_by_role("button", name="A list of sentences").click()
    settle(page)
    page.locator("#control-csv").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text("There is nothing to download yet: edit a list first.")
    page.get_by_label("One a line").fill("I see tea.\nWe like rain.\n" + "They want a bill.\n" * 8)
    page.locator("#control-run").click()
    expect(page.locator("#control-progress")).to_contain_text("10 of 10 sentences")
    expect(page.locator("#control-table tbody tr")).to_have_count(10)
    expect(page.locator("#control-table tbody tr").nth(1)).to_contain_text(PAST)
    for kind, begins in (("csv", "\ufeffsource,text"), ("jsonl", '{"source": "I see tea."')):
        with page.expect_download() as caught:
            page.locator(f"#control-{kind}").click()
        assert caught.value.suggested_filename == f"edits.{kind}"
        assert Path(caught.value.path()).read_text(encoding="utf-8").startswith(begins)
    shot(page, "desktop-control-list")
    page.get_by_label("One a line").fill("")
    (tmp_path / "mine.csv").write_text("n,text\n1,You need a book.\n")
    page.locator("#control-file input[type=file]").set_input_files(tmp_path / "mine.csv")
    expect(page.locator("#control-file")).to_contain_text("mine")
    page.locator("#control-run").click()
    expect(page.locator("#control-progress")).to_contain_text("1 of 1 sentences")
    expect(page.locator("#control-table tbody tr")).to_contain_text(PAST)


def test_models_are_shown_with_their_cards(opened, shot):
    page = opened(tab="Models")
    expect(page.locator("#models-table tbody tr")).to_have_count(3)
    page.get_by_label("Show the card of").click()
    page.get_by_role("option", name="told").click()
    expect(page.locator("#models-card h1")).to_have_text("Told")
    expect(page.locator("#models-card em")).to_have_text("our own")
    page.get_by_label("Show the card of").click()
    page.get_by_role("option", name="mnist-vae").click()
    expect(page.locator("#models-facts")).to_contain_text("28 × 28")
    assert page.locator("#models-card img").count() == 0
    shot(page, "desktop-models")


def test_reconstruct(opened, shot):
    page = opened(tab="Reconstruct")
    expect(page.locator("#rebuilt .ta-numbers dd")).to_have_count(4)
    page.get_by_label("Your sentence").fill("You like rain.")
    expect(page.locator("#rebuilt .ta-big")).to_have_text("You like rain.")
    expect(page.locator("#rebuilt")).to_contain_text("letter for letter")
    expect(page.locator("#rebuilt")).to_contain_text("Nearest examples")
    shot(page, "desktop-reconstruct")


def test_typed_html_stays_text(opened):
    page = opened(tab="Reconstruct")
    before = page.locator("#rebuilt").inner_text()
    page.get_by_label("Your sentence").fill('<img src=x onerror="document.title=1"><script>document.title=2</script>')
    expect(page.locator("#rebuilt")).not_to_have_text(before)
    assert page.locator("#rebuilt img, #rebuilt script").count() == 0
    assert page.title().startswith("textae")


def test_sample_and_more_like_one(opened, shot):
    page = opened(tab="Sample")
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


def test_two_visitors_see_only_their_own(opened):
    one, other = opened(), opened()
    one.get_by_label("From", exact=True).fill("We need rain.")
    other.get_by_label("From", exact=True).fill("They want the dog.")
    expect(one.locator("#steps tbody tr").first).to_contain_text("We need rain.")
    expect(other.locator("#steps tbody tr").first).to_contain_text("They want the dog.")
    for page in (one, other):
        slide(page, "position", 0)
    expect(one.locator("#here .ta-big")).to_have_text("We need rain.")
    expect(other.locator("#here .ta-big")).to_have_text("They want the dog.")


@pytest.mark.parametrize(("name", "viewport", "scheme"), [("phone", PHONE, "light"), ("phone-dark", PHONE, "dark"), ("wide-dark", WIDE, "dark")])
def test_every_tab_fits_its_screen(opened, fits, shot, name, viewport, scheme):
    page = opened(viewport, scheme)
    for title in TABS:
        to_tab(page, title)
        more = page.locator("button:visible", has_text="More").first
        assert page.locator(".ta-lead p:visible").count() == 1, f"{title} does not say what it is"
        more.click()
        assert fits(page), f"{title} scrolls sideways"
        more.click()
        page.wait_for_timeout(300)  # the fold's own transition
        shot(page, f"{name}-{title.lower()}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_of_accessibility(opened, scheme):
    """axe-core's rules, on every tab as it opens."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, serious = opened(scheme=scheme), []
    for title in TABS:
        to_tab(page, title)
        page.wait_for_timeout(400)
        for violation in axe.run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                serious += [f"{title}: {violation['id']}: {node['html'][:160]}" for node in violation["nodes"]]
    assert serious == []


def test_a_path_is_walked_with_the_keyboard_alone(opened):
    page = opened()
    page.get_by_label("From", exact=True).focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#position input[type=range]')"):
            break
    else:
        pytest.fail("the slider is not reached with the Tab key")
    before = page.locator("#here h2").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#here h2")).not_to_have_text(before)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"  # one sees where one is


def test_nothing_jumps_while_sliding(opened):
    page = opened()
    tops = set()
    for step in (6, 18, 42):
        slide(page, "position", step / 48)
        expect(page.locator("#here h2")).to_have_text(f"At {step / 48:.0%} of the way")
        tops.add(page.locator("#steps").bounding_box()["y"])
    assert len(tops) == 1
