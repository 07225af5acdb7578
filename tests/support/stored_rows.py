"""One cascade as a store takes it."""


def row(**changes):
    base = {
        "family": "nano", "scale": "d24", "run": "0", "step": 10, "field": "gradient", "span": None,
        "variant": "real", "replicate": 0,
        "n": 100, "tau": 0.5, "size": 13, "duration": 2, "ceiling": False, "activity": [10, 3], "max_over_tau": 2.0,
        "kurtosis": None, "zero_share": 0.0, "source": "here", "revision": "local", "content_hash": "c",
        "layout_hash": "", "probe_hash": "p", "seed": 0, "seconds": 0.1,
    }  # fmt: skip
    return {**base, **changes}
