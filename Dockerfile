# docker build -t tintype .
# docker run --init --shm-size=512m -p 8080:8080 -v tintype-cache:/var/cache/tintype tintype
# curl -o page.png 'http://127.0.0.1:8080/screenshot?url=https://example.com'
#
# In front of an existing screenshot API:
# docker run --init -p 8080:8080 tintype serve --upstream https://api.example.com

FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin tintype

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates chromium-headless-shell \
        fonts-liberation fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin tintype \
    && install -d -o tintype -g tintype /etc/tintype /var/cache/tintype
COPY --from=build /build/target/release/tintype /usr/local/bin/tintype
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/tintype/
COPY proxy.toml /etc/tintype/proxy.toml
# Chrome's own sandbox makes user namespaces, which container engines forbid by default: here the container is the wall, with a
# user without rights in it. For both walls, run with a seccomp profile that allows user namespaces and mount a
# proxy.toml with sandbox = "on".
RUN sed -i 's/^sandbox = "auto"$/sandbox = "off"/' /etc/tintype/proxy.toml \
    && tintype check --config /etc/tintype/proxy.toml

USER tintype
WORKDIR /etc/tintype
# The data plane is for others, the control plane stays on the container's loopback: use `docker exec`, or set
# TINTYPE_ADMIN__LISTEN together with TINTYPE_ADMIN__TOKEN.
ENV TINTYPE_SERVER__LISTEN=0.0.0.0:8080 \
    TINTYPE_STORE__DIR=/var/cache/tintype
VOLUME /var/cache/tintype
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["tintype", "health"]
ENTRYPOINT ["tintype"]
CMD ["serve"]
