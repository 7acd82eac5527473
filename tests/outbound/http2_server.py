"""A small HTTP/2 server over TLS: answers every request with its method, path and body as JSON."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import defaultdict
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    headers: dict[int, dict[str, str]] = {}
    bodies: dict[int, bytes] = defaultdict(bytes)
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            stream_id = getattr(event, "stream_id", None) or 0
            if isinstance(event, h2.events.RequestReceived):
                headers[stream_id] = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                bodies[stream_id] += event.data or b""
                connection.acknowledge_received_data(event.flow_controlled_length or 0, stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                told = {"headers": headers[stream_id], "body": json.loads(bodies[stream_id] or b"null")}
                connection.send_headers(stream_id, [(":status", "200"), ("content-type", "application/json")])
                connection.send_data(stream_id, json.dumps({"output": told}).encode(), end_stream=True)
        writer.write(connection.data_to_send())
        await writer.drain()
    writer.close()


@asynccontextmanager
async def http2_server(context: ssl.SSLContext):
    """Listens on a free port of 127.0.0.1 and yields it."""
    context.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
