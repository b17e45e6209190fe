# docs/install.md, "Official nginx image", for tools/test-docker.
#
# The image of nginx is made here, from Debian's copy of nginx's archive and
# with the options of the official image, since there is no registry.

options="--prefix=/etc/nginx --sbin-path=/usr/sbin/nginx
    --modules-path=/usr/lib/nginx/modules --conf-path=/etc/nginx/nginx.conf
    --error-log-path=/var/log/nginx/error.log
    --http-log-path=/var/log/nginx/access.log
    --pid-path=/run/nginx.pid --lock-path=/run/nginx.lock
    --http-client-body-temp-path=/var/cache/nginx/client_temp
    --http-proxy-temp-path=/var/cache/nginx/proxy_temp
    --http-fastcgi-temp-path=/var/cache/nginx/fastcgi_temp
    --http-uwsgi-temp-path=/var/cache/nginx/uwsgi_temp
    --http-scgi-temp-path=/var/cache/nginx/scgi_temp
    --user=nginx --group=nginx --with-compat --with-file-aio --with-threads
    --with-http_addition_module --with-http_auth_request_module
    --with-http_dav_module --with-http_flv_module --with-http_gunzip_module
    --with-http_gzip_static_module --with-http_mp4_module
    --with-http_random_index_module --with-http_realip_module
    --with-http_secure_link_module --with-http_slice_module
    --with-http_ssl_module --with-http_stub_status_module
    --with-http_sub_module --with-http_v2_module --with-mail
    --with-mail_ssl_module --with-stream --with-stream_realip_module
    --with-stream_ssl_module --with-stream_ssl_preread_module"

cc_opt="-g -O2 -ffile-prefix-map=/build/nginx=. -fstack-protector-strong \
-Wformat -Werror=format-security -Wp,-D_FORTIFY_SOURCE=2 -fPIC"
ld_opt="-Wl,-z,relro -Wl,-z,now -Wl,--as-needed -pie"

official=$dir/official
mkdir -p "$official"

cat > "$official/Dockerfile" <<END
FROM $base AS build
RUN sed 's/^deb /deb-src /' /etc/apt/sources.list \
        > /etc/apt/sources.list.d/src.list \
    && apt-get -q update && apt-get -q -y install --no-install-recommends \
        gcc make libc6-dev dpkg-dev libpcre2-dev zlib1g-dev libssl-dev
WORKDIR /usr/src
RUN apt-get -q source --tar-only nginx && mkdir nginx \
    && tar -C nginx --strip-components=1 -xf nginx_*.orig.tar.*
RUN cd nginx && ./configure $(echo $options) --with-cc-opt='$cc_opt' \
        --with-ld-opt='$ld_opt' && make && make install DESTDIR=/out
RUN mkdir -p /out/usr/lib/nginx/modules /out/var/cache/nginx \
    /out/etc/nginx/conf.d /out/usr/share/nginx \
    && mv /out/etc/nginx/html /out/usr/share/nginx/ \
    && ln -s /usr/lib/nginx/modules /out/etc/nginx/modules

FROM $base
RUN apt-get -q update && apt-get -q -y install --no-install-recommends \
        libpcre2-8-0 zlib1g openssl curl ca-certificates \
    && rm -rf /var/lib/apt/lists/* && useradd -r nginx
COPY --from=build /out /
COPY --from=build /usr/src/nginx_*.orig.tar.* /usr/src/
COPY nginx.conf /etc/nginx/nginx.conf
RUN ln -s /dev/stderr /var/log/nginx/error.log \
    && v=\$(nginx -v 2>&1 | sed 's,.*/,,') \
    && mv /usr/src/nginx_*.orig.tar.* /usr/src/nginx-\$v.tar.gz
CMD ["nginx", "-g", "daemon off;"]
END

# that of the official image, without its comments and its log format

cat > "$official/nginx.conf" <<'END'
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    include /etc/nginx/conf.d/*.conf;
}
END

docker build -t nginx:local "$official" > "$dir/build.log" 2>&1 < /dev/null \
    || { tail -n 50 "$dir/build.log"; exit 1; }

version=$(docker run --rm nginx:local nginx -v 2>&1 | sed 's,.*/,,')
docker tag nginx:local "nginx:$version"
echo "# nginx $version"


# the page, with this version, and with the archive that is in the image

section () {
    sed -n '/^## Official nginx image$/,/^## From source$/p' $page \
        | sed "s/1\.30\.4/$version/"
}

list () {
    find . -type f -o -type d | LC_ALL=C sort
}

section | sed -n '/^```sh$/,/^```$/{/^```/!p}' \
    | sed 's,^docker build ,&--build-arg NGINX_URL=file:///usr/src ,' \
    > "$dir/script"
section | sed '/^```sh$/,/^```$/d' | sed -n 's/^    //p' \
    > "$official/Dockerfile"
list > "$dir/before"

status=0
sh -e "$dir/script" > "$dir/script.log" 2>&1 < /dev/null || status=$?
ok $status "module for the official image, built"
[ $status = 0 ] || { tail -n 40 "$dir/script.log"; exit 1; }

is "$(grep -c 'warning:' "$dir/script.log")" 0 "no warnings"

list > "$dir/after"
is "$(diff "$dir/before" "$dir/after")" "" "nothing is left in the checkout"

docker create --name init-gate-module init-gate-module true >/dev/null
docker export init-gate-module | tar -t | grep -v '/$' > "$dir/files"
docker rm init-gate-module >/dev/null
sed 's/^/# /' "$dir/files"
grep -v -e '^usr/lib/.*\.so' -e '^\.dockerenv$' -e '^dev/' -e '^etc/' \
    "$dir/files" >/dev/null \
    && ok 1 "nothing but libraries" || ok 0 "nothing but libraries"

cat > "$official/gate.conf" <<'END'
init_checks app {
    check file /data/.initialized  interval=100ms;
    check postgres "host=127.0.0.1 port=1 dbname=app"  optional;
    check redis redis://127.0.0.1:1  optional;
    check grpc 127.0.0.1:1  optional;
    check http http://127.0.0.1:1/  json=/ready  optional;
}

server {
    listen 8080;

    location / {
        init_gate app;
        root /usr/share/nginx/html;
    }
}
END

docker build -t nginx-with-gate "$official" > "$dir/build.log" 2>&1 \
    < /dev/null && ok 0 "image with the module" \
    || { ok 1 "image with the module"; tail -n 30 "$dir/build.log"; exit 1; }

docker run -d --name init-gate -p "$PORT:8080" nginx-with-gate >/dev/null
see 3 > "$dir/seen" || :
grep -q '^503 ' "$dir/seen" && ok 0 "closed" \
    || { ok 1 "closed"; cat "$dir/seen"; docker logs init-gate 2>&1 | tail; }
docker exec init-gate sh -c 'mkdir /data && touch /data/.initialized'
see 10 > "$dir/seen" && ok 0 "open" || { ok 1 "open"; cat "$dir/seen"; }
docker logs init-gate 2>&1 | grep -E '\[(alert|crit|emerg)\]' \
    && ok 1 "no alerts" || ok 0 "no alerts"
docker rm -f init-gate >/dev/null
