"""The picture of `shoal map` in a real browser: opened from disk, without a network, with texts that mean harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.browser import installed

from shoald.cli.map_picture import write_picture
from support.browser import Page, browser_page
from support.drawn_maps import HOSTILE, points_on, ring_of_groups

PROGRAM = installed()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium: install one, or let `make setup` get it by npm"),
]
SHOWN = "document.documentElement?.dataset"
GROUPS, POINTS = 6, 600


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM is not None
    with browser_page(PROGRAM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, tmp_path: Path) -> Page:
    """The browser with a drawn map, whose first group and first text would run a script."""
    write_picture(
        tmp_path / "map.html", "A map", ring_of_groups(GROUPS, hostile=HOSTILE), drawn_points(), text_length=200
    )
    return opened(browser, tmp_path / "map.html")


def drawn_points(n: int = POINTS) -> Any:
    return points_on(GROUPS, n, hostile=HOSTILE)


def opened(browser: Page, file: Path) -> Page:
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(file.as_uri())
    assert browser.until(f"{SHOWN}.state !== 'reading' && {SHOWN}.state") == "drawn"
    return browser


def settled(page: Page) -> None:
    """Wait until the camera has come to rest and the last frame was drawn."""
    page.ask("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 450))")


def typed(page: Page, words: str) -> int:
    """Type into the search and return how many points were found."""
    page.ask("document.documentElement.dataset.found = 'waiting'")
    page.ask(
        f"(() => {{ const box = document.getElementById('search'); box.value = {words!r};"
        " box.dispatchEvent(new Event('input')); })()"
    )
    return int(page.until(f"{SHOWN}.found !== 'waiting' && {SHOWN}.found"))


def named(page: Page) -> int:
    return int(page.ask(f"{SHOWN}.named"))


def colours(page: Page) -> int:
    """Return how many colours the canvas of points shows."""
    return int(
        page.ask(
            "(() => { const c = document.getElementById('points'), pen = c.getContext('2d');"
            " const all = pen.getImageData(0, 0, c.width, c.height).data; const seen = new Set();"
            " for (let at = 0; at < all.length; at += 4) seen.add(all[at] << 16 | all[at + 1] << 8 | all[at + 2]);"
            " return seen.size; })()"
        )
    )


def place_of(page: Page, selector: str) -> tuple[float, float]:
    x, y = page.ask(
        f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    return float(x), float(y)


def test_a_map_is_drawn_from_disk_and_asks_for_nothing(page: Page) -> None:
    assert page.requests == [page.ask("location.href")]
    assert page.ask("location.protocol") == "file:"
    assert int(page.ask(f"{SHOWN}.points")) == POINTS
    assert page.ask("document.getElementById('figures').textContent") == (
        "600 points, 6 groups with 12 within them, 30 points in none"
    )
    assert named(page) >= GROUPS
    settled(page)
    assert colours(page) > GROUPS


def test_texts_that_mean_harm_are_only_shown(page: Page) -> None:
    assert typed(page, "onerror") > 0
    page.ask("document.querySelector('#hit-list button').click()")
    page.until("!document.getElementById('tip').hidden")
    assert HOSTILE in page.ask("document.getElementById('tip-text').textContent")
    assert HOSTILE[:20] in page.ask("document.querySelector('#legend span').textContent")
    assert page.ask("document.querySelectorAll('img, #tip script, #legend script').length") == 0
    assert page.ask("document.title") == "A map"


def test_the_policy_forbids_addresses_and_scripts_of_others(page: Page) -> None:
    assert page.ask("fetch('http://127.0.0.1:9/').then(() => 'came', () => 'refused')") == "refused"
    page.ask(
        "(() => { const one = document.createElement('script'); one.textContent = 'document.title = \"taken\"';"
        " document.body.append(one); document.body.insertAdjacentHTML('beforeend', '<img src=x"
        ' onerror="document.title = 1">\'); })()'
    )
    settled(page)
    assert page.ask("document.title") == "A map"
    assert sum("Content Security Policy" in complaint for complaint in page.complaints) >= 3
    assert not [address for address in page.requests if address.startswith("http")]


def test_a_search_finds_words_of_texts_ids_and_groups_and_highlights_them(page: Page) -> None:
    points = drawn_points()
    groups = [group.path.lower() for group in ring_of_groups(GROUPS, hostile=HOSTILE)]
    paths = [groups[at] if at >= 0 else "in no group" for at in points.group.tolist()]
    wanted = [
        at
        for at, text in enumerate(points.texts)
        if all(word in f"{text[:199]}\n{paths[at]}" for word in ("orchid", "part"))
    ]
    assert typed(page, "Orchid part") == len(wanted)
    assert int(page.ask(f"{SHOWN}.highlighted")) == len(wanted)
    assert page.ask("document.querySelectorAll('#hit-list li').length") == min(100, len(wanted))
    assert typed(page, "doc_000007") == 1
    assert page.ask("document.querySelector('#hit-list span').textContent")[:30] == points.texts[7][:30]
    assert typed(page, "xylophone") == 0
    assert page.ask("document.getElementById('found').textContent") == "0 points found"


def test_the_pointer_over_a_point_shows_its_text_and_group(page: Page) -> None:
    typed(page, "doc_000007")
    page.ask("document.querySelector('#hit-list button').click()")
    settled(page)
    x, y = place_of(page, "main")  # the point was brought into the middle
    page.mouse("mouseMoved", x=x, y=10)
    page.until("document.getElementById('tip').hidden")
    page.mouse("mouseMoved", x=x, y=y)
    page.until("!document.getElementById('tip').hidden")
    points = drawn_points()
    assert page.ask("document.getElementById('tip-id').textContent") == points.ids[7]
    path = ring_of_groups(GROUPS)[points.group[7]].path
    assert page.ask("document.getElementById('tip-group').textContent") == path


def test_a_group_of_the_legend_is_highlighted_with_those_within_it(page: Page) -> None:
    members = sum(at % GROUPS == 1 for at in range(POINTS - POINTS // 20))
    button = "[...document.querySelectorAll('#legend button')].find((one) => one.innerText.startsWith('bread 1'))"
    page.ask(f"{button}.click()")
    assert int(page.ask(f"{SHOWN}.highlighted")) == members
    assert page.ask(f"{button}.getAttribute('aria-pressed')") == "true"
    page.ask(f"{button}.click()")
    assert int(page.ask(f"{SHOWN}.highlighted")) == 0


def test_keys_move_and_zoom_and_wheel_zooms(page: Page) -> None:
    """Names move with the points, so what the layer of names shows tells that the view has changed."""
    seen = ["document.getElementById('labels').toDataURL()"]

    def changes(act: Any) -> None:
        before = page.ask(seen[0])
        act()
        page.until(f"document.getElementById('labels').toDataURL() !== {before!r}")
        settled(page)

    for _ in range(40):
        page.press("Tab", code=9)
        if page.ask("document.activeElement.id") == "points":
            break
    assert page.ask("document.activeElement.id") == "points"
    changes(lambda: page.press("+", code=187, text="+"))
    changes(lambda: page.press("ArrowLeft", code=37))
    changes(lambda: page.press("0", code=48, text="0"))
    x, y = place_of(page, "main")
    changes(lambda: page.mouse("mouseWheel", x=x, y=y, deltaX=0, deltaY=-200))


def test_the_page_is_dark_for_those_who_prefer_that(page: Page) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    assert page.ask(back) == "rgb(251, 251, 250)"
    try:
        page.prefer("dark")
        page.until(f"{SHOWN}.theme === 'dark'")
        assert page.ask(back) == "rgb(20, 22, 26)"
    finally:
        page.prefer("light")


def test_an_empty_map_is_a_page_without_points(browser: Page, tmp_path: Path) -> None:
    write_picture(tmp_path / "map.html", "Nothing", [], points_on(1, 0), text_length=200)
    page = opened(browser, tmp_path / "map.html")
    assert page.ask("document.getElementById('figures').textContent") == "0 points, 0 groups"
    assert page.complaints == []


def test_without_webgl_the_page_says_so_and_is_searched_all_the_same(tmp_path: Path) -> None:
    assert PROGRAM is not None
    write_picture(tmp_path / "map.html", "A map", ring_of_groups(GROUPS), points_on(GROUPS, 100), text_length=200)
    with browser_page(PROGRAM, tmp_path / "profile", "--disable-3d-apis") as page:
        page.open((tmp_path / "map.html").as_uri())
        assert page.until(f"{SHOWN}.state !== 'reading' && {SHOWN}.state") == "without-webgl"
        assert "no WebGL" in page.ask("document.getElementById('message').textContent")
        assert typed(page, "doc_000007") == 1
        assert page.complaints == []


@pytest.mark.nightly
def test_a_hundred_thousand_points_are_drawn_named_and_searched(browser: Page, tmp_path: Path) -> None:
    groups, n = 40, 100_000
    write_picture(tmp_path / "map.html", "Many", ring_of_groups(groups), points_on(groups, n), text_length=200)
    page = opened(browser, tmp_path / "map.html")
    assert int(page.ask(f"{SHOWN}.points")) == n
    assert named(page) > 10
    assert typed(page, "doc_09999") == 10
    settled(page)
    assert colours(page) > groups
