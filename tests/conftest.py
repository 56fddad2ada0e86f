"""Plugins for every test folder."""

pytest_plugins = ["tests.wire.fixtures"]
