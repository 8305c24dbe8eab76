"""The tabs Digits and Playground as a visitor has them, and the page without a server."""

import io
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import DESKTOP, PHONE, WIDE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOADED = "() => { const v = document.querySelector('.digits').view; return v && v.maps.every((m) => m.decoder); }"


def to_tab(page, title):
    page.get_by_role("tab", name=title, exact=True).click()


def open_digits(page):
    to_tab(page, "Digits")
    page.wait_for_function(LOADED)
    expect(page.locator("[data-part=wait]")).to_have_text("")


def drawn_codes(page):
    return page.evaluate("document.querySelector('.digits').view.maps.map((m) => m.code && Array.from(m.code.mean))")


def stroke(page, canvas, points):
    box = page.locator(canvas).bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def picture(size=(300, 200)):
    """A dark 1 on white paper, as a file."""
    from PIL import Image

    pixels = np.full(size[::-1], 255, np.uint8)
    pixels[40:160, 140:156] = 20
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"name": "one.png", "mimeType": "image/png", "buffer": file.getvalue()}


# --- digits ---------------------------------------------------------------------------------------------------


def test_weights_are_asked_for_when_the_tab_is_first_shown(opened, labs_address):
    page = opened(labs_address)
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "component_server" in r.url else None)
    page.wait_for_timeout(1500)
    assert asked == [] and page.locator(".lab").count() == 0
    open_digits(page)
    assert len(asked) == 3
    to_tab(page, "About")
    to_tab(page, "Digits")
    page.wait_for_timeout(500)
    assert len(asked) == 3


def test_drawing_moves_the_point_and_rebuilds(opened, labs_address, shot):
    page = opened(labs_address, WIDE)
    open_digits(page)
    before = page.wait_for_function("() => { const c = document.querySelector('.digits').view.maps[0].code; return c && Array.from(c.mean); }").json_value()
    stroke(page, ".digits .paper", [(0.5, 0.1), (0.5, 0.9)])
    page.wait_for_timeout(500)
    after = drawn_codes(page)
    assert after[0] != before and all(np.isfinite(after).ravel())
    expect(page.locator(".digits .rebuilt").nth(1)).to_contain_text("of 10 are a 1")
    expect(page.locator(".digits .rebuilt").nth(1)).to_contain_text("σ")
    assert page.evaluate("document.querySelector('.digits').view.strokes.length") == 1  # the example made way for the first stroke
    shot(page, "digits-wide")
    page.locator(".digits [data-part=undo]").click()
    page.wait_for_timeout(300)
    assert drawn_codes(page) == [None] * 3
    expect(page.locator(".digits .rebuilt").first).to_contain_text("Draw a digit")


def test_keys_write_and_clear(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_digits(page)
    page.locator(".digits .paper").focus()
    page.keyboard.press("0")
    expect(page.locator(".digits .rebuilt").first).to_contain_text("of 10 are a 0")
    page.keyboard.press("Delete")
    expect(page.locator(".digits .rebuilt").first).to_contain_text("Draw a digit")
    page.get_by_role("button", name="Write a 7").click()
    expect(page.locator(".digits .rebuilt").first).to_contain_text("of 10 are a 7")


def test_hovering_one_map_decodes_on_all(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_digits(page)
    box = page.locator(".digits .map canvas").nth(1).bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.1 * box["height"])
    for k in range(3):
        expect(page.locator(".digits .rebuilt").nth(k)).to_contain_text("decoded at")
    equal = page.evaluate("""() => document.querySelector('.digits').view.maps.every((m) =>
      Math.hypot(m.place[0] - 0.8, m.place[1] - 0.8) < 0.02 && m.rebuilt.querySelector('canvas').width > 0)""")
    assert equal
    page.mouse.move(5, 5)
    expect(page.locator(".digits .rebuilt").first).to_contain_text("rebuilt from")
    page.locator(".digits .map canvas").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".digits .rebuilt").nth(2)).to_contain_text("decoded at")
    page.keyboard.press("Escape")
    expect(page.locator(".digits .rebuilt").nth(2)).to_contain_text("rebuilt from")


def test_a_picture_is_read_or_refused_in_words(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_digits(page)
    chooser = page.locator(".digits [data-part=file]")
    chooser.set_input_files(picture())
    expect(page.locator(".digits .rebuilt").first).to_contain_text("of 10 are a 1")
    chooser.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"<script>alert(1)</script>"})
    expect(page.locator(".digits [role=alert]")).to_contain_text("or it is damaged")
    chooser.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"0" * 5_000_000})
    expect(page.locator(".digits [role=alert]")).to_contain_text("no picture that this browser can read")
    chooser.set_input_files(picture())
    expect(page.locator(".digits [role=alert]")).to_have_text("")


def test_the_servers_verbs_answer(opened, labs_address, shot):
    page = opened(labs_address, reduced_motion="reduce")
    open_digits(page)
    expect(page.locator("#digit-samples img")).to_have_count(10)
    page.get_by_label("4", exact=True).first.check()
    expect(page.locator("#digit-samples figcaption").first).to_have_text("4")
    to_tab(page, "From digit to digit")
    expect(page.locator("#digit-steps img")).to_have_count(9)
    to_tab(page, "Where it is odd")
    expect(page.locator("#digit-odd img")).to_have_count(3)
    page.locator(".digits [data-part=clear]").click()
    page.locator("#digit-look").click()
    expect(page.locator("#digit-odd [role=alert]")).to_contain_text("draw a digit")
    page.get_by_role("button", name="Write a 8").click()
    page.locator("#digit-look").click()
    expect(page.locator("#digit-odd")).to_contain_text("at least as odd:")
    shot(page, "digits-anomaly")


def test_two_visitors_draw_each_their_own(opened, labs_address):
    pages = [opened(labs_address, reduced_motion="reduce") for _ in range(2)]
    for digit, page in enumerate(pages):
        open_digits(page)
        page.get_by_role("button", name=f"Write a {digit}").click()
    for digit, page in enumerate(pages):
        expect(page.locator(".digits .rebuilt").first).to_contain_text(f"of 10 are a {digit}")


# --- playground -----------------------------------------------------------------------------------------------

VIEW = "document.querySelector('.playground').view"


def open_playground(page):
    to_tab(page, "Playground")
    page.wait_for_function(f"() => document.querySelector('.playground') && {VIEW} && {VIEW}.moments.length")


def test_it_trains_at_once_pauses_and_goes_back(opened, labs_address, shot):
    page = opened(labs_address, WIDE)
    asked = []
    open_playground(page)
    page.on("request", lambda r: asked.append(r.url) if "heartbeat" not in r.url else None)
    page.wait_for_function(f"() => {VIEW}.nets[0].steps >= 100")
    page.locator(".playground [data-part=play]").click()
    expect(page.locator(".playground [data-part=play]")).to_have_text("Play")
    steps = page.evaluate(f"{VIEW}.nets[0].steps")
    page.wait_for_timeout(400)
    assert page.evaluate(f"{VIEW}.nets[0].steps") == steps
    errors = page.evaluate(f"[0, 1].map((k) => [{VIEW}.moments[0].nets[k].error, {VIEW}.moments[{VIEW}.moments.length - 1].nets[k].error])")
    assert all(last < 0.5 * first for first, last in errors)
    shot(page, "playground-wide")
    slider = page.locator(".playground [data-part=moment]")
    slider.fill("0")
    expect(page.locator(".playground [data-part=numbers]")).to_contain_text("Step 0 ·")
    page.locator(".playground [data-part=step]").click()
    expect(page.locator(".playground [data-part=numbers]")).to_contain_text(f"Step {steps + 1} ·")
    page.locator(".playground [data-part=reset]").click()
    expect(page.locator(".playground [data-part=numbers]")).to_contain_text("Step 0 ·")
    assert asked == []  # a hundred visitors cost the server nothing


def test_every_setting_takes_effect(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_playground(page)
    assert page.evaluate(f"{VIEW}.nets[0].steps") == 0  # calm pages start still
    page.get_by_label("sphere").check()
    assert page.evaluate(f"[{VIEW}.points.length, {VIEW}.ordered]") == [40, False]
    page.locator(".playground [data-part=hidden]").select_option("2")
    assert page.evaluate(f"{VIEW}.nets[1].layers.length") == 9  # 64, 64, 2, mean, log-variance, 2, 64, 64, output
    page.locator(".playground [data-part=activation]").select_option("relu")
    assert page.evaluate(f"{VIEW}.nets[0].slope(-1)") == 0
    page.locator(".playground [data-part=rate]").select_option("0")
    assert page.evaluate(f"{VIEW}.nets.map((n) => n.rate)") == [0.001, 0.001]
    page.locator(".playground [data-part=weight]").fill("25")
    assert page.evaluate(f"{VIEW}.nets.map((n) => n.klWeight)") == [0, 1]
    expect(page.locator(".playground [data-part=weight-out]")).to_have_text("1")
    page.locator(".playground [data-part=weight]").fill("0")
    assert page.evaluate(f"{VIEW}.nets[1].klWeight") == 0


def test_a_point_lights_up_in_all_views(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_playground(page)
    page.wait_for_timeout(300)
    for canvas, places in (("code-0", f"{VIEW}.places(0)"), ("output-1", f"{VIEW}.outputs[1].places"), ("input", f"{VIEW}.input.places")):
        box = page.locator(f".playground [data-part={canvas}]").bounding_box()
        at = page.evaluate(f"(() => {{ const p = {places}[6]; return [p.x, p.y]; }})()")
        page.mouse.move(box["x"] + at[0], box["y"] + at[1])
        chosen = page.evaluate(f"{VIEW}.chosen")
        near = page.evaluate(f"(() => {{ const p = {places}; return Math.hypot(p[6].x - p[{chosen}].x, p[6].y - p[{chosen}].y); }})()")
        assert chosen >= 0 and near < 1.5, canvas  # another point may lie on the same pixel
        expect(page.locator(".playground [data-part=point-out]")).to_contain_text(f"Point {chosen + 1}:")
    page.locator(".playground [data-part=point]").fill("3")
    expect(page.locator(".playground [data-part=point-out]")).to_contain_text("Point 3:")
    page.locator(".playground [data-part=input]").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{VIEW}.turn.yaw") == pytest.approx(0.48)


def test_ones_own_curve_is_learned(opened, labs_address, shot):
    page = opened(labs_address, reduced_motion="reduce")
    open_playground(page)
    page.get_by_label("your own curve").check()
    expect(page.locator(".playground .pad")).to_be_visible()
    stroke(page, ".playground .pad", [(0.3, 0.3), (0.31, 0.3)])
    expect(page.locator(".playground [role=alert]")).to_contain_text("too short")
    stroke(page, ".playground .pad", [(0.2, 0.8), (0.5, 0.2), (0.8, 0.8), (0.2, 0.4)])
    expect(page.locator(".playground .pad")).to_be_hidden()
    assert page.evaluate(f"[{VIEW}.points.length, {VIEW}.points[0][1], {VIEW}.points[39][1]]") == [40, 0, 1]
    page.wait_for_function(f"() => {VIEW}.nets[0].steps > 20")
    shot(page, "playground-own")
    page.get_by_role("button", name="Draw another curve").click()
    expect(page.locator(".playground .pad")).to_be_visible()
    page.get_by_label("helix").check()
    assert page.evaluate(f"{VIEW}.points.length") == 36


def test_the_history_stays_small(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_playground(page)
    kept = page.evaluate(f"(() => {{ const v = {VIEW}; for (let k = 0; k < 620; k++) v.look(); return v.moments.length; }})()")
    assert 250 <= kept <= 502
    assert page.evaluate(f"{VIEW}.moments[0].step") == 0


# --- every screen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "viewport", "scheme"), [("phone", PHONE, "light"), ("phone-dark", PHONE, "dark"), ("wide-dark", WIDE, "dark")])
def test_labs_fit_their_screen(opened, labs_address, shot, fits, name, viewport, scheme):
    page = opened(labs_address, viewport, scheme, reduced_motion="reduce")
    open_digits(page)
    page.wait_for_timeout(500)
    assert fits(page)
    shot(page, f"{name}-digits")
    open_playground(page)
    page.wait_for_timeout(500)
    assert fits(page)
    assert page.evaluate("Core => document.querySelector('.playground').view && getComputedStyle(document.querySelector('.playground')).getPropertyValue('--scheme').trim()") == scheme
    shot(page, f"{name}-playground")


def test_nothing_jumps_while_it_trains_and_hovers(opened, labs_address):
    page = opened(labs_address, DESKTOP)
    open_playground(page)
    tops = set()
    for steps in (5, 40, 80):
        page.wait_for_function(f"() => {VIEW}.nets[0].steps >= {steps}")
        page.locator(".playground [data-part=point]").fill(str(steps // 5))
        tops.add((page.locator(".playground .settings").bounding_box()["y"], page.locator(".playground [data-part=output-1]").bounding_box()["y"]))
    assert len(tops) == 1


def test_all_fields_have_names(opened, labs_address):
    page = opened(labs_address, reduced_motion="reduce")
    open_digits(page)
    open_playground(page)
    nameless = page.evaluate("""() => [...document.querySelectorAll('.lab button, .lab input, .lab select, .lab canvas')].filter((e) =>
      !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length && e.labels[0].textContent.trim()) || e.hidden))
      .map((e) => e.outerHTML.slice(0, 80))""")
    assert [n for n in nameless if "data-part=\"loss\"" not in n] == []


# --- without a server -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from apps.shelf import Shelf
    from apps.static_page import write_static

    folder = tmp_path_factory.mktemp("static") / "page"
    write_static(folder, Shelf(device="cpu"))
    return folder


def test_the_static_page_works_from_a_disk(opened, folder, shot, fits):
    page = opened(f"file://{folder}/index.html", WIDE, reduced_motion="reduce")
    page.wait_for_function(LOADED)
    page.get_by_role("button", name="Write a 0").click()
    expect(page.locator(".digits .rebuilt").first).to_contain_text("of 10 are a 0")
    expect(page.locator(".digits [data-part=upload]")).to_be_hidden()  # it needs a server
    page.locator(".playground [data-part=step]").click()
    expect(page.locator(".playground [data-part=numbers]")).to_contain_text("Step 1 ·")
    expect(page.locator("#alert")).to_be_hidden()
    assert fits(page)
    shot(page, "static-wide")


def test_the_static_page_fits_a_phone_in_the_dark(opened, folder, shot, fits):
    page = opened(f"file://{folder}/index.html", PHONE, "dark", reduced_motion="reduce")
    page.wait_for_function(LOADED)
    page.wait_for_timeout(500)
    assert fits(page) and page.evaluate("document.documentElement.className") == "dark"
    shot(page, "static-phone-dark")


def test_the_static_page_says_what_is_missing(browser, folder, tmp_path):
    (tmp_path / "index.html").write_text((folder / "index.html").read_text())
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/index.html")
    expect(page.locator("[data-part=wait]")).to_contain_text("the file weights-1.js is missing beside the page")
    page.close()


def test_the_folder_names_no_address_elsewhere(folder):
    text = (folder / "index.html").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["index.html", "weights-1.js", "weights-2.js", "weights-3.js"]
    assert not re.search(r"https?:", text) and "{{" not in text and "default-src" in text
    assert sum(p.stat().st_size for p in folder.iterdir()) < 7.5e6


def test_without_models_of_digits_the_page_has_the_playground(opened, tmp_path):
    from apps.shelf import Shelf
    from apps.static_page import write_static

    write_static(tmp_path, Shelf(device="cpu", bundled=False))
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]
    page = opened(f"file://{tmp_path}/index.html", reduced_motion="reduce")
    page.locator(".playground [data-part=step]").click()
    expect(page.locator(".playground [data-part=numbers]")).to_contain_text("Step 1 ·")
    assert page.locator(".digits").count() == 0
