"""A mail server that delivers to nobody, and pages that show what it took."""
