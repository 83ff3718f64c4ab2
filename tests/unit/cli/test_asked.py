import pytest

from glimmr.cli.asked import sources_asked
from glimmr.errors import UsageError
from glimmr.settings import Settings


@pytest.mark.parametrize(
    "given",
    ["hospital.org", " WWW.Hospital.org ", "https://www.hospital.org/prices?x=1", "hospital.org:443", "hospital.org."],
)
def test_a_domain_may_be_pasted_as_an_address(given: str) -> None:
    assert sources_asked(Settings(), None, all_states=False, domains=[given]) == [("cms_hpt", "hospital.org")]


def test_the_same_question_is_asked_once() -> None:
    asked = sources_asked(Settings(), ["VT,Vermont"], all_states=False, domains=["a.org,www.a.org", "a.org"])
    assert asked == [("cms_roster", "VT"), ("pra", "VT"), ("cms_hpt", "a.org")]


def test_a_domain_is_asked_by_every_source_that_is_asked_about_sites() -> None:
    settings = Settings(sources=("pra", "page", "cms_hpt"))
    asked = sources_asked(settings, None, all_states=False, domains=["a.org"])
    assert asked == [("cms_hpt", "a.org"), ("page", "a.org")]
    with pytest.raises(UsageError, match="add cms_hpt or page"):
        sources_asked(Settings(sources=("pra",)), None, all_states=False, domains=["a.org"])


@pytest.mark.parametrize("given", ["hospital", "", "a b.org", "http://[broken", "..", "a..org", ".org"])
def test_what_can_be_no_domain_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(UsageError, match=r"looks like hospital\.org"):
        sources_asked(Settings(), None, all_states=False, domains=[given])


def test_a_source_that_there_is_not_is_named_with_the_near_miss() -> None:
    with pytest.raises(UsageError, match="no source is called 'pro'; did you mean pra"):
        sources_asked(Settings(sources=("pro",)), ["VT"], all_states=False)


def test_only_who_may_name_a_domain_is_told_to() -> None:
    with pytest.raises(UsageError, match="--domain"):
        sources_asked(Settings(), None, all_states=False, domains=())
    with pytest.raises(UsageError, match=r"VT, --all, or --from list\.csv$"):
        sources_asked(Settings(), None, all_states=False)
