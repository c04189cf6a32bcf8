"""Records, rules and numerics: no I/O, no clock, no environment."""
