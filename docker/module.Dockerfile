# The module for the official nginx image, of any version, Debian or Alpine:
#
#     docker build -f docker/module.Dockerfile --build-arg NGINX_VERSION=1.30.4 \
#         -t init-gate-module .
#
# The image contains only the module and the libraries that the nginx image
# does not have, in their directories, for "COPY --from=init-gate-module / /".  See
# docs/install.md, "Official nginx image".
#
# NGINX_IMAGE is the image (nginx:NGINX_VERSION), NGINX_URL the place of
# nginx-NGINX_VERSION.tar.gz.

ARG NGINX_VERSION
ARG NGINX_IMAGE=nginx:${NGINX_VERSION}


FROM ${NGINX_IMAGE} AS build

USER root

# libraries that the image already has

RUN find / -xdev -name '*.so*' | sort > /there

RUN if command -v apk >/dev/null; then \
        apk add --no-cache build-base linux-headers pkgconf curl \
            pcre2-dev zlib-dev openssl-dev \
            c-ares-dev hiredis-dev nghttp2-dev jansson-dev libpq-dev; \
    else \
        apt-get -q update && apt-get -q -y install --no-install-recommends \
            gcc make libc6-dev pkg-config curl ca-certificates \
            libpcre2-dev zlib1g-dev libssl-dev \
            libc-ares-dev libhiredis-dev libnghttp2-dev libjansson-dev \
            libpq-dev; \
    fi

ARG NGINX_VERSION
ARG NGINX_URL=https://nginx.org/download

# a module is for one version: that of the image

WORKDIR /usr/src/nginx
RUN test "$(nginx -v 2>&1)" = "nginx version: nginx/${NGINX_VERSION}" \
    && curl -fsSL "${NGINX_URL}/nginx-${NGINX_VERSION}.tar.gz" \
        | tar -xz --strip-components=1

COPY config config.make /usr/src/nginx-init-gate/
COPY src /usr/src/nginx-init-gate/src/

RUN eval "set -- $(nginx -V 2>&1 | sed -n 's/^configure arguments: //p')" \
    && ./configure "$@" --add-dynamic-module=/usr/src/nginx-init-gate \
    && make modules

# libpq is loaded by name, so it is not in the module's list

RUN mkdir -p /out/usr/lib/nginx/modules \
    && cp objs/ngx_http_init_gate_module.so /out/usr/lib/nginx/modules/ \
    && libpq=$(find /lib /usr/lib -name libpq.so.5 | head -n 1) \
    && { echo "$libpq"; \
        ldd objs/ngx_http_init_gate_module.so "$libpq" \
            | sed -n 's/.* => \(\/[^ ]*\).*/\1/p'; } \
        | sort -u | while read -r file; do \
            grep -Fqx -e "$file" -e "/usr$file" /there \
                || { mkdir -p "/out${file%/*}" && cp -L "$file" "/out$file"; }; \
        done \
    && if [ -L /lib ] && [ -d /out/lib ]; then \
        cp -R /out/lib /out/usr/ && rm -r /out/lib; \
    fi


FROM scratch

COPY --from=build /out /
