"""Downloads, against a server on this machine: whole or not at all, resumed, verified."""

import hashlib
import multiprocessing
import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from netcomp.data import CATALOGUE, FetchError, Known, Remote, fetch
from netcomp.data.fetch import ATTEMPTS

CONTENT = bytes(range(256)) * 1024


def known(content=CONTENT, url="http://published.invalid/rows", below=""):
    remote = Remote(url, len(content), hashlib.sha256(content).hexdigest())
    return Known("rows", (remote,), "", 1, 1, "", below)


@dataclass
class Site:
    """What a server has, how it misbehaves, and what was asked of it."""

    content: bytes = CONTENT
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """Bytes of the body after which each answer in turn breaks off."""
    status: list[int] = field(default_factory=list)
    """Answers to give before a good one."""
    announce: bool = True
    """Whether Content-Length is sent."""
    misplaced: bool = False
    """Whether a range begins elsewhere than asked for."""
    asked: list = field(default_factory=list)
    """The Range header of each request."""
    url: str = ""


def handler(site):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            wanted = self.headers.get("Range")
            site.asked.append(wanted)
            if site.status:
                self.send_error(site.status.pop(0))
                return
            start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted and site.ranges else 0
            if wanted and site.ranges:
                if start >= len(site.content):
                    self.send_error(416)
                    return
                shown = start + site.misplaced
                self.send_response(206)
                self.send_header(
                    "Content-Range", f"bytes {shown}-{len(site.content) - 1}/{len(site.content)}"
                )
            else:
                self.send_response(200)
            body = site.content[start:]
            if site.announce:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = site.cut_after.pop(0) if site.cut_after else len(body)
            self.wfile.write(body[:cut])
            self.close_connection = True

    return Handler


@contextmanager
def serving(site):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(site)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield site
        finally:
            # Also when the fetch is refused: the thread would spin on a closed socket for ever.
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    """No proxy stands between this machine and itself."""
    monkeypatch.setenv("no_proxy", "*")


def get(site, folder, what=None, **options):
    pauses = []
    with serving(site):
        paths = fetch(what or known(), folder, mirror=site.url, sleep=pauses.append, **options)
    return paths, pauses


def refused(site, folder, what=None):
    with pytest.raises(FetchError) as caught:
        get(site, folder, what)
    return caught.value


def test_a_file_is_fetched_once(tmp_path):
    """Whole, under its name, with its progress told; what is there is not asked for again."""
    told, site = [], Site()
    (path,), pauses = get(site, tmp_path / "new", progress=lambda *one: told.append(one))
    assert (CONTENT, "rows", []) == (path.read_bytes(), path.name, pauses)
    assert ("rows", len(CONTENT), len(CONTENT)) == told[-1]
    assert sorted(done for _, done, _ in told) == [done for _, done, _ in told]
    assert [path] == list(path.parent.iterdir())
    get(site, tmp_path / "new")
    assert [None] == site.asked


def test_the_files_of_a_family_have_a_folder(tmp_path):
    """Where `load` looks for them."""
    (path,), _ = get(Site(), tmp_path, known(below="family"))
    assert tmp_path / "family" / "rows" == path


def test_a_cut_download_is_resumed(tmp_path):
    """However often it breaks, as long as each attempt brings something."""
    cuts = [1000] * (ATTEMPTS + 3)
    site = Site(cut_after=cuts.copy())
    (path,), pauses = get(site, tmp_path)
    assert CONTENT == path.read_bytes()
    assert [None, *(f"bytes={1000 * k}-" for k in range(1, len(cuts) + 1))] == site.asked
    assert len(cuts) == len(pauses)


def test_what_an_earlier_fetch_left_is_resumed(tmp_path):
    (tmp_path / "rows.part").write_bytes(CONTENT[:5000])
    site = Site()
    (path,), _ = get(site, tmp_path)
    assert CONTENT == path.read_bytes()
    assert ["bytes=5000-"] == site.asked


def test_a_whole_part_needs_no_server(tmp_path):
    """What only lacked its name gets it."""
    (tmp_path / "rows.part").write_bytes(CONTENT)
    site = Site()
    get(site, tmp_path)
    assert [] == site.asked


@pytest.mark.parametrize("site", [Site(ranges=False), Site(misplaced=True)])
def test_a_server_that_cannot_resume_starts_over(tmp_path, site):
    """It sends all, or the wrong piece: nothing of either is appended."""
    (tmp_path / "rows.part").write_bytes(CONTENT[:5000])
    (path,), _ = get(site, tmp_path)
    assert CONTENT == path.read_bytes()


@pytest.mark.parametrize("left", [b"x" * 5000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 9)])
def test_a_part_of_something_else_is_fetched_again(tmp_path, left):
    """The file changed since, or the part never was one: found by the digest, then from zero."""
    (tmp_path / "rows.part").write_bytes(left)
    site = Site()
    (path,), _ = get(site, tmp_path)
    assert CONTENT == path.read_bytes()
    assert site.asked[-1] is None


def test_a_part_beyond_the_servers_end_is_dropped(tmp_path):
    """416 means that the server has less: then all of it is fetched, and judged."""
    (tmp_path / "rows.part").write_bytes(CONTENT[:5000])
    error = refused(Site(content=CONTENT[:100]), tmp_path)
    assert "wrong content: 100 bytes" in error.reason


@pytest.mark.parametrize(
    "content", [b"x" * len(CONTENT), CONTENT[:-1], CONTENT + b"x", b"", CONTENT * 9]
)
def test_a_wrong_digest_is_refused(tmp_path, content):
    """Both digests are named, and nothing is left behind."""
    error = refused(Site(content=content), tmp_path)
    assert known().files[0].sha256 in str(error)
    received = content[: len(CONTENT) + (1 << 16)]
    assert re.search(r"sha256 [0-9a-f]{64}; the download was removed", error.reason)
    if len(content) <= len(CONTENT):
        assert hashlib.sha256(received).hexdigest() in error.reason
    assert [] == list(tmp_path.iterdir())


def test_an_endless_answer_is_not_stored(tmp_path):
    """What is longer than the file is cut off within a block."""
    error = refused(Site(content=CONTENT * 100, announce=False), tmp_path)
    size = int(re.search(r"(\d+) bytes with", error.reason)[1])
    assert len(CONTENT) < size <= len(CONTENT) + (1 << 16)


def test_without_a_length_a_short_answer_counts_as_cut(tmp_path):
    """It is asked to go on; if it never does the part stays for another day."""
    site = Site(announce=False, cut_after=[1000])
    (path,), _ = get(site, tmp_path / "a")
    assert CONTENT == path.read_bytes()
    assert [None, "bytes=1000-"] == site.asked
    error = refused(Site(announce=False, cut_after=[1000, 0, 0, 0]), tmp_path / "b")
    assert f"ends after 1000 of {len(CONTENT)}" in error.reason
    assert CONTENT[:1000] == (tmp_path / "b" / "rows.part").read_bytes()


def test_a_file_that_is_not_there_is_asked_for_once(tmp_path):
    """404 does not pass; the error says which file to put where."""
    site = Site(status=[404])
    error = refused(site, tmp_path)
    assert [None] == site.asked
    assert "404" in error.reason
    remote = known().files[0]
    said = f"put rows ({remote.size} bytes, sha256 {remote.sha256}) into {tmp_path}"
    assert said in str(error)
    assert str(error).startswith(f"{site.url}/rows: ")
    assert 1 == error.exit_code


def test_a_busy_server_is_asked_again(tmp_path):
    """503 may pass, and so often it does not."""
    site = Site(status=[503] * (ATTEMPTS - 1))
    (path,), pauses = get(site, tmp_path / "a")
    assert CONTENT == path.read_bytes()
    assert [1, 2] == pauses
    error = refused(Site(status=[503] * ATTEMPTS), tmp_path / "b")
    assert "503" in error.reason


def test_without_a_network_it_says_what_to_do(tmp_path):
    """Nobody listens: after a few attempts the error names file, size, digest and folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    pauses = []
    with pytest.raises(FetchError, match="refused") as caught:
        fetch(known(), tmp_path, mirror=f"http://127.0.0.1:{port}/", sleep=pauses.append)
    assert ATTEMPTS - 1 == len(pauses)
    assert f"into {tmp_path}" in str(caught.value)
    assert f"http://127.0.0.1:{port}/rows" == caught.value.url


def test_an_address_that_is_none_is_refused_at_once(tmp_path):
    pauses = []
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch(known(), tmp_path, mirror="nowhere", sleep=pauses.append)
    assert [] == pauses


def test_somebody_elses_file_is_left_alone(tmp_path):
    """A file of that name with another content is not replaced."""
    (tmp_path / "rows").write_text("mine")
    error = refused(Site(), tmp_path)
    assert "another file of that name is there" in error.reason
    assert "mine" == (tmp_path / "rows").read_text()


def test_two_fetches_at_once_do_not_mix(tmp_path):
    """The second waits for the first and finds the file; the server is asked once."""
    site = Site()
    with serving(site):
        context = multiprocessing.get_context("spawn")
        arguments = (known(), tmp_path)
        both = [
            context.Process(target=fetch, args=arguments, kwargs={"mirror": site.url})
            for _ in range(2)
        ]
        for process in both:
            process.start()
        for process in both:
            process.join()
    assert [0, 0] == [process.exitcode for process in both]
    assert CONTENT == (tmp_path / "rows").read_bytes()
    assert [None] == site.asked


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_known_set_can_be_verified(name):
    """Every file has an address, a size and a SHA-256, and the set a digest."""
    entry = CATALOGUE[name]
    assert name == entry.name
    digests = [entry.digest, *(remote.sha256 for remote in entry.files)]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert all(remote.url.startswith("https://") and remote.size > 0 for remote in entry.files)
    assert len(entry.files) == len({remote.name for remote in entry.files})
