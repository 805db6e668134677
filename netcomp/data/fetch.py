"""Downloads of the known data sets: verified, resumed, and safe against each other.

HTTP is `requests`' business and trying again `tenacity`'s; here is what they lack. A file
grows as `NAME.part` and gets its name when its SHA-256 is the published one, so that a file with
a known name is whole. What was interrupted is resumed by a Range request; if the whole then has
another digest (the file changed in between) it is fetched once more from the start. A lock on
the folder makes a second fetch wait for the first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netcomp.data.catalogue import Known, Remote
from netcomp.errors import NetcompError

if TYPE_CHECKING:
    import requests

__all__ = ["ATTEMPTS", "FetchError", "Progress", "fetch"]

ATTEMPTS: Final = 3
"""How many attempts in a row may bring nothing; 1, 2, 4, … seconds lie between attempts."""

_LONGEST = 30.0  # seconds between two attempts

_PATIENCE = (10.0, 30.0)  # seconds: to connect, between two blocks
_BLOCK = 1 << 16
_PASSING = (408, 429, 500, 502, 503, 504)  # answers that another attempt may not get

Progress = Callable[[str, int, int], None]
"""Told (file name, bytes there, bytes in all) as a file grows."""


class FetchError(NetcompError):
    """A file could not be fetched; the text says which file to put where instead."""

    def __init__(self, remote: Remote, folder: Path, url: str, reason: str) -> None:
        self.remote = remote
        self.folder = folder
        self.url = url
        self.reason = reason
        super().__init__(
            f"{url}: {reason}. To do it by hand, put {remote.name} ({remote.size} bytes,"
            f" sha256 {remote.sha256}) into {folder}"
        )


class _Broken(Exception):
    """An attempt failed in a way that another one may not."""


def fetch(
    known: Known,
    folder: Path,
    *,
    mirror: str | None = None,
    progress: Progress = lambda *_: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Path, ...]:
    """Fetch the files of a known set into `folder` and return their paths.

    What is there already, with the right digest, is not fetched again. `mirror` is an address
    the files are below, in place of the published one; `sleep` waits between two attempts.
    Raises `FetchError` for a file that cannot be had or has a wrong digest, which is removed.
    """
    target = folder / known.below
    target.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        for remote in known.files:
            _fetch_file(remote, target, _address(remote, mirror), progress, sleep)
    return tuple(target / remote.name for remote in known.files)


def _address(remote: Remote, mirror: str | None) -> str:
    return remote.url if mirror is None else f"{mirror.rstrip('/')}/{remote.name}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fetch_file(
    remote: Remote,
    folder: Path,
    url: str,
    progress: Progress,
    sleep: Callable[[float], None],
) -> None:
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    if path.exists():
        if (found := _sha256(path)) != remote.sha256:
            reason = f"another file of that name is there, with sha256 {found}"
            raise FetchError(remote, folder, url, reason)
        progress(remote.name, remote.size, remote.size)
        return
    resumed = part.exists()
    _complete(remote, part, url, progress, sleep)
    found = _sha256(part)
    if found != remote.sha256 and resumed:
        part.unlink()
        _complete(remote, part, url, progress, sleep)
        found = _sha256(part)
    if found != remote.sha256:
        size = part.stat().st_size
        part.unlink()
        reason = f"wrong content: {size} bytes with sha256 {found}; the download was removed"
        raise FetchError(remote, folder, url, reason)
    part.replace(path)


class _Stalled:
    """Ends the attempts when so many in a row brought nothing; called after each that failed."""

    def __init__(self, part: Path) -> None:
        self._part = part
        self._size = _size(part)
        self._failures = 0

    def __call__(self, _state: object) -> bool:
        before, self._size = self._size, _size(self._part)
        self._failures = 1 if self._size > before else self._failures + 1
        return self._failures >= ATTEMPTS


def _complete(
    remote: Remote,
    part: Path,
    url: str,
    progress: Progress,
    sleep: Callable[[float], None],
) -> None:
    """Make the part as long as the file is published to be, or as what the server has."""
    # Lazy: only a download needs them.
    import requests  # noqa: PLC0415
    import tenacity  # noqa: PLC0415

    def may_pass(error: BaseException) -> bool:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return error.response.status_code in _PASSING
        return isinstance(error, (_Broken, requests.ConnectionError, requests.Timeout))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        stop=_Stalled(part),
        wait=tenacity.wait_exponential(max=_LONGEST),
        sleep=sleep,
        reraise=True,
    )
    try:
        retrying(_attempt, remote, part, url, progress)
    except (_Broken, requests.RequestException) as error:
        # Below the libraries' wrappings is what the system said.
        cause = getattr(error.args[0] if error.args else None, "reason", None) or error
        raise FetchError(remote, part.parent, url, f"cannot be fetched: {cause}") from error


def _attempt(remote: Remote, part: Path, url: str, progress: Progress) -> None:
    import requests  # noqa: PLC0415

    have = _size(part)
    if have >= remote.size:
        return
    # Not compressed for the way: the bytes are wanted as they are published.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=_PATIENCE) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _Broken("the server has less than was fetched before")
        answer.raise_for_status()
        resumes = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        if resumes and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise _Broken("the server resumes in the wrong place")
        have = have if resumes else 0
        with part.open("ab" if resumes else "wb") as file:
            for block in _blocks(answer):
                have += len(block)
                file.write(block)
                progress(remote.name, have, remote.size)
                if have > remote.size:
                    return  # whatever comes then, this is not the file
        if have < remote.size and "Content-Length" not in answer.headers:
            raise _Broken(f"it ends after {have} of {remote.size} bytes")


def _blocks(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body as it comes, undecoded; `_Broken` where it breaks off.

    requests' own iterators collect a block before they hand it over, and lose it to a cut.
    """
    import urllib3  # noqa: PLC0415

    try:
        while block := answer.raw.read1(_BLOCK, decode_content=False):
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise _Broken(str(error)) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
