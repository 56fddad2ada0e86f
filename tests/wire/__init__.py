"""A strict stand-in for Discord's servers, on real sockets, for tests.

It owns what Discord would answer; what the bot should have done is each test's own business.
"""

from .faults import Fault
from .server import Wire
from .violations import Kind, Violation

__all__ = ["Fault", "Kind", "Violation", "Wire"]
