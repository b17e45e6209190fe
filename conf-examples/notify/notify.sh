# notify VERDICT [OBSERVED [EXPECTED [MESSAGE]]]: for POSIX shells, with curl
#
#     . ./notify.sh
#     notify running 420 1000 "cloning the catalog"
#     notify passed
#
# NOTIFY_URL is the address, as in http://gate:8081/notify/app/import, and
# NOTIFY_TOKEN_FILE the file with the token, which does not become an argument
# of a process.  Tries again for some seconds if nginx does not answer.

notify () {
    printf 'Authorization: Bearer %s\n' "$(cat "$NOTIFY_TOKEN_FILE")" |
    curl -fsS -o /dev/null -H @- --max-time 10 --retry 5 --retry-connrefused \
        -d "verdict=$1" ${2:+-d "observed=$2"} ${3:+-d "expected=$3"} \
        ${4:+--data-urlencode "message=$4"} "$NOTIFY_URL"
}
