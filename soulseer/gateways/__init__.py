"""One module per outside system. ``current()`` gives what the app configured."""

from dataclasses import dataclass

from soulseer.gateways.agora import AgoraGateway
from soulseer.gateways.agora_channels import ChannelGateway
from soulseer.gateways.identity import IdentityGateway
from soulseer.gateways.mail import MailGateway
from soulseer.gateways.presence import PresenceGateway
from soulseer.gateways.queue import QueueGateway
from soulseer.gateways.signals import SignalGateway
from soulseer.gateways.signing import SigningGateway
from soulseer.gateways.storage import StorageGateway
from soulseer.gateways.stripe import StripeGateway
from soulseer.gateways.talk import TalkGateway


@dataclass(frozen=True)
class Gateways:
    identity: IdentityGateway
    presence: PresenceGateway
    queue: QueueGateway
    stripe: StripeGateway
    agora: AgoraGateway
    channels: ChannelGateway
    signals: SignalGateway
    mail: MailGateway
    storage: StorageGateway
    talk: TalkGateway
    signing: SigningGateway


_current: Gateways | None = None


def configure(gateways: Gateways) -> None:
    """Called once by the app."""
    global _current
    _current = gateways


def current() -> Gateways:
    """The configured gateways. Raises RuntimeError before the app is made."""
    if _current is None:
        raise RuntimeError("gateways are not configured: create_app() does it")
    return _current
