"""The contract's assertions tell what they compared, like those of a test file."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.store.contract")
