# `digits serve` with the model in the package. Build and run:
#   docker build --tag digits .
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --publish 127.0.0.1:8000:8000 digits

FROM python:3.13-slim-bookworm AS build
WORKDIR /source
COPY requirements.lock requirements-serve.lock ./
# What the package needs, and what builds it: every version and hash is in the locks.
RUN python -m venv /env && python -m venv /tools
RUN /env/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements-serve.lock
RUN sed -n '/^hatchling==/,/# via/p;/^packaging==/,/# via/p;/^pathspec==/,/# via/p;/^pluggy==/,/# via/p;/^tomlkit==/,/# via/p;/^trove-classifiers==/,/# via/p' requirements.lock > tools.lock
RUN /tools/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement tools.lock
COPY pyproject.toml README.md LICENSE ./
COPY digits digits
RUN /tools/bin/python -m hatchling build --target wheel
RUN /env/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps dist/*.whl
RUN /env/bin/python -m compileall -q /env/lib

FROM python:3.13-slim-bookworm
COPY --from=build /env /env
USER 10001:10001
WORKDIR /tmp
ENV PATH=/env/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["digits", "serve", "--host", "0.0.0.0"]
