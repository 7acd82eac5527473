"""What every store does with keys."""

from __future__ import annotations

import asyncio

from evalrpc_server.store.port import Store
from evalrpc_server.store.registry import open_store
from tests.store.backends import Backend


class KeyContract:
    async def test_a_key_stays_the_same_also_after_a_restart(self, store: Store, backend: Backend):
        made = await asyncio.gather(*(store.ensure_key("a") for _ in range(5)), store.ensure_key("b"))
        assert len(set(made)) == 2
        assert {len(key) for key in made} == {32}
        await store.close()
        again = open_store(backend.url)
        await again.open()
        try:
            assert await again.ensure_key("a") == made[0]
        finally:
            await again.close()
