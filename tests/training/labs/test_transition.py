from gradcascade.training.labs.transition import first_above


def test_the_first_step_above_the_threshold_counts_and_not_one_at_it():
    assert first_above([(0, 0.1), (10, 0.99), (20, 0.995), (30, 0.9), (40, 1.0)], 0.99) == 20
    assert first_above([(0, 0.1), (10, 0.99)], 0.99) is None
    assert first_above([], 0.99) is None
