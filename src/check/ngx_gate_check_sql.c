
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parsing of names of tables and schemas; see ngx_gate_check_sql.h.
 */


#include <ngx_gate_check_sql.h>


#define NGX_GATE_CHECK_SQL_PART_MAX  63    /* PostgreSQL truncates longer
                                              names */


static u_char *ngx_gate_check_sql_name(u_char *p, u_char *last,
    ngx_uint_t parts, u_char **dst);
static u_char *ngx_gate_check_sql_part(u_char *p, u_char *last, u_char **dst);
static u_char *ngx_gate_check_sql_quoted(u_char *p, u_char *last, u_char **dst);


char *
ngx_gate_check_sql_names(ngx_pool_t *pool, ngx_str_t *list, ngx_uint_t parts,
    ngx_array_t **names)
{
    u_char                     *p, *dst, *end, *last;
    ngx_gate_check_sql_name_t  *name;

    *names = ngx_array_create(pool, 4, sizeof(ngx_gate_check_sql_name_t));

    /* maximum: each character quoted */

    dst = ngx_pnalloc(pool, 4 * list->len + 1);

    if (*names == NULL || dst == NULL) {
        return "no memory";
    }

    p = list->data;
    last = list->data + list->len;

    for ( ;; ) {
        name = ngx_array_push(*names);
        if (name == NULL) {
            return "no memory";
        }

        name->quoted = (char *) dst;

        end = ngx_gate_check_sql_name(p, last, parts, &dst);

        if (end == NULL || (end < last && *end != ',')) {
            return "is not a list of names as in SQL";
        }

        *dst++ = '\0';

        name->text.data = p;
        name->text.len = end - p;

        if (end == last) {
            return NULL;
        }

        p = end + 1;
    }
}


static u_char *
ngx_gate_check_sql_name(u_char *p, u_char *last, ngx_uint_t parts, u_char **dst)
{
    for ( ;; ) {
        p = ngx_gate_check_sql_part(p, last, dst);

        if (p == NULL || p == last || *p != '.') {
            return p;
        }

        if (--parts == 0) {
            return NULL;
        }

        *(*dst)++ = *p++;
    }
}


/* a name without quotes is converted to lower case, as by the server */

static u_char *
ngx_gate_check_sql_part(u_char *p, u_char *last, u_char **dst)
{
    u_char   ch;
    u_char  *start, *out;

    if (p < last && *p == '"') {
        return ngx_gate_check_sql_quoted(p + 1, last, dst);
    }

    start = p;
    out = *dst;
    *out++ = '"';

    for ( /* void */ ; p < last; p++) {
        ch = ngx_tolower(*p);

        if ((ch >= 'a' && ch <= 'z') || ch == '_' || ch >= 0x80
            || (p > start && ((ch >= '0' && ch <= '9') || ch == '$')))
        {
            *out++ = ch;
            continue;
        }

        break;
    }

    if (p == start || p - start > NGX_GATE_CHECK_SQL_PART_MAX) {
        return NULL;
    }

    *out++ = '"';
    *dst = out;

    return p;
}


static u_char *
ngx_gate_check_sql_quoted(u_char *p, u_char *last, u_char **dst)
{
    u_char  *start, *out;

    start = p;
    out = *dst;
    *out++ = '"';

    for ( /* void */ ; p < last; p++) {

        if (*p == '\0') {
            return NULL;
        }

        *out++ = *p;

        if (*p != '"') {
            continue;
        }

        if (p + 1 < last && p[1] == '"') {
            *out++ = *p++;
            continue;
        }

        if (p == start || p - start > 2 * NGX_GATE_CHECK_SQL_PART_MAX) {
            return NULL;
        }

        *dst = out;

        return p + 1;
    }

    return NULL;
}
