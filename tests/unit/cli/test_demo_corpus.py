"""The corpus of the demo: real texts of this Python, the same every time."""

from __future__ import annotations

import json

from shoald.cli.demo_corpus import LEAST_CHARACTERS, standard_library_texts


def test_the_standard_library_has_thousands_of_distinct_texts() -> None:
    modules = standard_library_texts()
    texts = [text for found in modules.values() for text in found]
    assert len(texts) > 4000
    assert len({text["name"] for text in texts}) == len(texts)
    assert {text["kind"] for text in texts} == {"class", "function", "method"}
    assert all(len(text["text"]) >= LEAST_CHARACTERS and "\n" not in text["text"] for text in texts)
    assert all(text["name"].startswith(f"{module}.") for module, found in modules.items() for text in found)
    known = {text["name"]: text["text"] for text in modules["json"]}
    assert known["json.JSONDecoder"] == str(json.JSONDecoder.__doc__).split("\n", 1)[0]


def test_it_is_the_same_every_time() -> None:
    assert json.dumps(standard_library_texts()) == json.dumps(standard_library_texts())
