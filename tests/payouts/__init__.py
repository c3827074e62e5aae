"""Earnings, payouts and statements of readers."""
