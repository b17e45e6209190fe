#!/bin/sh
#
# embed.sh waiting.html dashboard.html words.txt > ngx_gate_pages.h
#
# The pages as C string literals.  A line that is nothing but {{a word}} cuts
# a page: what stands there is put in at run time.  The words as initializers.

set -e

literal () {
    # page, then the names of its parts; every ? is escaped for trigraphs
    page=$1
    shift

    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' "$page" |
    awk -v names="$*" '
        function part () {
            printf "\n\n\n#define NGX_GATE_PAGES_%s", name[++n]
        }

        BEGIN                    { split(names, name); part() }
        substr($0, 1, 2) == "{{" { part(); next }
                                 { printf " \\\n    \"%s\\n\"", $0 }
        END                      { print "" }
    '
}

words () {
    # every language has the words of the first, in the same order
    awk '
        function fail (what) {
            print FILENAME ":" FNR ": " what > "/dev/stderr"
            failed = 1
            exit 1
        }

        function end () {
            if (!most) {
                most = n
            }

            if (n != most) {
                fail("a word is missing above")
            }

            printf " }, \\\n"
        }

        BEGIN    { printf "\n\n\n#define NGX_GATE_PAGES_WORDS \\\n" }
        /^#|^$/  { next }
        /["<>&\\]/ { fail("a character that would have to be escaped") }

        $1 == "lang" {
            if (languages++) {
                end()
            }

            sub(/^lang +/, "")
            printf "    { .tags = \"%s\"", $0
            n = 0
            next
        }

        {
            n++

            if (languages == 1) {
                name[n] = $1
            }

            if ($1 != name[n]) {
                fail("\"" name[n] "\" is missing")
            }

            word = $1
            sub(/^[^ ]+ +/, "")
            printf ", \\\n      .%s = ngx_string(\"%s\")", word, $0
        }

        END {
            if (failed) {
                exit 1
            }

            end()
            print "    { .tags = NULL }"
        }
    ' "$1"
}

echo '/* made by embed.sh */'

literal "$1" WAITING_DOCTYPE WAITING_HEAD WAITING_BODY WAITING_TAIL
literal "$2" DASHBOARD DASHBOARD_TAIL
words "$3"
