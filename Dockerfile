# The server's image. Build: docker build -t evalrpc-server .
# Run:   docker run -p 50051:50051 -v evalrpc:/var/lib/evalrpc -v ./tokens.yaml:/tokens.yaml -e EVALRPC_TOKENS=/tokens.yaml evalrpc-server
#        Without tokens the server refuses to be reached from other machines; for a trial on one machine:
#        docker run -p 127.0.0.1:50051:50051 -e EVALRPC_INSECURE=true evalrpc-server
# The base is pinned by version; pin it by digest too where images are built and kept.
ARG PYTHON=3.12.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY server/build.lock server/requirements.lock server/
RUN pip install --no-cache-dir --require-hashes -r server/build.lock
RUN python -m venv --without-pip /opt/evalrpc \
    && pip --python /opt/evalrpc install --no-cache-dir --require-hashes -r server/requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY server/evalrpc_server server/evalrpc_server
COPY clients/python/pyproject.toml clients/python/LICENSE clients/python/
COPY clients/python/src clients/python/src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./clients/python . \
    && pip --python /opt/evalrpc install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:${PYTHON}
COPY --from=build /opt/evalrpc /opt/evalrpc
RUN install -d -o 10001 -g 10001 /var/lib/evalrpc
ENV PATH=/opt/evalrpc/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    EVALRPC_LISTEN=0.0.0.0:50051 \
    EVALRPC_HTTP_LISTEN=0.0.0.0:8080 \
    EVALRPC_DATA_DIR=/var/lib/evalrpc
USER 10001:10001
VOLUME /var/lib/evalrpc
EXPOSE 50051 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["evalrpc-server", "health"]
ENTRYPOINT ["evalrpc-server"]
CMD ["serve"]
