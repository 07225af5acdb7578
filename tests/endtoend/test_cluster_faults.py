"""A little of the campaign of faults; all of it is in benchmarks/cluster_faults.py."""

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("the campaign looks for processes in /proc", allow_module_level=True)

from cluster_faults import Campaign


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    return Campaign(tmp_path_factory.mktemp("faults"), seed=3)


@pytest.mark.parametrize("kind", [Campaign.full, Campaign.lock, Campaign.twice])
def test_faults_lose_and_double_nothing(campaign, kind):
    before = campaign.faults.total()
    kind(campaign)
    assert campaign.faults.total() > before
    assert (campaign.lost, campaign.doubled, campaign.differing) == (0, 0, 0), campaign.report()


def test_the_campaign_sees_what_is_lost_doubled_or_other(campaign, tmp_path):
    """Else its zeros would mean nothing."""
    own = Campaign.__new__(Campaign)
    own.lost = own.doubled = own.differing = own.studies = 0
    own.whole = campaign.whole
    name = campaign.name()
    assert campaign.during(name, ("--nulls", "N2"), lambda _: None) is not None
    own.compare(campaign.base / name)
    assert own.lost > 0 and own.differing == 1
