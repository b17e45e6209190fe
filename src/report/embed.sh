#!/bin/sh
#
# embed.sh waiting.html dashboard.html > ngx_gate_pages.h
#
# The pages as C string literals.  A line that is nothing but {{a word}} cuts
# a page: what stands there is put in at run time.

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

echo '/* made by embed.sh */'

literal "$1" WAITING_HEAD WAITING_HEADING WAITING_MESSAGE WAITING_FRAGMENT WAITING_TAIL
literal "$2" DASHBOARD
