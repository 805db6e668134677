"""Channels: how a sequence of vectors becomes the other side's estimates."""

from netcomp.channels.base import Channel, Heard
from netcomp.channels.direct import Direct
from netcomp.channels.error_feedback import ErrorFeedback
from netcomp.channels.marina import Marina
from netcomp.channels.memory import Memory

__all__ = ["Channel", "Direct", "ErrorFeedback", "Heard", "Marina", "Memory"]
