"""Channels: how a sequence of vectors becomes the other side's estimates."""

from netcomp.channels.audience import Audience, Heard
from netcomp.channels.base import Channel, Keys
from netcomp.channels.dasha import Dasha
from netcomp.channels.direct import Direct
from netcomp.channels.error_feedback import ErrorFeedback
from netcomp.channels.marina import Marina
from netcomp.channels.mean import Mean, weighted
from netcomp.channels.memory import Memory
from netcomp.channels.single_memory import SingleMemory

__all__ = [
    "Audience",
    "Channel",
    "Dasha",
    "Direct",
    "ErrorFeedback",
    "Heard",
    "Keys",
    "Marina",
    "Mean",
    "Memory",
    "SingleMemory",
    "weighted",
]
