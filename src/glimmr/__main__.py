"""`python -m glimmr` is `glimmr`; Ctrl-C before the commands are loaded ends it without a traceback."""

import signal


def _main() -> None:
    heard = signal.getsignal(signal.SIGINT)
    if heard is signal.default_int_handler:  # who started us in the background wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from glimmr.cli import main  # noqa: PLC0415 - half a second on a slow disk, in which nothing is to be cleaned up

    signal.signal(signal.SIGINT, heard)
    main()


_main()
