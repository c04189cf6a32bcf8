# Shoal's own image: the processes serve, work, schedule and migrate. The servers around it are docker-compose.yml's.

FROM python:3.12.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# dependencies first: they change less often than the code
COPY requirements/image.lock requirements/build.lock requirements/
RUN python -m venv /opt/shoal \
 && /opt/shoal/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/image.lock \
 && pip install --require-hashes --no-deps --only-binary :all: -r requirements/build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY envoy envoy
COPY gen gen
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/shoal/bin/pip install --no-deps --no-index /wheels/shoal-*.whl \
 && /opt/shoal/bin/python -m pip uninstall --yes pip

FROM python:3.12.12-slim-bookworm
RUN groupadd --system --gid 10001 shoal \
 && useradd --system --uid 10001 --gid shoal --home-dir /var/lib/shoal --create-home --shell /usr/sbin/nologin shoal
COPY --from=build /opt/shoal /opt/shoal
ENV PATH=/opt/shoal/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SHOAL_DATA_DIR=/var/lib/shoal \
    SHOAL_HOST=0.0.0.0 \
    SHOAL_READY_FILE=/tmp/shoal.ready
USER 10001:10001
WORKDIR /var/lib/shoal
VOLUME /var/lib/shoal
EXPOSE 50051 50052
STOPSIGNAL SIGTERM
ENTRYPOINT ["shoal"]
CMD ["serve"]
