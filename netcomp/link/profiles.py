"""Links by name: what kinds of access carry, and how long it takes; sources in the table.

Rates are bit/s as published. A published latency is of a round trip, half of it each way
here. What no source says is marked "assumed".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from netcomp.errors import UnknownName

__all__ = ["PROFILES", "Profile", "profile"]


@dataclass(frozen=True)
class Profile:
    """One kind of link: rates each way, latency one way, jitter, in the spec's notation."""

    uplink: str
    downlink: str
    latency: str
    jitter: str
    source: str


_WEBPAGETEST: Final = "WebPageTest, connectivity profile"
_SPEEDTEST: Final = "Ookla Speedtest, median"

PROFILES: Final = MappingProxyType(
    {
        "adsl": Profile(
            "384 kbit/s", "1.5 Mbit/s", "25 ms", "0 s", f"{_WEBPAGETEST} DSL, 50 ms round trip"
        ),
        "cable": Profile(
            "1 Mbit/s", "5 Mbit/s", "14 ms", "0 s", f"{_WEBPAGETEST} Cable, 28 ms round trip"
        ),
        "fibre": Profile(
            "5 Mbit/s", "20 Mbit/s", "2 ms", "0 s", f"{_WEBPAGETEST} FIOS, 4 ms round trip"
        ),
        "4g": Profile(
            "12 Mbit/s",
            "12 Mbit/s",
            "35 ms",
            "10 ms",
            f"{_WEBPAGETEST} LTE, 70 ms round trip; jitter assumed",
        ),
        "5g": Profile(
            "21.08 Mbit/s",
            "166.13 Mbit/s",
            "15 ms",
            "5 ms",
            f"{_SPEEDTEST} over 5G worldwide, third quarter of 2021; latency and jitter assumed",
        ),
        "satellite": Profile(
            "3 Mbit/s",
            "19.73 Mbit/s",
            "362 ms",
            "20 ms",
            f"{_SPEEDTEST} of HughesNet (geostationary), USA, second quarter of 2021: below"
            " 3.5 Mbit/s up, 724 ms round trip; jitter assumed",
        ),
        "leo": Profile(
            "13.89 Mbit/s",
            "97.23 Mbit/s",
            "22.5 ms",
            "10 ms",
            f"{_SPEEDTEST} of Starlink (low orbit), USA, second quarter of 2021: 45 ms round"
            " trip; jitter assumed",
        ),
        "lan": Profile(
            "1 Gbit/s",
            "1 Gbit/s",
            "100 us",
            "0 s",
            "IEEE 802.3ab, the line's rate; latency assumed",
        ),
        "cloud": Profile(
            "1 Gbit/s",
            "1 Gbit/s",
            "35 ms",
            "1 ms",
            "two data centres across the Atlantic: 5600 km of fibre at 200000 km/s are 28 ms one"
            " way; detours, rate and jitter assumed",
        ),
    }
)
"""Every profile by its name."""


def profile(name: str, field: str) -> Profile:
    """Return the profile of that name; raises `UnknownName` for `field`."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UnknownName(field, name, PROFILES) from None
