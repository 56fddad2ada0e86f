"""Serving: who paints next, and the worker processes that do; the parent's side loads no torch."""
