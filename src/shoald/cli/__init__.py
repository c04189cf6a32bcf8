"""The command line: each command calls one use case, an entry point or the supervisor."""
