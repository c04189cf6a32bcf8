"""A mail goes in, and is handed to the installation's mail server."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Literal

from shoald.application.ports.messengers import Mail, Reception

_LASTING = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed over, and in whose name. `security` says how the line is kept: TLS from the start, STARTTLS
    before anything is said, or not at all. `timeout_seconds` bound the whole handing over of one mail.
    """

    host: str
    port: int
    sender: str
    security: Literal["tls", "starttls", "none"] = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0


class SmtpMailer:
    """`Mailer` over SMTP, a connection for each mail."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def send(self, mail: Mail) -> Reception:
        """Hand it over; a server that answers 5xx to the mail itself has refused it for good."""
        message = _message(mail, self._server.sender)
        try:
            with self._connected() as line:
                refused = line.send_message(message, to_addrs=[*mail.to, *mail.cc, *mail.bcc])
        except smtplib.SMTPResponseException as error:
            # what it says before, to the login or the sender, is the installation's to mend meanwhile
            is_final = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= _LASTING
            return Reception(error=f"the mail server answered {error.smtp_code}", is_final=is_final)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            is_final = all(code >= _LASTING for code in codes)
            return Reception(error=f"the mail server refused all recipients ({codes[0]})", is_final=is_final)
        except (OSError, smtplib.SMTPException):
            return Reception(error="the mail server cannot be reached")
        # those that were refused beside others that were not would get the rest a second time
        return Reception(error=None if len(refused) < len(mail.to) + len(mail.cc) + len(mail.bcc) else "refused")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """Connect, and shut the line when the time is up: a server that is slow at each of a hundred recipients ends
        no time-out, and a lease that ended meanwhile would have the mail sent again.
        """
        deadline = time.monotonic() + self._server.timeout_seconds
        line = self._line()
        end = threading.Timer(max(0.0, deadline - time.monotonic()), _shut, [line])
        end.daemon = True
        end.start()
        try:
            self._introduce(line)
            yield line
            with contextlib.suppress(
                OSError, smtplib.SMTPException
            ):  # the mail is taken, whatever comes of the farewell
                line.quit()
        finally:
            end.cancel()
            line.close()

    def _line(self) -> smtplib.SMTP:
        """Connect; half of the time is for the connection, half for the greeting."""
        server = self._server
        half = server.timeout_seconds / 2
        if server.security == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=half, context=ssl.create_default_context())
        return smtplib.SMTP(server.host, server.port, timeout=half)

    def _introduce(self, line: smtplib.SMTP) -> None:
        server = self._server
        if server.security == "starttls":
            line.starttls(context=ssl.create_default_context())
        if server.username is not None:
            line.login(server.username, server.password or "")


class NoMailer:
    """`Mailer` of an installation that has no mail server: channels by email are refused before they get here."""

    def send(self, mail: Mail) -> Reception:  # noqa: ARG002 - the port's signature
        """Say so."""
        return Reception(error="this installation sends no email: SHOAL_SMTP_HOST is not set")


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(mail.to)
    if mail.cc:
        message["Cc"] = ", ".join(mail.cc)
    message["Subject"] = mail.subject
    message["Message-ID"] = f"<{mail.message_id}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, subtype="html" if mail.is_html else "plain")
    return message


def _domain(sender: str) -> str:
    return Address(addr_spec=sender).domain or "localhost"


def _shut(line: smtplib.SMTP) -> None:
    if line.sock is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(line.sock, socket.SHUT_RDWR)
