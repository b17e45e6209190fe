
/*
 * The parser of progress files.
 */


#include <unit.h>
#include <ngx_gate_check_file_progress_text.h>


static struct {
    const char  *content;
    int          observed;
    int          expected;
    const char  *text;
} unit_cases[] = {

    /* a percentage */

    { "42",                    42,  100, "42" },
    { "42%",                   42,  100, "42%" },
    { " 7 %\n",                 7,  100, "7 %" },
    { "0",                      0,  100, "0" },
    { "100%",                 100,  100, "100%" },
    { "0042",                  42,  100, "0042" },
    { "42.7%",                 42,  100, "42.7%" },
    { "99,9 %",                99,  100, "99,9 %" },

    /* a count */

    { "420/1000",             420, 1000, "420/1000" },
    { "420 / 1000",           420, 1000, "420 / 1000" },
    { "0/5",                    0,    5, "0/5" },

    /* more than 100 % is 100 % */

    { "150%",                 100,  100, "150%" },
    { "1200/1000",           1000, 1000, "1200/1000" },

    /* followed by text */

    { "42 copying",            42,  100, "copying" },
    { "42% copying",           42,  100, "copying" },
    { "42%: copying",          42,  100, "copying" },
    { "42 - copying",          42,  100, "- copying" },
    { "42, nearly",            42,  100, "nearly" },
    { "420/1000: modules\r\n", 420, 1000, "modules" },
    { "42\nnext line\n",       42,  100, "next line" },
    { "42%%",                  42,  100, "%" },

    /* no number: text only */

    { "",                      -1,   -1, "" },
    { " \r\n",                 -1,   -1, "" },
    { "copying",               -1,   -1, "copying" },
    { "420",                   -1,   -1, "420" },
    { "-5%",                   -1,   -1, "-5%" },
    { "0/0",                   -1,   -1, "0/0" },
    { "5/0",                   -1,   -1, "5/0" },
    { "42/",                   -1,   -1, "42/" },
    { "42/x",                  -1,   -1, "42/x" },
    { "1/2/3",                 -1,   -1, "1/2/3" },
    { "42abc",                 -1,   -1, "42abc" },
    { "12:30 started",         -1,   -1, "12:30 started" },
    { "2026-11-20 started",    -1,   -1, "2026-11-20 started" },
    { "20-11 started",         -1,   -1, "20-11 started" },
    { "1.2.3",                 -1,   -1, "1.2.3" },
    { "99999999999999999999",  -1,   -1, "99999999999999999999" },
    { "1/99999999999999999999", -1,  -1, "1/99999999999999999999" },
    { "\377\376" "4",          -1,   -1, "\377\376" "4" },
    { "%",                     -1,   -1, "%" },
    { "0.87",                  -1,   -1, "0.87" },
    { "1.0",                   -1,   -1, "1.0" },
    { "3.5 GB",                -1,   -1, "3.5 GB" },
    { "3.5/7",                 -1,   -1, "3.5/7" },
    { "1,234/5,678",           -1,   -1, "1,234/5,678" },
    { "1.234/5.678 files",     -1,   -1, "1.234/5.678 files" },
    { "3/1,000",               -1,   -1, "3/1,000" },
    { "3 of 10",               -1,   -1, "3 of 10" },
    { "3 Of 10 files",         -1,   -1, "3 Of 10 files" },
    { "3 out of 10",           -1,   -1, "3 out of 10" },
    { "3 of",                  -1,   -1, "3 of" },
    { "0.5%",                   0,  100, "0.5%" },
    { "42 often",              42,  100, "often" },
    { "/",                     -1,   -1, "/" }
};


static void
unit(void)
{
    size_t                               len;
    u_char                              *copy;
    ngx_str_t                            content;
    ngx_uint_t                           i;
    ngx_gate_check_file_progress_text_t  progress;

    for (i = 0; i < sizeof(unit_cases) / sizeof(unit_cases[0]); i++) {

        /* bytes after the end must not be read */

        len = ngx_strlen(unit_cases[i].content);

        copy = malloc(len ? len : 1);
        if (copy == NULL) {
            exit(2);
        }

        content.len = len;
        content.data = copy;
        ngx_memcpy(copy, unit_cases[i].content, len);

        ngx_gate_check_file_progress_text_parse(&content, &progress);

        ok(progress.observed == unit_cases[i].observed
           && progress.expected == unit_cases[i].expected
           && progress.text.len == ngx_strlen(unit_cases[i].text)
           && ngx_memcmp(progress.text.data, unit_cases[i].text,
                         progress.text.len) == 0,
           "case %u: %d of %d, \"%.*s\"", (unsigned) i,
           (int) progress.observed, (int) progress.expected,
           (int) progress.text.len, (char *) progress.text.data);

        free(copy);
    }
}
