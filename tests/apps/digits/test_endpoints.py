"""The endpoints of digits over HTTP."""

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps.demo import launch
from apps.digits import endpoints
from apps.digits.picture import data_address
from apps.shelf import Shelf
from apps.tabs import digits

NAMES = {"/digit_reconstruct", "/digit_samples", "/digit_interpolate", "/digit_anomaly"}


@pytest.fixture(scope="module")
def page():
    with gr.Blocks(analytics_enabled=False) as page:
        digits.build(Shelf(device="cpu"))
    yield page
    page.close(verbose=False)


@pytest.fixture(scope="module")
def client(page):
    return Client(launch(page.queue()), verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def picture():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 13:15] = 255
    return data_address(pixels)


def test_every_endpoint_answers(client, picture):
    found = client.predict(picture, "mnist-ae", api_name="/digit_reconstruct")
    assert np.shape(found["image"]) == (28, 28) and len(found["code"]) == 2 and found["seen"][10][14] == 255
    found = client.predict("2", 3, 1.0, 0, api_name="/digit_samples")
    assert [f["digit"] for f in found] == ["2"] * 3 and np.shape(found[0]["image"]) == (28, 28)
    assert np.shape(client.predict(picture, picture, 4, "slerp", api_name="/digit_interpolate")) == (4, 28, 28)
    found = client.predict(picture, api_name="/digit_anomaly")
    assert np.shape(found["map"]) == (28, 28) and 0 < found["p_value"] <= 1


def test_only_named_endpoints_are_public(page):
    info = page.get_api_info()
    assert NAMES <= set(info["named_endpoints"]) <= NAMES | {"/digit_denoise"} and not info["unnamed_endpoints"]
    for endpoint in info["named_endpoints"].values():
        assert endpoint["description"]
        assert all(p["python_type"]["type"] in ("str", "int", "float") for p in endpoint["parameters"])


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("/digit_reconstruct", ("/etc/passwd", "mnist-ae"), "the picture"),
        ("/digit_reconstruct", ("http://127.0.0.1/x.png", "mnist-ae"), "not base64"),
        ("/digit_samples", ("1", 10**9, 1.0, 0), "from 1 to 30"),
        ("/digit_samples", ("1", 3, 1.0, -1), "the seed"),
        ("/digit_interpolate", ("", "", 3, "lerp"), "the first picture is missing"),
        ("/digit_anomaly", (None,), "must be text"),
    ],
)
def test_bad_input_is_refused(client, picture, name, given, message):
    with pytest.raises(AppError, match=message):
        client.predict(*given, api_name=name)
    assert client.predict(picture, api_name="/digit_anomaly")["score"] > 0  # the server is alive


def test_what_the_browser_asks_is_checked_too(page):
    lab = next(b for b in page.blocks.values() if getattr(b, "elem_id", None) == "lab-digits")
    weights, picture = lab.weights, lab.picture
    assert "error" in weights("../../etc/passwd") and "error" in weights(["mnist-ae"][0:0] or None)
    assert weights("mnist-ae")["title"] == "AE"
    assert picture(5) == {"error": picture(5)["error"]} and picture("x")["error"].startswith("The picture")


def test_a_shelf_without_digits_says_so_and_has_no_endpoint():
    with gr.Blocks(analytics_enabled=False) as page:
        digits.build(Shelf(device="cpu", bundled=False))
    assert page.get_api_info()["named_endpoints"] == {}
    assert any("needs a model" in str(getattr(b, "value", "")) for b in page.blocks.values())


def test_everything_waits_in_the_one_line(page):
    for fn in page.fns.values():
        if fn.fn is not None and fn.queue:
            assert fn.concurrency_id == "model" and fn.concurrency_limit == 1, fn.name


def test_registering_needs_no_model(tmp_path):
    with gr.Blocks(analytics_enabled=False) as page:
        endpoints.register(Shelf(device="cpu", bundled=False))
    assert not page.fns
