"""How many coordinates: counts, percentages and d/n, fixed for a dimension."""

import pytest

from netcomp.compressors import (
    Count,
)


@pytest.mark.parametrize(
    ("text", "d", "n", "k"),
    [
        ("1", 1, 1, 1),
        ("250", 300, 7, 250),
        ("1%", 300, 7, 3),
        ("1%", 20, 7, 1),
        ("100%", 5, 2, 5),
        ("0.5%", 1000, 2, 5),
        ("33.3%", 10, 2, 3),
        ("d/n", 12, 4, 3),
        ("d/n", 13, 4, 3),
        ("d/n", 3, 8, 1),
    ],
)
def test_counts_resolve(text, d, n, k):
    """A percentage of d is rounded, d/n is cut, and both are at least 1."""
    count = Count.parse(text)
    assert text == str(count)
    assert k == count.resolve(d, n, "k").value
    assert Count(str(k)) == count.resolve(d, n, "k").resolve(d, n, "k")


def test_an_unresolved_count_has_no_value():
    """Asking "1%" or "d/n" for its number before d and n are known is a ValueError."""
    for text in ("1%", "d/n"):
        with pytest.raises(ValueError, match="invalid literal"):
            _ = Count.parse(text).value
