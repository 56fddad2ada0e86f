"""Components as Discord answers them: numbered, complete, and with the files they show resolved."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

from . import component_rules as rules
from . import message_payloads
from .attachments import content_type_of
from .entities import Attachment
from .json_parts import Json, listed, nested

Resolve = Callable[[str], Attachment | None]


def unfurled(components: list[Json], resolve: Resolve) -> tuple[list[Json], set[int]]:
    """The components to store and answer, and the ids of the files that they show."""
    shown: set[int] = set()

    def media(given: Json) -> Json:
        file = resolve(given["url"])
        if file is None:
            return _elsewhere(given["url"])
        shown.add(file.id)
        return message_payloads.media(file)

    def finished(component: Json) -> Json:
        done = {key: value for key, value in component.items() if value is not None}
        if "components" in done:
            done["components"] = [finished(inner) for inner in listed(done, "components")]
        for holder in (done, *listed(done, "options")):
            if holder.get("emoji"):
                # An emoji of Unicode's has no id; what was sent as null is not answered.
                holder["emoji"] = {k: v for k, v in holder["emoji"].items() if v is not None}
        if "accessory" in done:
            done["accessory"] = finished(done["accessory"])
        kind = done["type"]
        if kind == rules.CONTAINER:
            return {"accent_color": None, "spoiler": False} | done
        if kind == rules.SEPARATOR:
            return {"spacing": 1, "divider": True} | done
        if kind == rules.THUMBNAIL:
            return {"description": None, "spoiler": False} | done | {"media": media(done["media"])}
        if kind == rules.FILE:
            file = resolve(done["file"]["url"])
            about = {"name": file and file.filename, "size": file and file.size}
            return {"spoiler": False} | done | about | {"file": media(done["file"])}
        if kind == rules.GALLERY:
            items = [
                {"description": None, "spoiler": False} | item | {"media": media(item["media"])}
                for item in done["items"]
            ]
            return done | {"items": items}
        if kind in rules.SELECTS:
            fixed = {"min_values": 1, "max_values": 1, "disabled": False}
            return fixed | done
        return done

    numbered = rules.numbered(copy.deepcopy(components))
    return [finished(component) for component in numbered], shown


def resolver(files: dict[int, Attachment]) -> Resolve:
    """Finds the file behind `attachment://name`, or behind the CDN's link to it."""

    def resolve(url: str) -> Attachment | None:
        if url.startswith("attachment://"):
            name = url.removeprefix("attachment://")
            return next((file for file in files.values() if file.filename == name), None)
        linked = re.search(r"/(?:ephemeral-)?attachments/\d+/(\d+)/", url)
        return files.get(int(linked[1])) if linked else None

    return resolve


def embeds_unfurled(embeds: list[Json], resolve: Resolve) -> tuple[list[Json], set[int]]:
    shown: set[int] = set()
    done: list[Json] = []
    for embed in embeds:
        full: Json = {"type": "rich"} | copy.deepcopy(embed)
        for key in ("image", "thumbnail"):
            file = resolve(nested(full, key).get("url") or "")
            if file is None:
                continue
            shown.add(file.id)
            about: Json = {"url": file.url, "proxy_url": file.url}
            if file.width is not None:
                about |= {"width": file.width, "height": file.height}
            full[key] = about
        done.append(full)
    return done, shown


def _elsewhere(url: str) -> Json:
    return {
        "id": "0",
        "url": url,
        "proxy_url": url,
        "width": None,
        "height": None,
        "content_type": content_type_of(url.partition("?")[0]),
    }
