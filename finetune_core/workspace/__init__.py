"""The one door for the dashboard and the command line: a module for each noun, frozen values out, `FinetuneError`s where a
person asked for what cannot be done."""
