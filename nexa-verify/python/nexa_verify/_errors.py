"""What can go wrong that is not a licence's fault."""

from __future__ import annotations


class NexaError(Exception):
    """Keys, a document, a list or a state were refused.

    `code` is the stable name of the rule, in snake case; `message` one sentence for people, which names the field.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class ArgumentError(NexaError, ValueError):
    """An argument is longer, larger or other than it may be: the message names it."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that is not taken."""
