"""Agora's channel management (REST): who stays in a channel is set offline. Documented as "Create a banning rule"."""

import requests
import structlog

from soulseer.domain.errors import VendorError

log = structlog.get_logger(__name__)

# To connect, and to be answered: Agora asks for five seconds at the least.
TIMEOUT_SECONDS = (3, 10)
# Ours to mend, or for now: the same may be asked again.
_LATER = frozenset({401, 403, 408, 429})


class ChannelsUnavailable(VendorError):
    """Agora did not do it now, or did and could not say so; asking again does no harm."""

    code, title = "channels_unavailable", "Agora did not answer"


class ChannelsRefused(VendorError):
    """Agora refused this request for good."""

    code, title = "channels_refused", "Agora refused the request"


class ChannelGateway:
    """Asks ``api_base`` with the account's customer id and secret, which are not those that tokens are made with."""

    def __init__(self, app_id: str, customer_id: str, customer_secret: str, api_base: str) -> None:
        self.app_id = app_id
        self.configured = bool(app_id and customer_id and customer_secret)
        self._rules = f"{api_base.rstrip('/')}/dev/v1/kicking-rule"
        self._credentials = (customer_id, customer_secret)

    def remove(self, channel: str, uid: int, seconds: int) -> int | None:
        """Set ``uid`` offline in ``channel`` and keep it out for ``seconds`` (0: it may come back at once; Agora knows 10 to
        86,430). The number of Agora's rule, where it told one. Raises ChannelsUnavailable, ChannelsRefused."""
        body = {
            "appid": self.app_id,
            "cname": channel,
            "uid": uid,
            "ip": "",
            "time_in_seconds": seconds,
            "privileges": ["join_channel"],
        }
        number = self._ask("POST", json=body).get("id")
        return number if isinstance(number, int) and 0 <= number < 2**63 else None

    def check(self) -> None:
        """Read the list of rules: whether Agora takes our credentials. Raises ChannelsUnavailable, ChannelsRefused."""
        self._ask("GET", params={"appid": self.app_id})

    def _ask(self, method: str, **content: object) -> dict[str, object]:
        try:
            answer = requests.request(
                method,
                self._rules,
                auth=self._credentials,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                headers={"Accept": "application/json"},
                **content,  # type: ignore[arg-type]
            )
            status = answer.status_code
            told = answer.json() if status == 200 else None
        except (requests.RequestException, ValueError) as error:
            log.warning("agora_unavailable", error=type(error).__name__)
            raise ChannelsUnavailable(f"no answer ({type(error).__name__})") from error
        if isinstance(told, dict) and told.get("status") == "success":
            return told
        log.warning("agora_refused", status=status)
        if status == 200 or status >= 500 or status in _LATER:
            raise ChannelsUnavailable(_words(status))
        raise ChannelsRefused(_words(status))


def _words(status: int) -> str:
    if status in (401, 403):
        return f"HTTP {status}: AGORA_CUSTOMER_ID and AGORA_CUSTOMER_SECRET are not taken"
    return f"HTTP {status}, without success"
