
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Such files are often written by shell scripts, so several forms are
 * accepted.  If the text is not clearly a fraction of a total, no number is
 * reported.
 */


#include <ngx_gate_check_file_progress_text.h>


static u_char *ngx_gate_check_file_progress_text_number(u_char *p,
    u_char *last, int64_t *n, ngx_uint_t *fraction);
static ngx_uint_t ngx_gate_check_file_progress_text_is_count(u_char *p,
    u_char *last);
static u_char *ngx_gate_check_file_progress_text_skip_blanks(u_char *p,
    u_char *last);
static ngx_int_t ngx_gate_check_file_progress_text_is_end(u_char *p,
    u_char *last);
static void ngx_gate_check_file_progress_text_trim(u_char *p, u_char *last,
    ngx_str_t *text);


#define ngx_gate_check_file_progress_text_is_space(ch)                        \
    ((ch) == ' ' || ((ch) >= '\t' && (ch) <= '\r'))

#define ngx_gate_check_file_progress_text_is_mark(ch)                         \
    ((ch) == ':' || (ch) == ',' || (ch) == ';' || (ch) == '-')


void
ngx_gate_check_file_progress_text_parse(ngx_str_t *content,
    ngx_gate_check_file_progress_text_t *progress)
{
    u_char      *p, *end, *last;
    int64_t      n, m;
    ngx_str_t    rest;
    ngx_uint_t   fraction;

    progress->observed = -1;
    progress->expected = -1;

    last = content->data + content->len;

    ngx_gate_check_file_progress_text_trim(content->data, last,
                                           &progress->text);

    fraction = 0;

    end = ngx_gate_check_file_progress_text_number(progress->text.data, last,
                                                   &n, &fraction);
    if (end == NULL) {
        return;
    }

    p = ngx_gate_check_file_progress_text_skip_blanks(end, last);

    if (p < last && *p == '/') {
        p = ngx_gate_check_file_progress_text_skip_blanks(p + 1, last);
        p = ngx_gate_check_file_progress_text_number(p, last, &m, &fraction);

        /* "1,234/5,678" may have thousands separators */

        if (p == NULL || m == 0 || fraction
            || !ngx_gate_check_file_progress_text_is_end(p, last))
        {
            return;
        }

    } else if (p < last && *p == '%') {
        p++;
        m = 100;

    } else {

        /*
         * Not a date, a version, or a number of something else; "0.87" may be
         * a fraction of 1.
         */

        if (n > 100 || fraction
            || !ngx_gate_check_file_progress_text_is_end(end, last)
            || ngx_gate_check_file_progress_text_is_count(p, last))
        {
            return;
        }

        p = end;
        m = 100;
    }

    progress->observed = ngx_min(n, m);
    progress->expected = m;

    if (p < last && ngx_gate_check_file_progress_text_is_mark(*p)) {
        p++;
    }

    ngx_gate_check_file_progress_text_trim(p, last, &rest);

    if (rest.len) {
        progress->text = rest;
    }
}


/* "3 of 10", "3 out of 10" */

static ngx_uint_t
ngx_gate_check_file_progress_text_is_count(u_char *p, u_char *last)
{
    size_t  len;

    for (len = 0; p + len < last; len++) {
        if (ngx_gate_check_file_progress_text_is_space(p[len])) {
            break;
        }
    }

    return (len == 2 && ngx_strncasecmp(p, (u_char *) "of", 2) == 0)
           || (len == 3 && ngx_strncasecmp(p, (u_char *) "out", 3) == 0);
}


/* a fraction is ignored; NULL: no number, or too large */

static u_char *
ngx_gate_check_file_progress_text_number(u_char *p, u_char *last, int64_t *n,
    ngx_uint_t *fraction)
{
    off_t    value;
    u_char  *start;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }

    value = ngx_atoof(start, p - start);
    if (value == NGX_ERROR) {
        return NULL;
    }

    *n = value;

    if (last - p > 1 && (*p == '.' || *p == ',')
        && p[1] >= '0' && p[1] <= '9')
    {
        *fraction = 1;

        for (p++; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }
    }

    return p;
}


static u_char *
ngx_gate_check_file_progress_text_skip_blanks(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


/* whether this is the end of a number that is not part of a word */

static ngx_int_t
ngx_gate_check_file_progress_text_is_end(u_char *p, u_char *last)
{
    if (p < last && ngx_gate_check_file_progress_text_is_mark(*p)) {
        p++;
    }

    return p == last || ngx_gate_check_file_progress_text_is_space(*p);
}


static void
ngx_gate_check_file_progress_text_trim(u_char *p, u_char *last, ngx_str_t *text)
{
    while (p < last && ngx_gate_check_file_progress_text_is_space(*p)) {
        p++;
    }

    while (p < last && ngx_gate_check_file_progress_text_is_space(last[-1])) {
        last--;
    }

    text->data = p;
    text->len = last - p;
}
