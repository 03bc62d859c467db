"""The judge: a system and one part of a dataset version go in, a report of one row per example comes out."""
