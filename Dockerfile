# The image: one static binary, root certificates, and a folder for the ledger.
# It is built in two ways from the same stages:
#
#   make image       with the Go of this machine; needs no registry
#   docker build .   with the Go of an image (needs BuildKit, Docker's default)

FROM scratch AS base
USER 65532:65532
# The root file system may be read-only: the state folder is all there is to write to.
ENV TMPDIR=/var/lib/edgeban
ENTRYPOINT ["/edgeban"]
CMD ["run"]

FROM base AS here
COPY root/ /
COPY --chown=65532:65532 state/ /var/lib/edgeban/

FROM golang:1.26 AS build
WORKDIR /src
COPY . .
ARG VERSION=dev
RUN make dist VERSION=$VERSION

FROM base
COPY --from=build /src/dist/root/ /
COPY --from=build --chown=65532:65532 /src/dist/state/ /var/lib/edgeban/
