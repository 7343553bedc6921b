# Two images from one lock file: `bot` holds the credentials and runs no repository code; `runner` runs
# repository code in bubblewrap and holds no forge credential.
#
#   docker build --target bot -t scenarist-bot .
#   docker build --target runner -t scenarist-runner .
FROM python:3.12-slim-bookworm AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends git tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 scenarist \
    && install -d -o scenarist -g scenarist /var/lib/scenarist
ENV PATH=/opt/scenarist/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCENARIST_STATE_DIR=/var/lib/scenarist

FROM base AS build
# Nothing writes bytecode where this runs, so it is made here.
ENV UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /opt/scenarist
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project
COPY gherkin gherkin
COPY runners runners
COPY bot bot
RUN uv sync --frozen --no-dev --no-editable

FROM base AS bot
ENV SCENARIST_QUEUES=intake,publish
COPY --from=build /opt/scenarist/.venv /opt/scenarist/.venv
USER 10001
WORKDIR /var/lib/scenarist
VOLUME /var/lib/scenarist
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["tini", "--", "scenarist"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]

FROM base AS runner
ENV SCENARIST_QUEUES=runs
# tini reaps what a killed sandbox leaves; the container must be allowed to make user namespaces.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/scenarist/.venv /opt/scenarist/.venv
USER 10001
WORKDIR /var/lib/scenarist
VOLUME /var/lib/scenarist
ENTRYPOINT ["tini", "--", "scenarist"]
CMD ["worker", "--queues", "runs"]
