"""What the contract says of a method, looked up by its path `/package.Service/Method`."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)
def may_wait(path: str) -> bool:
    """Say whether a call may wait for a job; a path that no loaded contract knows does not."""
    from google.protobuf import descriptor_pool
    from shoal.options.v1 import options_pb2

    try:
        method = descriptor_pool.Default().FindMethodByName(path.lstrip("/").replace("/", "."))
    except KeyError:
        return False
    return bool(method.GetOptions().Extensions[options_pb2.may_wait])
