"""Many instances, cheaply: directories copied from one, each with its own name and port."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

ETC = "/etc/sockwake"
FIRST_PORT = 25432


def names(count: int) -> list[str]:
    return [f"m{number:04}" for number in range(count)]


def build(folder: str, count: int, model: str) -> None:
    """Fill folder with instances like the one in the directory model, on consecutive ports."""
    os.makedirs(folder)
    for number, name in enumerate(names(count)):
        shutil.copytree(model, f"{folder}/{name}")
        path = f"{folder}/{name}/instance.env"
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if not line.startswith("PORT=")]
        with open(path, "w", encoding="utf-8") as file:
            file.writelines([*lines, f"PORT={FIRST_PORT + number}\n"])


@contextmanager
def present(folder: str) -> Iterator[None]:
    """While this lasts, folder is /etc/sockwake."""
    aside = f"{ETC}.aside"
    os.rename(ETC, aside)
    try:
        os.rename(folder, ETC)
        try:
            yield
        finally:
            os.rename(ETC, folder)
    finally:
        os.rename(aside, ETC)
