"""A run as one HTML page: a file that needs no network, or a page that follows the run on the server.

Example:
    with open("report.html", "wb") as file:
        write_report(file, experiment, client.list_results(experiment.id))
"""

from __future__ import annotations

from evalrpc.report.live import update_text
from evalrpc.report.page import CONTENT_SECURITY_POLICY, live_page, write_report
from evalrpc.report.rows import MAX_CHARACTERS

__all__ = ["CONTENT_SECURITY_POLICY", "MAX_CHARACTERS", "live_page", "update_text", "write_report"]
