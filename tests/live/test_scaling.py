"""The scale of the loss that is seen in use."""

import gc
import threading

import torch

from gradcascade.live.scaling import scaler_in_use


class Waiting(torch.amp.GradScaler):
    """A scaler that can be looked at only when it is let go on."""

    def __init__(self) -> None:
        super().__init__("cpu", init_scale=1024.0)
        self.looked_at, self.go_on = threading.Event(), threading.Event()
        self.waits = False

    def is_enabled(self) -> bool:
        if self.waits:
            self.looked_at.set()
            self.go_on.wait(10)
        return super().is_enabled()


def test_a_scaler_is_seen_while_its_scale_is_in_the_gradients():
    gc.collect()  # those of other tests
    scaler = Waiting()  # of a class of its own
    assert scaler_in_use() is None
    scaler.scale(torch.ones(()))
    assert scaler_in_use() == 1024.0


def test_looking_does_not_disturb_a_tuple_that_another_thread_is_building():
    scaler = Waiting()
    scaler.waits = True
    looking = threading.Thread(target=scaler_in_use)

    def numbers():
        for number in range(50):
            if number == 3:
                looking.start()
                assert scaler.looked_at.wait(10)
            yield number

    try:
        assert tuple(numbers()) == tuple(range(50))
    finally:
        scaler.go_on.set()
        looking.join()
