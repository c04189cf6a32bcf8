from __future__ import annotations

import threading

from shoald.scheduler.couriers import Couriers

_PATIENCE = 20.0


class Errands:
    """Errands that are taken in order; each waits to be let go."""

    def __init__(self, number: int) -> None:
        self.waiting = list(range(number))
        self.carried = list[int]()
        self.lock = threading.Lock()
        self.under_way = threading.Semaphore(0)
        self.go = threading.Event()

    def take(self) -> int | None:
        with self.lock:
            return self.waiting.pop(0) if self.waiting else None

    def carry_out(self, errand: int) -> None:
        self.under_way.release()
        assert self.go.wait(_PATIENCE)
        with self.lock:
            self.carried.append(errand)


def test_errands_are_carried_out_by_as_many_threads_as_there_are_and_all_in_the_end() -> None:
    errands = Errands(10)
    couriers = Couriers(take=errands.take, carry_out=errands.carry_out, threads=3)
    couriers.run_pass()
    assert all(errands.under_way.acquire(timeout=_PATIENCE) for _ in range(3))
    assert len(errands.waiting) == 7
    errands.go.set()
    assert all(errands.under_way.acquire(timeout=_PATIENCE) for _ in range(7))
    couriers.close()
    assert sorted(errands.carried) == list(range(10))
    assert couriers.run_pass() == 10


def test_an_error_ends_a_thread_s_turn_and_the_next_round_goes_on() -> None:
    answers = iter([OSError("away"), None])
    asked = threading.Semaphore(0)

    def take() -> None:
        answer = next(answers)
        asked.release()
        if answer is not None:
            raise answer

    couriers: Couriers[None] = Couriers(take=take, carry_out=lambda _: None, threads=1)
    couriers.run_pass()
    assert asked.acquire(timeout=_PATIENCE)
    while not asked.acquire(timeout=0.01):
        couriers.run_pass()
    couriers.close()


def test_a_stop_gives_up_what_lasts_and_does_not_keep_the_process() -> None:
    errands = Errands(2)
    couriers = Couriers(take=errands.take, carry_out=errands.carry_out, threads=1, patience_seconds=0.0)
    couriers.run_pass()
    assert errands.under_way.acquire(timeout=_PATIENCE)
    [courier] = [thread for thread in threading.enumerate() if thread.name == "courier"]
    couriers.close()
    assert courier.is_alive()
    assert courier.daemon
    errands.go.set()
    courier.join(_PATIENCE)
    assert (errands.carried, errands.waiting) == ([0], [1])


def test_after_closing_nothing_is_taken() -> None:
    errands = Errands(1)
    couriers = Couriers(take=errands.take, carry_out=errands.carry_out, threads=1)
    couriers.close()
    couriers.run_pass()
    assert errands.waiting == [0]
