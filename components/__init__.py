"""The widgets the pages are made of; each module has one function of the same name."""
