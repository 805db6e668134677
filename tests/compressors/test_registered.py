"""The names of the notation: complete, each taken once, listed for one that is unknown."""

import pytest

from netcomp.compressors import (
    COMPRESSORS,
    Compressor,
    Quantizer,
    Sparsifier,
)
from netcomp.errors import SpecError, UnknownName


def test_every_registered_part_is_complete():
    """A summary, readers for its parameters, optional ones among them, and a class to build."""
    for name in COMPRESSORS.names():
        part = COMPRESSORS.get(name)
        assert part.summary
        assert set(part.optional) <= {key for key, _ in part.params}
        assert callable(part.build)
        if isinstance(part.build, type):
            assert issubclass(part.build, Compressor | Sparsifier | Quantizer)


def test_a_name_taken_is_refused():
    """Registering a name twice is a SpecError; nothing is replaced."""
    before = COMPRESSORS.get("natural")
    with pytest.raises(SpecError, match="registered already"):
        COMPRESSORS.register("natural", before)
    assert before is COMPRESSORS.get("natural")


def test_an_unknown_name_lists_the_known():
    """UnknownName carries kind, name and the names that would do."""
    with pytest.raises(UnknownName) as caught:
        COMPRESSORS.get("rank-d")
    assert ("compressor", "rank-d") == (caught.value.kind, caught.value.name)
    assert set(COMPRESSORS.names()) == set(caught.value.known)
