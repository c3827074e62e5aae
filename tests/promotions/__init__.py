"""Promotional credit: granted, spent before cash, expired, given back."""
