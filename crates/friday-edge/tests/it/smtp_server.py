"""A mail server for tests, made of aiosmtpd: what it takes lies in a directory, one file for each mail.

Usage: smtp_server.py DIRECTORY clear|starttls|tls [CERTIFICATE KEY]. Its first line is its port. It ends with its
standard input. One user may log in, `friday` with `correct horse`; with TLS, everybody must.
"""

import asyncio
import os
import socket
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, directory):
        self.directory = directory
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy@"):
            return "451 4.2.1 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if b"\nhang\r\n" in envelope.content:
            await asyncio.sleep(3600)
        self.count += 1
        path = os.path.join(self.directory, f"{self.count}.eml")
        to = ",".join(envelope.rcpt_tos).encode()
        with open(path + ".new", "wb") as file:
            file.write(b"X-Envelope-To: " + to + b"\r\n" + envelope.content)
        os.rename(path + ".new", path)
        return f"250 taken as {self.count}"


def authenticator(server, session, envelope, mechanism, data):
    good = data.login == b"friday" and data.password == b"correct horse"
    return AuthResult(success=good, handled=False)


async def main():
    directory, mode = sys.argv[1:3]
    context = None
    if mode != "clear":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
    handler = Handler(directory)

    def factory():
        return SMTP(
            handler,
            hostname="mail.test",
            authenticator=authenticator,
            auth_required=mode != "clear",
            auth_require_tls=False,
            require_starttls=mode == "starttls",
            tls_context=context if mode == "starttls" else None,
        )

    listener = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, sock=listener, ssl=context if mode == "tls" else None)
    print(listener.getsockname()[1], flush=True)

    def leave():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=leave, daemon=True).start()
    await server.serve_forever()


asyncio.run(main())
