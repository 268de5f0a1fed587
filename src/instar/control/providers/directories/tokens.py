"""Tokens of what was begun, so that none of it is begun again."""

REMEMBERED = 50
"""How many tokens of each kind are remembered: enough that none returns after it was forgotten."""


def remember(tokens: list[str], token: str) -> list[str]:
    """Add a token to those that were begun, forgetting the oldest."""
    return [*tokens, token][-REMEMBERED:]
