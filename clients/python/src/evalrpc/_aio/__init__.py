"""The client for asyncio, over grpc.aio."""
