"""Who keeps a price file for a hospital, and what its address lets expect: hints only, never a reason to trust."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from glimmr.net.urls import host_of, normalise

# By the end of the host's name. About a third of all price files lie with these; the rest is the hospitals' own.
_VENDORS: dict[str, str] = {
    # who makes or shows price files for many hospitals
    "para-hcfs.com": "PARA",
    "panaceainc.com": "Panacea",
    "hospitalpricedisclosure.com": "Hospital Price Disclosure",
    "hcadam.com": "HCA",
    "hyvehealthcare.com": "Hyve",
    "craneware.com": "Craneware",
    "claraprice.net": "ClaraPrice",
    "centaurihs.com": "Centauri",
    "pricetransparency.healthcare": "Price Transparency Healthcare",
    "machine-readable-files.com": "Machine Readable Files",
    "revenuemasters.com": "Revenue Masters",
    "slicedhealth.io": "Sliced Health",
    "changehealthcare.com": "Change Healthcare",
    "mdsave-system.s3.amazonaws.com": "MDsave",
    # where a chain of hospitals keeps them
    "sthpiprd.blob.core.windows.net": "Tenet",
    "uhsfilecdn.eskycity.net": "UHS",
    "resources.selectmedical.com": "Select Medical",
    # where anybody keeps files
    "blob.core.windows.net": "Azure Blob Storage",
    "azureedge.net": "Azure CDN",
    "amazonaws.com": "Amazon S3",
    "cloudfront.net": "Amazon CloudFront",
    "storage.googleapis.com": "Google Cloud Storage",
    "drive.google.com": "Google Drive",
    "docs.google.com": "Google Drive",
    "box.com": "Box",
    "dropbox.com": "Dropbox",
    "sharepoint.com": "SharePoint",
    "onedrive.live.com": "OneDrive",
    "sitecorecloud.io": "Sitecore",
    "sitecorecontenthub.cloud": "Sitecore",
    "cloudinary.com": "Cloudinary",
    "contentstack.io": "Contentstack",
    "ctfassets.net": "Contentful",
    "widen.net": "Widen",
}
_ENDING = re.compile(
    r"\.(csv|json|jsonl|ndjson|xml|txt|zip|gz|7z|tar|xlsx|xlsm|xlsb|xls|ods|pdf|html?)$", re.IGNORECASE
)
_FILE_TYPE = "filetype"  # PARA's reports name it in the query


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What an address looks like. `url` is normalised, so that two spellings of one address are equal."""

    url: str
    host: str
    vendor: str | None
    container: str | None  # csv, json, zip, …; None: the name does not say


def classify(url: str) -> Address:
    """What an address looks like, without asking it. Raises BadUrl or ForbiddenScheme when it is none of the web's."""
    url = normalise(url)
    host = host_of(url)
    return Address(url=url, host=host, vendor=vendor_of(host), container=_container(url))


def vendor_of(host: str) -> str | None:
    """Who keeps files at this host for others; the longest end of its name that is known counts."""
    labels = host.split(".")
    ends = (".".join(labels[at:]) for at in range(len(labels) - 1))
    return next((_VENDORS[end] for end in ends if end in _VENDORS), None)


def _container(url: str) -> str | None:
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    texts = [unquote(parts.path), *(value for _, value in query)]
    said = next((found[1] for text in texts if (found := _ENDING.search(text))), None)
    said = said or next((value for name, value in query if name.casefold() == _FILE_TYPE), None)
    return said.lower() if said and len(said) <= 6 else None
