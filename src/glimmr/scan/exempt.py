"""Which hospitals need not publish: those of the federal government and of Indian health programs."""

# 45 CFR 180.30(b) deems federally owned or operated hospitals compliant: those of the Department of Veterans Affairs,
# military treatment facilities of the Department of Defense, and those an Indian Health Program operates (tribes
# included, 25 U.S.C. 1603(12)).
_BY_KIND = {
    "acute care - veterans administration": "veterans_affairs",
    "veterans health administration": "veterans_affairs",
    "acute care - department of defense": "defense",
    "department of defense": "defense",
    "tribal": "indian_health",
}
_FEDERAL = "government - federal"
_INDIAN_HEALTH = frozenset(("INDIAN", "PHS", "IHS", "NATIVE", "NAVAJO", "CHOCTAW", "CHEROKEE", "ZUNI"))


def exempt_reason(name: str, kind: str, ownership: str) -> str | None:
    """Why it is exempt, from the type and ownership CMS's roster gives; None when it is not, or when that is unsure.

    Ownership "Government - Federal" alone is no reason: hospitals state it of themselves, and a good third of the 43
    who do so (Piedmont in Atlanta, Silver Hill …) are private.
    """
    reason = _BY_KIND.get(kind.casefold().strip()) or _BY_KIND.get(ownership.casefold().strip())
    if reason is None and ownership.casefold().strip() == _FEDERAL:
        words = set(name.upper().replace("P H S", "PHS").split())
        return "indian_health" if words & _INDIAN_HEALTH else None
    return reason
