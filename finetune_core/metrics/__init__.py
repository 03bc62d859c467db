"""Arrays in, numbers out: what every verdict is computed from. Pure numpy, each formula with its source."""
