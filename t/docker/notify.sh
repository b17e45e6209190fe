# A part of tools/test-docker: conf-examples/notify/compose.yaml.

compose () {
    $docker_compose -f conf-examples/notify/compose.yaml "$@"
}

up=yes
compose build > "$dir/build.log" 2>&1 \
    || { tail -n 50 "$dir/build.log"; exit 1; }
compose up -d > "$dir/up.log" 2>&1 || { cat "$dir/up.log"; exit 1; }

see 120 > "$dir/seen" && ok 0 "notices: open" \
    || { ok 1 "notices: open"; compose logs | tail -n 40; exit 1; }
sed 's/^/# /' "$dir/seen"

for seen in '503 initializing 0\.' '200 '; do
    grep -q "^$seen" "$dir/seen" && ok 0 "notices: $seen" \
        || ok 1 "notices: $seen"
done

is "$(docker inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{end}}' \
        "$(compose ps -q app)")" "bind /run/secrets/notify " \
    "notices: no volume"

for service in gate app; do
    compose restart $service > "$dir/up.log" 2>&1 || cat "$dir/up.log"
    see 120 > "$dir/seen" && ok 0 "notices: $service restarted" \
        || { ok 1 "notices: $service restarted"; compose logs | tail -n 40; }
done
