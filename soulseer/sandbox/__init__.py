"""Local stand-ins for the vendors, so that the whole product runs without a key (design §7).

Nothing that serves production imports this package, and a production start with the sandbox on is refused.
"""
