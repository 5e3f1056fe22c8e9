"""Coach: a manager's challenge in, reflective questions out, and never advice."""

__version__ = "0.1.0"
