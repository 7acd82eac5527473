"""The commands about experiments that exist."""

from __future__ import annotations

from argparse import Namespace
from itertools import islice

from evalrpc._connection import Tls
from evalrpc._sync.client import Client
from evalrpc.cli.exits import SUCCESSFUL
from evalrpc.cli.output import print_experiments, print_json


def client_for(arguments: Namespace) -> Client:
    """Returns a client for the server that the command line names."""
    settings = Tls(
        root_certificates=arguments.ca, client_certificate=arguments.cert, client_key=arguments.key
    )
    encrypted = settings if arguments.ca or arguments.cert or arguments.key else bool(arguments.tls)
    return Client(arguments.address, token=arguments.token, tls=encrypted)


def get(arguments: Namespace) -> int:
    """Prints an experiment."""
    with client_for(arguments) as client:
        print_json(client.get(arguments.id))
    return SUCCESSFUL


def list_all(arguments: Namespace) -> int:
    """Prints the latest experiments."""
    with client_for(arguments) as client:
        page_size = min(arguments.limit, 500)
        found = client.list(name=arguments.name, states=arguments.state, page_size=page_size)
        experiments = list(islice(found, arguments.limit))
    if not arguments.json:
        print_experiments(experiments)
    for experiment in experiments if arguments.json else ():
        print_json(experiment, indent=None)
    return SUCCESSFUL


def cancel(arguments: Namespace) -> int:
    """Asks an experiment to end and prints its state."""
    with client_for(arguments) as client:
        experiment = client.cancel(arguments.id)
        print(f"{experiment.id} {experiment.state}")
    return SUCCESSFUL


def results(arguments: Namespace) -> int:
    """Prints results, one line each."""
    with client_for(arguments) as client:
        for result in client.list_results(arguments.id, failed_only=arguments.failed, page_size=500):
            print_json(result, indent=None)
    return SUCCESSFUL
