from gradcascade.performance.model_names import family_names


def names(found):
    return {one.label: one.names for one in found.scales}


def test_a_published_family_has_the_names_of_its_repositories():
    found = family_names("pythia-deduped", {"70m": ["0"]})
    (one,) = found.scales
    assert one.names[:3] == ("EleutherAI/pythia-70m-deduped", "pythia-70m-deduped", "70m-deduped")
    assert "70m" not in one.names and one.loose == ("70m",)


def test_a_family_of_ones_own_has_its_scales_and_what_begins_with_its_name():
    found = family_names("nano", {"d24": ["0"], "d48": ["0"]}, {("d24", "0"): ["run-7"]})
    assert names(found) == {
        "d24": ("d24", "nano-d24", "nano_d24", "nano.d24", "run-7"),
        "d48": ("d48", "nano-d48", "nano_d48", "nano.d48"),
    }
    assert all(not one.loose for one in found.scales)


def test_runs_have_the_names_of_their_folders_and_seeds():
    found = names(
        family_names("pythia", {"70m": ["1", "3"]}, {("70m", "3"): ["pythia-70m-c"]}, {("70m", "0"): "x/m"})
    )
    assert list(found) == ["70m", "70m:1", "70m:3"]
    assert {"pythia-70m-c", "70m-seed3", "pythia-70m-seed3", "70m-run_3"} <= set(found["70m:3"])
    assert not set(found["70m:1"]) & set(found["70m:3"])


def test_what_would_stand_for_two_stands_for_none():
    places = {("small", "0"): "me/models@small", ("large", "0"): "me/models@large"}
    found = names(family_names("own", {"small": ["0"], "large": ["0"]}, None, places))
    assert "me/models" not in found["small"] and "small" in found["small"]


def test_a_scale_named_as_a_published_run_is_that_run():
    (one,) = family_names("pythia", {"70m-seed3": ["0"]}).scales
    assert one.names[:3] == ("EleutherAI/pythia-70m-seed3", "pythia-70m-seed3", "70m-seed3") and one.loose == ("70m",)
    (other,) = family_names("own", {"70m-seed3": ["0"]}).scales
    assert other.loose == ()


def test_runs_have_the_names_of_their_repositories():
    places = {("70m", run): f"EleutherAI/pythia-70m-seed{run}" for run in ("1", "3")}
    found = names(family_names("pythia", {"70m": ["1", "3"]}, None, places))
    assert found["70m:3"][:3] == ("EleutherAI/pythia-70m-seed3", "pythia-70m-seed3", "70m-seed3")
    assert found["70m"][0] == "70m" and "70m" not in found["70m:3"]
