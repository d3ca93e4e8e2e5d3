"""Background tiles: a dead server leaves a notice, a key is asked of the reader and kept nowhere."""

import base64

from playwright.sync_api import expect

ONE_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_a_dead_tile_server_leaves_a_notice_and_a_working_map(opened) -> None:
    seen = opened("dead-tiles", offline=False)
    page = seen.page
    expect(page.locator("#notice")).to_be_visible()
    assert "background map could not be loaded" in page.locator("#notice-text").text_content()
    assert all(r.startswith(("file:", "http://127.0.0.1:9/")) for r in seen.requests)
    page.locator("input[name=measure][value=change]").check(force=True)
    assert "change on the 12 months to July 2024" in page.locator("#heading").text_content()
    assert page.locator("#credit-text").text_content() == "Example Maps"
    opacity = page.evaluate("document.querySelector('.leaflet-areas-pane path').getAttribute('fill-opacity')")
    key = page.evaluate("document.querySelector('#legend .keys.first rect').getAttribute('fill-opacity')")
    assert key == opacity == "1"
    assert page.locator("#tiles").is_hidden()


def test_a_tile_key_is_asked_of_the_reader_and_kept_nowhere(opened) -> None:
    key = "secret/key &1"
    seen = opened("keyed-tiles", "l=ward", offline=False)
    page = seen.page
    asked: list[str] = []

    def answer(route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=200, content_type="image/png", body=ONE_PIXEL)

    page.route("https://tiles.example.org/**", answer)
    assert page.locator("#credit").is_hidden()
    page.locator("#tiles-show").click()
    assert asked == []
    page.locator("#tiles-key").fill(key)
    page.keyboard.press("Enter")
    page.locator(".leaflet-tile-loaded").first.wait_for(state="attached")
    assert asked
    assert all(url.endswith("?key=secret%2Fkey%20%261") for url in asked)
    assert page.locator("#credit").is_visible()
    opacity = page.evaluate("document.querySelector('.leaflet-areas-pane path').getAttribute('fill-opacity')")
    assert page.evaluate("getComputedStyle(document.querySelector('#legend .ramp i')).opacity") == opacity == "0.78"
    page.locator("input[name=measure][value=change]").check(force=True)
    assert "secret" not in page.url
    assert page.locator("#tiles-key").input_value() == ""
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert "secret" not in page.evaluate("document.body.innerText")
    page.unroute("https://tiles.example.org/**")
    page.route("https://tiles.example.org/**", lambda route: route.abort())
    page.locator("#tiles-key").fill("wrong")
    page.locator("#tiles-show").click()
    expect(page.locator("#notice-text")).to_contain_text("background map could not be loaded")
    page.route("https://tiles.example.org/**", answer)
    page.locator("#tiles-key").fill(key)
    page.locator("#tiles-show").click()
    expect(page.locator("#notice")).to_be_hidden()
