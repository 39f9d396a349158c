# The images of the four programs. Each program has a target and is chosen by name:
#
#   docker build --build-arg PROGRAM=viewer --target viewer --tag dualpath/viewer:0.1.0 .
#
# k8s/images/build.sh builds all of them. The load generator has its own file: locust/Dockerfile.
#
# BUILDER and WEB_BUILDER must have the tools of the default images. Without a registry, k8s/lab/images.sh sets both to an
# image made on this machine that has the finished program and page in /prebuilt.
#
# An image contains the program and the files that it loads, and no shell. It has no HEALTHCHECK for this reason: probe
# /livez and /readyz on the admin port instead.
ARG BUILDER=rust:1.95.0-bookworm
ARG WEB_BUILDER=node:22.12.0-bookworm-slim

FROM ${BUILDER} AS build
ARG PROGRAM
WORKDIR /src
COPY . .
RUN k8s/images/assemble.sh "$PROGRAM"

FROM scratch AS program
ARG PROGRAM
LABEL org.opencontainers.image.title="dualpath ${PROGRAM}" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
USER 65532:65532

FROM program AS ingest-rest
LABEL org.opencontainers.image.description="The REST route: receives votes by HTTP and writes them to Kafka."
EXPOSE 8080 9101
ENTRYPOINT ["/usr/local/bin/ingest-rest"]

FROM program AS ingest-grpc
LABEL org.opencontainers.image.description="The gRPC route (serve) and the bridge from REST to gRPC (bridge)."
EXPOSE 50051 8081 9102 9103
ENTRYPOINT ["/usr/local/bin/ingest-grpc"]

FROM program AS consumer
LABEL org.opencontainers.image.description="Writes votes from Kafka to Redis and MongoDB (run); has commands for operators."
EXPOSE 9104
ENTRYPOINT ["/usr/local/bin/consumer"]

FROM ${WEB_BUILDER} AS web
WORKDIR /src
COPY viewer viewer
RUN ["viewer/assemble-web.sh"]

FROM program AS viewer
LABEL org.opencontainers.image.description="The web page with votes, tallies and a comparison of the routes, and its API."
COPY --from=web /image /
# A platform can set PORT to another value.
ENV PORT=8090 WEB_DIR=/usr/share/viewer/web
EXPOSE 8090 9105
ENTRYPOINT ["/usr/local/bin/viewer"]
