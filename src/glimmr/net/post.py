"""One small JSON document sent to an address of the operator's own, such as a webhook for alerts."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pycurl

from glimmr.net.options import Options
from glimmr.net.urls import host_of


def post_json(url: str, document: Mapping[str, Any], options: Options, *, seconds: float) -> str | None:
    """Send the document, once. Returns why that failed, without the address's secrets; None: a 2xx answered.

    The address is the operator's, who mostly keeps such things inside: unlike a publisher's it may be one that is not
    public. No redirect is followed, so that nobody else can choose where to. Certificates, proxies (the environment's,
    by libcurl) and `connect_to` are as for hospitals. Blocks for at most `seconds`.
    """
    curl, answer = pycurl.Curl(), io.BytesIO()
    try:
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.POSTFIELDS, json.dumps(document))
        curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", f"User-Agent: {options.user_agent}"])
        curl.setopt(pycurl.FOLLOWLOCATION, False)
        curl.setopt(pycurl.NOSIGNAL, True)
        curl.setopt(pycurl.TIMEOUT_MS, int(seconds * 1000))
        curl.setopt(pycurl.MAXFILESIZE, 2**20)
        curl.setopt(pycurl.WRITEDATA, answer)
        curl.setopt(pycurl.CONNECT_TO, options.connect_to.entries(url))
        if options.ca_bundle:
            curl.setopt(pycurl.CAINFO, options.ca_bundle)
        if not options.checks(url):
            curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        curl.perform()
        status = curl.getinfo(pycurl.RESPONSE_CODE)
    except pycurl.error as error:
        return f"{host_of(url)}: {error.args[-1]}"
    finally:
        curl.close()
    return None if 200 <= status < 300 else f"{host_of(url)} answered HTTP {status}"
