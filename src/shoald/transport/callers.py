"""Who makes a call, and how long they wait for it."""

from __future__ import annotations

import grpc

from shoald.application.access import Access, Caller, act_as, acting
from shoald.application.waiting import Patience
from shoald.transport.calls import key_of_call, requested_namespace, seconds_left

SHORT_CALL_SECONDS = 55.0
"""A little less than Envoy gives a short call, so that it is the server that says what took so long."""


def caller_of(access: Access, context: grpc.ServicerContext, namespace: str | None = None) -> Caller:
    """Return the caller, in the namespace that the call names; from now on the call works on its behalf.

    `namespace` is what a stream's first message names, before which nobody could look.
    """
    caller = access.caller(namespace or requested_namespace(context), key_of_call())
    before = acting()
    if before is None or before.namespace_id != caller.namespace_id:  # some calls ask more than once
        access.count(caller)
    act_as(caller)
    return caller


def patience_of(context: grpc.ServicerContext) -> Patience:
    """Return how long the caller waits: until its own deadline, and while it is there."""
    return Patience(seconds=context.time_remaining(), is_wanted=context.is_active)


def brief_patience_of(context: grpc.ServicerContext) -> Patience:
    """Return how long a caller waits for a short call: no longer than Envoy lets it."""
    seconds = seconds_left(context, at_most=SHORT_CALL_SECONDS)
    return Patience(seconds=seconds, is_wanted=context.is_active, is_brief=True)
