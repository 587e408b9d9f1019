"""The error that a person is meant to read."""


class TidemarkError(Exception):
    """Say what went wrong, where and why, and how to mend it.

    The command line prints it without a traceback and exits 1 (`exit_code`).
    """

    exit_code = 1

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}\n  fix: {fix}" if fix else what)
        self.what = what
        self.fix = fix
