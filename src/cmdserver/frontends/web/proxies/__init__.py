"""Requests that come through proxies which the administrator trusts."""
