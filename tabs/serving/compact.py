"""A compact form of Gradio's page description without its repetitions, and the script that expands it in the browser.

A component of Gradio 6 repeats some thirty settings that all components of its type share, three API descriptions that only
programs need (they get them from ``/config`` and ``/info``), and scripts as long as a file. Here each type is described once
and a component contains only the differences, long texts are sent once, and `EXPAND` restores in the browser exactly the
description of Gradio's own page, without the parts for programs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

FOR_PROGRAMS = ("api_info", "api_info_as_input", "api_info_as_output", "example_inputs")
"""Fields that no script of the page reads."""
REFERENCE = len('{"$text": 100}')
"""Length in characters of a reference to a text or list that is sent once."""

EXPAND = """(function () {
  const sent = CONFIG;
  const word = (value) => (value?.$text === undefined ? value : structuredClone(sent.texts[value.$text]));
  const whole = (given) => Object.fromEntries(Object.entries(given).map(([key, value]) => [key, word(value)]));
  const config = sent.config;
  config.components = sent.components.map(([number, own, props]) => {
    const [type, shared, common] = sent.types[number];
    return { type, ...structuredClone(shared), ...own, props: { ...structuredClone(common), ...whole(props) } };
  });
  config.dependencies = sent.dependencies.map((own) => ({ ...structuredClone(sent.dependency), ...whole(own) }));
  if (sent.alone) {
    const ids = (items) => items.map((item) => item.id);
    config.page = { "": { components: ids(config.components), dependencies: ids(config.dependencies), layout: config.layout } };
  }
  return config;
})()"""
"""A JavaScript expression; CONFIG is replaced by the JSON of `compact_config`."""


def compact_config(config: dict[str, Any]) -> dict[str, Any]:
    """A shorter form of the page's description; `EXPAND` and `expand_config` restore it."""
    components = [{k: v for k, v in each.items() if k not in FOR_PROGRAMS} for each in config["components"]]
    kinds = _kinds(components)
    types = [(kind, *_type([each for each in components if each["type"] == kind])) for kind in kinds]
    own = [_differing(each, kinds.index(each["type"]), types) for each in components]
    dependency = _common(config["dependencies"])
    dependencies = [_differing_values(each, dependency) for each in config["dependencies"]]
    rest = {key: value for key, value in config.items() if key not in ("components", "dependencies")}
    alone = _is_alone(config)
    if alone:
        del rest["page"]
    texts = _find_repeated([*(props for _, _, props in own), *dependencies])
    number = {text: index for index, text in enumerate(texts)}
    return {
        "config": rest,
        "types": types,
        "components": [(kind, fields, _shorten(props, number)) for kind, fields, props in own],
        "dependency": dependency,
        "dependencies": [_shorten(each, number) for each in dependencies],
        "texts": [json.loads(text) for text in texts],
        "alone": alone,
    }


def expand_config(sent: dict[str, Any]) -> dict[str, Any]:
    """Expand `compact_config` in Python, as `EXPAND` does: for tests."""

    def whole(given: dict[str, Any]) -> dict[str, Any]:
        return {k: sent["texts"][v["$text"]] if _is_number(v) else v for k, v in given.items()}

    components = []
    for number, own, props in sent["components"]:
        kind, shared, common = sent["types"][number]
        components.append({"type": kind, **shared, **own, "props": {**common, **whole(props)}})
    dependencies = [{**sent["dependency"], **whole(own)} for own in sent["dependencies"]]
    config = {**sent["config"], "components": components, "dependencies": dependencies}
    if sent["alone"]:
        ids = {key: [each["id"] for each in config[key]] for key in ("components", "dependencies")}
        config["page"] = {"": {**ids, "layout": config["layout"]}}
    return config


def _kinds(components: Iterable[dict]) -> list[str]:
    return list(dict.fromkeys(each["type"] for each in components))


def _type(components: list[dict]) -> tuple[dict, dict]:
    """The fields and props that all components of one type share."""
    fields = [{k: v for k, v in each.items() if k not in ("props", "type", "id")} for each in components]
    return _common(fields), _common([each["props"] for each in components])


def _common(items: list[dict]) -> dict[str, Any]:
    """The most frequent value of each key that all of ``items`` have."""
    shared = set(items[0]).intersection(*items[1:]) if items else set()
    common = {}
    for key in (key for key in (items[0] if items else ()) if key in shared):
        counted = Counter(_text(each[key]) for each in items)
        text, count = counted.most_common(1)[0]
        if len(items) == 1 or count > 1:
            common[key] = json.loads(text)
    return common


def _differing(component: dict, number: int, types: list[tuple[str, dict, dict]]) -> tuple[int, dict, dict]:
    """Index of its type, and the fields and props that differ from the type."""
    _, shared, common = types[number]
    fields = {k: v for k, v in component.items() if k not in ("props", "type")}
    return number, _differing_values(fields, shared), _differing_values(component["props"], common)


def _differing_values(item: dict, common: dict) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in common or _text(common[key]) != _text(value)}


_text = json.JSONEncoder(sort_keys=True).encode


def _find_repeated(items: Iterable[dict]) -> list[str]:
    """Texts and lists that are shorter in JSON when sent once instead of repeated."""
    counted = Counter(_text(v) for each in items for v in each.values() if isinstance(v, (str, list)))
    return [text for text, count in counted.items() if (count - 1) * len(text) > count * REFERENCE]


def _shorten(item: dict, number: dict[str, int]) -> dict[str, Any]:
    short = {k: _text(v) for k, v in item.items() if isinstance(v, (str, list))}
    return {k: {"$text": number[short[k]]} if short.get(k) in number else v for k, v in item.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, dict) and "$text" in value


def _is_alone(config: dict[str, Any]) -> bool:
    """Whether the list of pages only repeats the rest of the description."""
    ids = {key: [each["id"] for each in config[key]] for key in ("components", "dependencies")}
    return _text(config.get("page")) == _text({"": {**ids, "layout": config["layout"]}})
