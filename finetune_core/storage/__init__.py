"""What survives: tables, dataset versions and artefacts. The only floor, with `jobs`, that speaks SQL."""
