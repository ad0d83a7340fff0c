"""Images for a test, each built from a few lines on top of another."""

from __future__ import annotations

from pathlib import Path

from program import must

# a server in Perl, which has the socket $s and answers the connection $c
_SERVER = (
    'use IO::Socket; $| = 1; $SIG{PIPE} = "IGNORE"; $s = IO::Socket::INET->new('
    "LocalPort => 80, Listen => 9, ReuseAddr => 1) or die; "
    "while ($c = $s->accept) { $c->autoflush; %s; close $c }"
)


def build(folder: Path, name: str, *lines: str, base: str = "nginx:local") -> str:
    """Build an image of these lines of a Dockerfile; its name."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *lines, ""]))
    must("docker", "build", "--quiet", "--tag", name, str(folder), timeout=120)
    return name


def server(folder: Path, name: str, answer: str) -> str:
    """Build an image whose server on port 80 does this, in Perl, with each connection $c."""
    (folder / "server.pl").write_text(_SERVER % answer)
    return build(folder, name, "COPY server.pl /", "ENTRYPOINT []", 'CMD ["perl", "/server.pl"]')


def script(folder: Path, name: str, text: str, *lines: str) -> str:
    """Build an image with a shell script as its entrypoint."""
    (folder / "entrypoint.sh").write_text(f"#!/bin/sh\n{text}")
    (folder / "entrypoint.sh").chmod(0o755)
    return build(
        folder,
        name,
        "COPY entrypoint.sh /",
        'ENTRYPOINT ["/entrypoint.sh"]',
        'CMD ["nginx", "-g", "daemon off;"]',
        *lines,
    )
