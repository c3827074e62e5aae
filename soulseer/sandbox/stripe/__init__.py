"""The sandbox's Stripe: the API calls SoulSeer makes, a hosted checkout page and signed webhooks, over HTTP.

`resources/` holds one module per API resource; what a resource does to money lives beside it (`payments.py`). Each request
is one unit of `work`: objects, the events that speak of them and the answer kept for its idempotency key are written together.
"""
