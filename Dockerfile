# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/coach
ENV PATH=/opt/coach/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY coach ./coach
COPY knowledge ./knowledge
COPY prompts ./prompts
RUN pip install --no-deps --no-build-isolation . \
    && COACH_DATA_DIR=/data coach index

FROM python:3.12-slim
# httpx2, which openai's client speaks, trusts the system's certificates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin coach
COPY --from=build /opt/coach /opt/coach
COPY --from=build --chown=coach:coach /data /data
ENV PATH=/opt/coach/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/data COACH_DATA_DIR=/data COACH_HOST=0.0.0.0
USER 10001
VOLUME ["/data"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["coach", "serve"]
