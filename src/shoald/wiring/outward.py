"""What an installation writes to outside of itself, as its settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.adapters.outward_addresses import CheckedAddresses
from shoald.adapters.smtp.mailing import MailServer, NoMailer, SmtpMailer
from shoald.domain.network_addresses import networks_of

if TYPE_CHECKING:
    from shoald.application.ports.messengers import Mailer
    from shoald.application.ports.outward_addresses import OutwardAddresses
    from shoald.settings import Settings


def addresses_of(settings: Settings) -> OutwardAddresses:
    """Return where Shoal may connect to on a caller's word."""
    return CheckedAddresses(
        private=networks_of(settings.outward_private_networks.split(",")),
        ports=[int(port) for port in settings.outward_ports.split(",")],
    )


def mailer_of(settings: Settings) -> Mailer:
    """Return the mail server, or what says that there is none."""
    if settings.smtp_host is None:
        return NoMailer()
    password = settings.smtp_password
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
    )
    return SmtpMailer(server)
