import glimmr


def test_these_are_the_public_names_and_each_is_there() -> None:
    assert sorted(glimmr.__all__) == [
        "FileReport",
        "GlimmrError",
        "Lake",
        "Limits",
        "Outcome",
        "PriceTable",
        "Settings",
        "UsageError",
        "__version__",
    ]
    for name in glimmr.__all__:
        assert getattr(glimmr, name)
