"""Fakes of the vendors' services on loopback, held to the vendors' own API descriptions."""
