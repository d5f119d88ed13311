# Two images: `bot` (Rasa on Python 3.10, with the trained model in it) and `service` (api, actions and the command line).
# Compilers and uv stay in the build stages. A registry of one's own: give PIP_INDEX_URL as a build argument.

FROM python:3.10-slim AS bot-build
ARG PIP_INDEX_URL
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv \
    && uv venv /venv
WORKDIR /app
COPY requirements/bot.txt requirements/bot.txt
RUN UV_DEFAULT_INDEX="${PIP_INDEX_URL:-}" uv pip sync --no-cache --python /venv/bin/python --require-hashes requirements/bot.txt
ENV TF_CPP_MIN_LOG_LEVEL=2 SQLALCHEMY_SILENCE_UBER_WARNING=1 CUDA_VISIBLE_DEVICES=-1 RASA_TELEMETRY_ENABLED=false
COPY bot bot
COPY data/nlu data/nlu
COPY data/rules data/rules
COPY data/stories data/stories
RUN /venv/bin/python -m rasa train --config bot/config.yml --domain bot/domain \
    --data data/nlu data/rules data/stories --out models --fixed-model-name dianfu --skip-validation

FROM python:3.10-slim AS bot
RUN useradd --system --uid 10001 --no-create-home dianfu && mkdir -p /app/var && chown dianfu /app/var
WORKDIR /app
COPY --from=bot-build /venv /venv
COPY --from=bot-build /app/models models
COPY bot bot
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=2 SQLALCHEMY_SILENCE_UBER_WARNING=1 CUDA_VISIBLE_DEVICES=-1 RASA_TELEMETRY_ENABLED=false
USER 10001
EXPOSE 5005
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-c", \
    "import json, os, urllib.request as u; r = u.Request('http://127.0.0.1:5005/webhooks/bridge/health', headers={'Authorization': 'Bearer ' + os.environ['DIANFU_RASA_TOKEN']}); assert json.load(u.urlopen(r, timeout=4))['model']"]
CMD ["python", "-m", "rasa", "run", "--model", "models", "--endpoints", "bot/endpoints.yml", \
    "--credentials", "bot/credentials.yml", "-i", "0.0.0.0", "-p", "5005"]

FROM python:3.11-slim AS service-build
ARG PIP_INDEX_URL
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv \
    && uv venv /venv
WORKDIR /app
COPY requirements/service.txt requirements/service.txt
RUN UV_DEFAULT_INDEX="${PIP_INDEX_URL:-}" uv pip sync --no-cache --python /venv/bin/python --require-hashes requirements/service.txt

FROM python:3.11-slim AS service
RUN useradd --system --uid 10001 --no-create-home dianfu && mkdir -p /app/var && chown dianfu /app/var
WORKDIR /app
COPY --from=service-build /venv /venv
COPY core core
COPY actions actions
COPY api api
COPY ops ops
COPY data data
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DIANFU_API_HOST=0.0.0.0
USER 10001
EXPOSE 8000
# For the bridge; compose.yaml gives the others their own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "api"]
