"""Runs in Keystone's own environment: serves its API on a port. It takes the command line for its own."""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server


class Server(ThreadingMixIn, WSGIServer):
    """A server that answers several callers at once."""

    daemon_threads = True


def main(port: int) -> None:
    """Serve until killed."""
    from keystone.wsgi import api

    with make_server("127.0.0.1", port, api.application, Server) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv.pop()))
