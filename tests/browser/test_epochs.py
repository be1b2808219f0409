"""The slider over the saved epochs: it asks nothing of the server until it rests."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.harness.app import Traffic, assert_parameters, wait_until_complete, wait_until_idle
from tests.harness.server import Server


def test_the_epochs_play_in_the_browser(server: Server, visit: Visit) -> None:
    page = visit(server.url, complete=False)
    traffic = Traffic(page)
    page.goto(f"{server.url}/filter_explorer?model=tutorial&panel=epochs&epoch=2")
    wait_until_complete(page)
    player = page.locator(".st-key-epoch_player")
    sheet = page.locator(".st-key-epoch_sheet canvas")
    kernel, picture = player.locator("i"), player.locator("canvas")
    slider = player.get_by_role("slider", name="Epoch")
    place = "element => element.style.backgroundPositionY"
    pixels = 'canvas => [...canvas.getContext("2d").getImageData(0, 0, 26, 26).data]'

    expect(player.get_by_text("after epoch 2, test accuracy")).to_be_visible()
    assert kernel.evaluate(place) == "40%"
    # The first map of the sheet, enlarged.
    expect(picture).to_have_js_property("width", 26)
    second = picture.evaluate(pixels)
    assert second == sheet.evaluate(pixels)
    assert len(set(second)) > 50
    slider.press("Home")
    expect(player.get_by_text("before training, test accuracy")).to_be_visible()
    assert kernel.evaluate(place) == "0%"
    assert second != picture.evaluate(pixels) == sheet.evaluate(pixels)
    assert_parameters(page, epoch=0)
    wait_until_idle(page)

    traffic.reset()
    player.get_by_role("button", name="play").click()
    expect(player.get_by_text("after epoch 4, test accuracy")).to_be_visible()
    assert (traffic.sent, traffic.received) == (0, [])
    # The epoch is in the URL, the last one stays out of it; the server draws nothing of it.
    expect(player.get_by_text("after epoch 5, test accuracy 90.0 %")).to_be_visible()
    expect(page).not_to_have_url(re.compile("epoch="))
    assert (traffic.sent, traffic.received) == (0, [])

    slider.press("ArrowLeft")
    assert_parameters(page, epoch=4)
    expect(slider).to_be_focused()
    # A choice is a step of the history, the epochs that were passed are none.
    page.get_by_role("button", name="Random image").click()
    wait_until_idle(page)
    slider.press("ArrowLeft")
    assert_parameters(page, epoch=3)
    page.go_back()
    expect(player.get_by_text("after epoch 4, test accuracy")).to_be_visible()
