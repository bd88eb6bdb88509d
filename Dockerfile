# Built from the lock alone; runs as nobody, on a read-only root, with one writable folder for its state.
# No registry was at hand when this was written: replace both tags by digests (python:…@sha256:…) when you build for production.
FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/her2 \
 && /opt/her2/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY adapter adapter
COPY mappings mappings
COPY fixtures fixtures
RUN /opt/her2/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /state her2 && install -d -o her2 -m 0700 /state
COPY --from=build /opt/her2 /opt/her2
USER her2
WORKDIR /state
ENV PATH=/opt/her2/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HER2_LOG__FORMAT=json \
    HER2_STATE_URL=sqlite:////state/her2-adapter.sqlite
VOLUME /state
HEALTHCHECK --interval=60s --timeout=20s --start-period=120s CMD ["her2-adapter", "status", "--check"]
ENTRYPOINT ["her2-adapter"]
CMD ["run"]
