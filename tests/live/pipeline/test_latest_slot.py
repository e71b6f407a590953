"""The slot: the newest item wins, or nothing is lost."""

from __future__ import annotations

import threading

import pytest

from live.pipeline.latest_slot import Closed, LatestSlot


def test_newest_item_wins_and_losses_are_counted() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for number in range(5):
        slot.put(number)
    assert slot.get(timeout_s=1) == 4
    assert slot.dropped == 4
    assert slot.get(timeout_s=0.01) is None


def test_slot_for_several_items_drops_the_oldest() -> None:
    slot: LatestSlot[int] = LatestSlot(capacity=3)
    for number in range(5):
        slot.put(number)
    assert [slot.get(timeout_s=1) for _ in range(3)] == [2, 3, 4] and slot.dropped == 2
    slot.put(5)
    slot.drain()
    assert slot.get(timeout_s=0.01) is None and slot.dropped == 3


def test_lossless_slot_loses_nothing() -> None:
    slot: LatestSlot[int] = LatestSlot(lossless=True)

    def give() -> None:
        for number in range(500):
            slot.put(number)
        slot.close()

    threading.Thread(target=give, daemon=True).start()
    taken = []
    with pytest.raises(Closed):
        while True:
            item = slot.get(timeout_s=60)
            assert item is not None
            taken.append(item)
    assert taken == list(range(500))
    assert slot.dropped == 0


@pytest.mark.parametrize("blocked", ["put", "get", "wait_wanted"])
def test_close_wakes_waiting_threads(blocked: str) -> None:
    slot: LatestSlot[int] = LatestSlot(lossless=True)
    if blocked != "get":
        slot.put(1)
    woken = threading.Event()

    def wait() -> None:
        with pytest.raises(Closed):
            if blocked == "put":
                slot.put(2)
            elif blocked == "wait_wanted":
                slot.wait_wanted()
            else:
                slot.get(timeout_s=60)
        woken.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    slot.close()
    thread.join(60)
    assert woken.is_set()


def test_last_item_can_be_taken_after_close() -> None:
    slot: LatestSlot[str] = LatestSlot()
    slot.put("last")
    slot.close()
    assert slot.get(timeout_s=1) == "last"
    with pytest.raises(Closed):
        slot.get(timeout_s=1)
