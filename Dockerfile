# onetake with its sandbox, as a user without privileges:
#   docker build -t onetake .
#   docker run --rm -v "$PWD:/takes" onetake check take.m4a
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY preflight ./preflight
COPY uploader ./uploader
COPY client ./client
COPY onetake ./onetake
COPY docs/man ./docs/man
ARG EXTRAS=sandbox
RUN python -m venv /opt/onetake && /opt/onetake/bin/pip install --no-cache-dir ".[$EXTRAS]"

FROM python:3.13-slim-bookworm
COPY --from=build /opt/onetake /opt/onetake
RUN useradd --create-home --uid 1000 onetake
ENV PATH="/opt/onetake/bin:$PATH" ONETAKE_HOME=/home/onetake/ledger
USER 1000
WORKDIR /takes
ENTRYPOINT ["onetake"]
CMD ["--help"]
