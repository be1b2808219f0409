"""The slider over the saved epochs: it asks nothing of the server until it rests."""

from __future__ import annotations

from playwright.sync_api import expect

from benchmarks.server import Server
from tests.browser.app import assert_parameters, main, parameters, wait_until_idle
from tests.browser.conftest import Visit


def test_the_epochs_play_in_the_browser(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/filter_explorer?model=tutorial&panel=epochs&epoch=2")
    player = page.locator(".st-key-epoch_player")
    sheet = page.locator(".st-key-epoch_sheet i")
    expect(player.get_by_text("after epoch 2, test accuracy")).to_be_visible()
    slider = player.get_by_role("slider", name="Epoch")
    picture = player.locator("i").last
    place = "element => element.style.backgroundPositionY"
    assert picture.evaluate(place) == sheet.evaluate(place) == "40%"
    slider.press("Home")
    expect(player.get_by_text("before training, test accuracy")).to_be_visible()
    assert picture.evaluate(place) == sheet.evaluate(place) == "0%"
    assert_parameters(page, epoch=0)
    wait_until_idle(page)
    sent: list[object] = []
    page.on("websocket", lambda socket: sent.append(socket))
    frames = page.evaluate(
        """() => {
            const send = WebSocket.prototype.send;
            window.sent = 0;
            WebSocket.prototype.send = function (...data) {
                window.sent += 1;
                return send.apply(this, data);
            };
            return window.sent;
        }"""
    )
    assert frames == 0
    player.get_by_role("button", name="play").click()
    expect(player.get_by_text("after epoch 4, test accuracy")).to_be_visible()
    assert page.evaluate("window.sent") == 0
    # At its end it tells the address, and the address's default is the last epoch.
    expect(player.get_by_role("button", name="▶ play")).to_be_visible()
    expect(player.get_by_text("after epoch 5, test accuracy 90.0 %")).to_be_visible()
    page.wait_for_function("window.sent > 0")
    wait_until_idle(page)
    assert "epoch" not in parameters(page)
    slider.press("ArrowLeft")
    assert_parameters(page, epoch=4)
    expect(slider).to_be_focused()
    page.go_back()
    expect(player.get_by_text("after epoch 5, test accuracy")).to_be_visible()
    expect(main(page).get_by_text("as the network learned")).to_be_visible()
    assert sent == []
