# Two images from one lock file: `bot` holds the credentials and runs no repository code; `runner` runs
# repository code in bubblewrap and holds no forge credential. `runner-gpu` is the runner on vLLM's image.
#
#   docker build --target bot -t scenarist-bot .
#   docker build --target runner -t scenarist-runner .
#
# `scripts/build_images.sh` pins the base by its digest, prints sizes and writes an SBOM for each image.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG VLLM_IMAGE=vllm/vllm-openai:v0.33.0

FROM ${PYTHON_IMAGE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends git tini \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
    && useradd --create-home --uid 10001 scenarist \
    && install -d -o scenarist -g scenarist /var/lib/scenarist
# Each process answers /healthz and /readyz there; nothing outside the container reaches it.
ENV PATH=/opt/scenarist/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCENARIST_METRICS_ADDRESS=127.0.0.1:9464 \
    SCENARIST_STATE_DIR=/var/lib/scenarist

FROM base AS build
# Nothing writes bytecode where this runs, so it is made here.
ENV UV_COMPILE_BYTECODE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv==0.13.8
WORKDIR /opt/scenarist
COPY pyproject.toml uv.lock README.md ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-cache --no-default-groups --no-install-project
COPY gherkin gherkin
COPY runners runners
COPY bot bot
RUN /opt/uv/bin/uv sync --frozen --no-dev --no-cache --no-default-groups --no-editable

FROM base AS bot
ENV SCENARIST_QUEUES=intake,publish
COPY --from=build /opt/scenarist/.venv /opt/scenarist/.venv
USER 10001
WORKDIR /var/lib/scenarist
VOLUME /var/lib/scenarist
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/readyz', timeout=5)"]
ENTRYPOINT ["tini", "--", "scenarist"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]

FROM base AS runner
ENV SCENARIST_QUEUES=runs
# tini reaps what a killed sandbox leaves; the container must be allowed to make user namespaces.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/*
COPY --from=build /opt/scenarist/.venv /opt/scenarist/.venv
USER 10001
WORKDIR /var/lib/scenarist
VOLUME /var/lib/scenarist
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/readyz', timeout=5)"]
ENTRYPOINT ["tini", "--", "scenarist"]
CMD ["worker", "--queues", "runs"]

# For a machine with a GPU: `scenarist models serve MODEL` in one container, the runner in another one.
# vLLM stays in the image's own Python; Scenarist has an environment of its own.
FROM ${VLLM_IMAGE} AS runner-gpu
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap git python3-venv tini \
    && rm -rf /var/lib/apt/lists/* /var/log/* \
    && useradd --create-home --uid 10001 scenarist \
    && install -d -o scenarist -g scenarist /var/lib/scenarist
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCENARIST_METRICS_ADDRESS=127.0.0.1:9464 \
    SCENARIST_STATE_DIR=/var/lib/scenarist \
    SCENARIST_QUEUES=runs \
    UV_COMPILE_BYTECODE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /opt/scenarist
COPY pyproject.toml uv.lock README.md ./
COPY gherkin gherkin
COPY runners runners
COPY bot bot
RUN python3 -m pip install --no-cache-dir --target /opt/uv uv==0.13.8 \
    && /opt/uv/bin/uv sync --frozen --no-dev --no-cache --no-default-groups --no-editable --python python3
ENV PATH=$PATH:/opt/scenarist/.venv/bin
USER 10001
WORKDIR /var/lib/scenarist
VOLUME /var/lib/scenarist
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD \
    ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/readyz', timeout=5)"]
ENTRYPOINT ["tini", "--", "scenarist"]
CMD ["worker", "--queues", "runs"]
