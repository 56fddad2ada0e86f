"""What Discord demands of components beyond its published schemas.

Source: https://discord.com/developers/docs/components/reference
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import invalid_body
from .json_parts import Json, listed, walk
from .violations import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_COMPONENTS = 40
MAX_TEXT = 4000
MAX_LEGACY_ROWS = 5
MAX_MODAL_PARTS = 5

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = {3, 5, 6, 7, 8}
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
LABEL, UPLOAD, RADIO, CHECKBOXES, CHECKBOX = 18, 19, 21, 22, 23
LEGACY = {ROW, BUTTON} | SELECTS
INTERACTIVE = {BUTTON, TEXT_INPUT, UPLOAD, RADIO, CHECKBOXES, CHECKBOX} | SELECTS
LINK, PREMIUM = 5, 6


def check_message_components(components: list[Json], *, is_v2: bool) -> None:
    """Raises for anything that Discord would refuse in a message's components."""
    everything = list(walk(components))
    if is_v2:
        if len(everything) > MAX_COMPONENTS:
            raise invalid_body(
                "components", f"{len(everything)} components, at most {MAX_COMPONENTS}"
            )
        num_characters = sum(len(c.get("content", "")) for c in everything if c["type"] == TEXT)
        if num_characters > MAX_TEXT:
            raise invalid_body("components", f"{num_characters} characters, at most {MAX_TEXT}")
        if not all(c.get("content", "").strip() for c in everything if c["type"] == TEXT):
            raise invalid_body("components", "an empty text display")
    else:
        if any(c["type"] not in LEGACY for c in everything):
            raise invalid_body(
                "components", "needs the flag IS_COMPONENTS_V2 (1 << 15)", Kind.COMPONENTS_V2
            )
        if len(components) > MAX_LEGACY_ROWS:
            raise invalid_body("components", f"{len(components)} rows, at most {MAX_LEGACY_ROWS}")
        if any(c["type"] != ROW for c in components):
            raise invalid_body("components", "a control outside an action row")
    _check_all(everything)
    for row in (c for c in everything if c["type"] == ROW):
        children: list[Json] = row["components"]
        if any(c["type"] in SELECTS for c in children) and len(children) > 1:
            raise invalid_body("components", "a select shares its action row")


def check_modal(modal: Json) -> None:
    parts: list[Json] = modal["components"]
    if len(parts) > MAX_MODAL_PARTS:
        raise invalid_body("data.components", f"{len(parts)} parts, at most {MAX_MODAL_PARTS}")
    everything = list(walk(parts))
    _check_all(everything)
    for part in parts:
        inner = [part["component"]] if part["type"] == LABEL else listed(part, "components")
        for field in inner:
            has_own_label = bool(field.get("label")) and field["type"] == TEXT_INPUT
            if part["type"] == LABEL and has_own_label:
                raise invalid_body("data.components", "a text input inside a label has a label")
            if part["type"] == ROW and not has_own_label:
                raise invalid_body("data.components", "a text input without a label")
    for field in (c for c in everything if c["type"] == TEXT_INPUT):
        shortest, longest = field.get("min_length") or 0, field.get("max_length") or MAX_TEXT
        if shortest > longest or len(field.get("value") or "") > longest:
            raise invalid_body("data.components", f"{field['custom_id']}: lengths contradict")
    if not any(c["type"] in INTERACTIVE for c in everything):
        raise invalid_body("data.components", "nothing to fill in")


def _check_all(everything: list[Json]) -> None:
    custom_ids = [c["custom_id"] for c in everything if c.get("custom_id")]
    for custom_id in _repeated(custom_ids):
        raise invalid_body("components", f"custom id {custom_id!r} twice")
    for number in _repeated([str(c["id"]) for c in everything if c.get("id")]):
        raise invalid_body("components", f"component id {number} twice")
    for component in everything:
        if component["type"] == BUTTON:
            _check_button(component)
        elif component["type"] in SELECTS:
            _check_select(component)


def _check_button(button: Json) -> None:
    style = button["style"]
    wanted = {LINK: "url", PREMIUM: "sku_id"}.get(style, "custom_id")
    for key in ("custom_id", "url", "sku_id"):
        if (key == wanted) != bool(button.get(key)):
            word = "needs" if key == wanted else "must not have"
            raise invalid_body("components", f"a button of style {style} {word} a {key}")
    if style != PREMIUM and not (button.get("label") or button.get("emoji")):
        raise invalid_body("components", "a button with neither label nor emoji")


def _check_select(select: Json) -> None:
    fewest = 1 if select.get("min_values") is None else select["min_values"]
    most = select.get("max_values") or 1
    if fewest > most:
        raise invalid_body("components", f"{select['custom_id']}: min_values over max_values")
    if select["type"] != STRING_SELECT:
        return
    options: list[Json] = select["options"]
    if most > len(options):
        raise invalid_body("components", f"{select['custom_id']}: max_values over its options")
    if len([option for option in options if option.get("default")]) > most:
        raise invalid_body("components", f"{select['custom_id']}: defaults over max_values")
    for value in _repeated([option["value"] for option in options]):
        raise invalid_body("components", f"{select['custom_id']}: option value {value!r} twice")


def _repeated(values: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            yield value
        seen.add(value)


def media_urls(components: list[Json]) -> Iterator[str]:
    """The addresses of all that the components show."""
    for component in walk(components):
        for item in listed(component, "items"):
            yield item["media"]["url"]
        for key in ("media", "file"):
            if key in component:
                yield component[key]["url"]


def numbered(components: list[Json]) -> list[Json]:
    """The components with every `id` filled in, as Discord numbers them: in order, from 1."""
    taken = {c["id"] for c in walk(components) if c.get("id")}
    free = (number for number in range(1, 10_000) if number not in taken)
    for component in walk(components):
        if not component.get("id"):
            component["id"] = next(free)
    return components
