"""What may be asked of the streams' process beside its health: to restart one stream. Only the home's owner may."""

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus

from tidemark.errors import TidemarkError
from tidemark.private_files import private_folder, written_once
from tidemark.settings import Settings
from tidemark.stream_control import token_file

Restart = Callable[[str], None]
Answer = tuple[HTTPStatus, str]


class Control:
    """Answers requests; each must have the token, which no web page and no other user can read."""

    def __init__(self, settings: Settings, restart: Restart) -> None:
        private_folder(settings.run)
        self._token = written_once(token_file(settings), lambda: secrets.token_hex(32))
        self._restart = restart

    def answer(self, path: str, token: str) -> Answer:
        """Do what `/streams/<name>/restart` asks, and say how that went."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return HTTPStatus.FORBIDDEN, "the token is missing or wrong"
        words = path.strip("/").split("/")
        if len(words) != 3 or (words[0], words[2]) != ("streams", "restart"):
            return HTTPStatus.NOT_FOUND, "there is nothing here"
        try:
            self._restart(words[1])
        except TidemarkError as error:
            return HTTPStatus.CONFLICT, f"{error.what}\n{error.fix}"
        return HTTPStatus.OK, f"{words[1]} was restarted"
