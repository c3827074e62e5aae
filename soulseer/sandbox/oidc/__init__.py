"""The sandbox's OpenID provider: sign in as any demo person (docs/adr/0003)."""
