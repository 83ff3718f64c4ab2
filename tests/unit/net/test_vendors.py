"""Addresses as publishers write them: who keeps the file, what its name hints at, what may be shown."""

import itertools
from collections import Counter

import pytest

from glimmr.errors import BadUrl
from glimmr.net import classify, redact
from tests.support.reference import json_lines

SECRET = "Zx9SECRETsecret"


@pytest.mark.parametrize(
    ("url", "vendor", "container"),
    [
        ("https://apps.para-hcfs.com/PTT/FinalLinks/Reports.aspx?dbName=dbX&fileType=CSV", "PARA", "csv"),
        ("https://h.pt.panaceainc.com/MRFDownload/h/h", "Panacea", None),
        ("https://sthpiprd.blob.core.windows.net/a/1_h_standardcharges.zip", "Tenet", "zip"),
        ("https://other.blob.core.windows.net/a/b.json?sv=1&sig=x", "Azure Blob Storage", "json"),
        ("https://mdsave-system.s3.amazonaws.com/x.csv", "MDsave", "csv"),
        ("https://h.org/files/Prices%20of%202026.XLSX#a", None, "xlsx"),
        ("https://h.org/download.ashx?f=prices.csv.zip", None, "zip"),
        ("https://notpara-hcfs.com/x", None, None),
        ("h.org/charges", None, None),
    ],
)
def test_an_address_hints_at_vendor_and_container(url: str, vendor: str | None, container: str | None) -> None:
    address = classify(url)
    assert (address.vendor, address.container) == (vendor, container)


def test_an_address_inside_a_browser_is_none() -> None:
    with pytest.raises(BadUrl):
        classify("blob:https://h.test/c0801b09")


def test_the_real_addresses_normalise_to_fewer_and_a_third_lies_with_ten_vendors() -> None:
    urls = [record["file_url"] for record in json_lines("price_file_urls.jsonl") if record["file_url"]]
    web = [classify(url) for url in urls if not url.startswith("blob:")]
    assert (len(urls), len(web)) == (5023, 5022)
    assert len({address.url for address in web}) == 4752
    vendors = Counter(address.vendor for address in web)
    assert (vendors["PARA"], vendors["Panacea"], vendors["Hospital Price Disclosure"]) == (318, 168, 164)
    assert 0.30 < sum(count for name, count in vendors.most_common(11) if name) / len(web) < 0.40
    containers = Counter(address.container for address in web)
    assert containers["csv"] > 0.5 * len(web)
    assert containers[None] > 0.05 * len(web)  # so a name is never enough
    assert all(classify(address.url) == address for address in web)


def test_no_token_of_a_real_address_is_ever_shown() -> None:
    keys = itertools.cycle(["sig", "X-Amz-Signature", "access_token", "rlkey", "AWSAccessKeyId", "st&sig"])
    for record, key in zip(json_lines("price_file_urls.jsonl"), keys, strict=False):
        for url in filter(None, (record["file_url"], record["page_url"])):
            bare = url.partition("#")[0]
            signed = f"{bare}{'&' if '?' in bare else '?'}{key}={SECRET}%2B%3D&after=1"
            assert SECRET not in redact(signed)
            assert redact(signed).endswith("=***&after=1")
            assert "#" not in redact(url)  # some vendors put the key behind the mark
