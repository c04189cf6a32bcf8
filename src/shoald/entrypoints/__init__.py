"""One module per process: parse, build, run."""
