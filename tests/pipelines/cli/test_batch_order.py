"""The shots of a list begin in order, as many at once as there are replicas; an error that stops one stops those not yet begun."""

import threading
import time

from pipelines.cli.batch import in_order


def test_two_at_once_begin_and_end_in_the_order_of_the_list():
    begun, running, most = [], [], []
    lock = threading.Lock()

    def shoot(number):
        with lock:
            begun.append(number)
            running.append(number)
            most.append(len(running))
        time.sleep(0.05)
        with lock:
            running.remove(number)
        return number

    assert list(in_order(shoot, range(6), 2)) == list(range(6)) == begun
    assert max(most) == 2


def test_one_at_a_time_begins_nothing_that_nobody_waits_for():
    begun = []
    results = in_order(lambda number: begun.append(number) or number, range(6), 1)
    assert next(results) == 0 and begun == [0]
