"""Asking a running server for its health, for containers and scripts."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2

_SECONDS = 4.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  where a server on all addresses is asked


def check_health(address: str) -> tuple[bool, str]:
    """Asks the server at `host:port`; returns whether it serves, and a line that says what it answered."""
    host, _, port = address.rpartition(":")
    target = f"{_LOOPBACK.get(host, host)}:{port}"
    with grpc.insecure_channel(target) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.RpcError as error:
            return False, f"{target}: {error.code().name}: {error.details()}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return answer.status == health_pb2.HealthCheckResponse.SERVING, f"{target}: {status}"
