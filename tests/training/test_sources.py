"""What the packages hold: the sources that may be chosen, and which clip art is a thing with a
name."""

import io
import tarfile
from pathlib import Path

import pytest

from training import clipart, sources
from training.data import render_page

ENGLISH = frozenset({"green", "pear", "fruit", "tall"})
KNOWN = frozenset({"pear", "balloon", "apple"})
PUBLIC = "http://web.resource.org/cc/PublicDomain"


def svg(
    title: str,
    *tags: str,
    licence: str = PUBLIC,
    body: str = '<rect x="100" y="700" width="400" height="200"/>',
    size: str = 'width="210mm" height="297mm"',
) -> bytes:
    listed = "".join(f"<rdf:li>{tag}</rdf:li>" for tag in tags)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} xmlns:cc="http://web.resource.org/cc/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><metadata><rdf:RDF><cc:Work>'
        f"<dc:title>{title}</dc:title><dc:subject><rdf:Bag>{listed}</rdf:Bag></dc:subject>"
        f'<cc:license rdf:resource="{licence}"/></cc:Work></rdf:RDF></metadata>{body}</svg>'
    ).encode()


def read(path: str, drawing: bytes) -> clipart.Thing | None:
    return clipart.read_svg(path, drawing, ENGLISH, KNOWN)


def test_clip_art_is_called_by_its_title_its_colour_and_its_keywords() -> None:
    thing = read("food/fruit/pear_01.svg", svg("Green Pear", "fruit", "hash", "unsorted"))
    assert thing is not None
    assert (thing.colour, thing.names, thing.tags) == ("green", ("pear",), ("fruit",))


def test_a_file_name_speaks_where_the_title_stands_over_a_collection() -> None:
    thing = read("party/balloon_someone_03.svg", svg("Clipart by Someone - cow"))
    assert thing is not None
    assert thing.names == ("balloon",)


@pytest.mark.parametrize(
    ("path", "drawing"),
    [
        ("food/pear.svg", svg("pear", licence="http://creativecommons.org/licenses/GPL/2.0/")),
        ("food/pear.svg", svg("pear", licence="")),
        ("food/pear.svg", svg("pera verde")),
        ("signs_and_symbols/led/pear.svg", svg("pear")),
        ("food/pear.svg", svg("pear", "chart")),
        ("food/pear.svg", svg("pear", body="<text>pear</text>")),
        ("food/pear.svg", b"<svg"),
    ],
    ids=["gpl", "no licence", "not English", "a sign", "a chart", "letters", "broken"],
)
def test_what_is_not_free_plain_and_named_is_left_out(path: str, drawing: bytes) -> None:
    assert read(path, drawing) is None


def test_a_drawing_somewhere_on_a_page_is_centred_and_fills_the_square() -> None:
    picture = render_page(svg("pear").decode())
    assert picture is not None
    opaque = (picture[..., 3] > 128).nonzero()
    assert picture.shape == (128, 128, 4)
    for axis in opaque:
        assert abs(axis.mean() - 63.5) < 1
    assert opaque[1].max() - opaque[1].min() > 110
    assert render_page(svg("pear", body="").decode()) is None


def test_sources_are_chosen_by_name() -> None:
    assert sources.choose("noto, flat") == (sources.NOTO, sources.FLAT)
    assert len(sources.choose("all")) == len(sources.PICTURES)
    with pytest.raises(ValueError, match="notto"):
        sources.choose("notto")


def test_a_debian_package_is_read_to_its_files(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        entry = tarfile.TarInfo("./usr/share/pear.svg")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"<svg>"))
    archive = tmp_path / "some.deb"
    members = [(b"debian-binary", b"2.0\n"), (b"odd", b"1"), (b"data.tar.xz", packed.getvalue())]
    with archive.open("wb") as deb:
        deb.write(b"!<arch>\n")
        for name, content in members:
            header = b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(content))
            deb.write(header + content + b"\n" * (len(content) % 2))
    assert sources.read_deb(archive) == {"./usr/share/pear.svg": b"<svg>"}
