"""Random orders and samples that a seed decides.

Every item has a key: the first 8 bytes of the SHA-256 of `shuffle:<seed>:<item id>`, or of `sample:<seed>:<item id>`, as a
big-endian number. A shuffle is the order of the keys; a sample of n is the n items with the least keys. So the order depends
on nothing but the seed and the items, and a dataset that grows by a few items keeps its order and most of its sample.
"""

from __future__ import annotations

import hashlib
from array import array

from evalrpc_server.domain.spec.langfuse import LangfuseDataset

_SLACK = 1024
_ALL = 2**64


def draw_key(purpose: str, seed: int, item_id: str) -> int:
    """Returns an item's key for `shuffle` or `sample`."""
    digest = hashlib.sha256(f"{purpose}:{seed}:{item_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


class Draw:
    """Chooses items and their order, given one after another; it keeps 24 bytes for each that may be chosen.

    Args:
        dataset: with a shuffle, a sample, or both.
        limit: how many to choose at most; None for no limit of its own.
    """

    def __init__(self, dataset: LangfuseDataset, limit: int | None) -> None:
        self._sample = dataset.sample
        self._shuffle = dataset.shuffle
        self._limit = limit
        self._size = dataset.sample.size if dataset.sample else limit
        self._threshold = _ALL
        self._keys, self._orders, self._places = array("Q"), array("Q"), array("Q")

    def wants(self, item_id: str) -> bool:
        """Tells whether the item may be chosen, as far as is known by now."""
        return self._key(item_id) < self._threshold

    def add(self, item_id: str, place: int) -> None:
        """Adds an item that is wanted; places grow in the order of the dataset."""
        self._keys.append(self._key(item_id))
        self._orders.append(
            draw_key("shuffle", self._shuffle.seed, item_id) if self._shuffle is not None else place
        )
        self._places.append(place)
        if self._size is not None and len(self._keys) >= 2 * self._size + _SLACK:
            self._prune(self._size)

    def chosen(self) -> array[int]:
        """Returns the places of the chosen items, in their order."""
        if self._size is not None and len(self._keys) > self._size:
            self._prune(self._size)
        order = sorted(range(len(self._places)), key=self._orders.__getitem__)
        return array("Q", (self._places[number] for number in order[: self._limit]))

    def _key(self, item_id: str) -> int:
        if self._sample is not None:
            return draw_key("sample", self._sample.seed, item_id)
        assert self._shuffle is not None, "there is something to draw"
        return draw_key("shuffle", self._shuffle.seed, item_id)

    def _prune(self, size: int) -> None:
        kept = sorted(range(len(self._keys)), key=self._keys.__getitem__)[:size]
        self._threshold = self._keys[kept[-1]] if kept else 0
        kept.sort()
        for name in ("_keys", "_orders", "_places"):
            values = getattr(self, name)
            setattr(self, name, array("Q", (values[number] for number in kept)))
