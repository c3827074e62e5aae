"""Our stand-in of Stripe beside those that others wrote: localstripe and emulate."""
