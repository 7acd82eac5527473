"""What the servicer of experiments does about whole runs: comparing and planning them."""

from __future__ import annotations

from collections.abc import Sequence

from evalrpc.v1 import comparison_pb2, comparison_requests_pb2
from evalrpc_server.domain.errors import InvalidRequestError
from evalrpc_server.protobuf.comparison import (
    comparison_from_message,
    comparison_to_message,
    flip_to_message,
    plan_from_message,
    plans_to_message,
)
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.rpc.encoding import MAX_MESSAGE_BYTES, converted
from evalrpc_server.runner.comparison.comparisons import Compared, Comparisons, Flip
from evalrpc_server.runner.comparison.planning import plan
from evalrpc_server.store.port import ExperimentStore

_ROOM = MAX_MESSAGE_BYTES - 64 * 1024


async def compare_experiments(
    request: comparison_requests_pb2.CompareExperimentsRequest, comparisons: Comparisons
) -> comparison_requests_pb2.CompareExperimentsResponse:
    """Sets runs beside a baseline.

    Raises:
        RequestError: the request is wrong, or a run cannot be compared.
    """
    spec, violations = comparison_from_message(request)
    if spec is None:
        raise InvalidRequestError(violations)
    compared = await comparisons.compare(spec)
    size = sum(
        len(flip.baseline_output or "") + len(flip.candidate_output or "") + flip.item.size
        for one in compared
        for flips in one.flips
        for flip in flips
    )
    return await converted(size, lambda: _fitting(compared))


async def plan_experiment(
    request: comparison_requests_pb2.PlanExperimentRequest, comparisons: Comparisons, store: ExperimentStore
) -> comparison_requests_pb2.PlanExperimentResponse:
    """Computes how large an experiment must be.

    Raises:
        RequestError: the request is wrong, or an experiment cannot be measured.
    """
    spec, violations = plan_from_message(request)
    if spec is None:
        raise InvalidRequestError(violations)
    found = await plan(spec, comparisons, store)
    return plans_to_message([(each.trials, each.items) for each in found.plans], found.variances)


def _fitting(compared: Sequence[Compared]) -> comparison_requests_pb2.CompareExperimentsResponse:
    """Writes comparisons so that they fit into one message: documents as text, and fewer flips, where need be."""
    message = _message(compared, Encoding.VALUE)
    if message.ByteSize() > _ROOM:
        message = _message(compared, Encoding.TEXT)
    while message.ByteSize() > _ROOM:
        evaluations = [each for one in message.comparisons for each in one.evaluations]
        longest = max(evaluations, key=lambda each: len(each.flips))
        if not longest.flips:
            break
        del longest.flips[len(longest.flips) // 2 :]
    return message


def _message(
    compared: Sequence[Compared], encoding: Encoding
) -> comparison_requests_pb2.CompareExperimentsResponse:
    return comparison_requests_pb2.CompareExperimentsResponse(
        comparisons=[
            comparison_to_message(
                one.baseline,
                one.candidate,
                one.found,
                [[_flip(flip, encoding) for flip in flips] for flips in one.flips],
            )
            for one in compared
        ]
    )


def _flip(flip: Flip, encoding: Encoding) -> comparison_pb2.Flip:
    return flip_to_message(
        flip.item,
        (flip.baseline_value, flip.candidate_value),
        (flip.baseline_output, flip.candidate_output),
        encoding,
    )
