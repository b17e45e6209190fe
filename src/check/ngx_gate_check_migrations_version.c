
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Formats of versions of migration tools, tested when the configuration is
 * read, and converted to the format in the table.
 */


#include <ngx_gate_check_migrations.h>


static ngx_int_t ngx_gate_check_migrations_version_list(ngx_str_t *version,
    ngx_int_t (*is_item)(u_char *p, u_char *last));
static ngx_int_t ngx_gate_check_migrations_version_head(u_char *p,
    u_char *last);
static ngx_int_t ngx_gate_check_migrations_version_app(u_char *p,
    u_char *last);


ngx_int_t
ngx_gate_check_migrations_version_number(ngx_str_t *version)
{
    /* as a bigint */

    return ngx_gate_check_migrations_version_digits(version)
           && version->len <= 18;
}


ngx_int_t
ngx_gate_check_migrations_version_digits(ngx_str_t *version)
{
    size_t  i;

    for (i = 0; i < version->len; i++) {
        if (version->data[i] < '0' || version->data[i] > '9') {
            return 0;
        }
    }

    return version->len > 0 && version->len <= 64;
}


ngx_int_t
ngx_gate_check_migrations_version_dotted(ngx_str_t *version)
{
    u_char      ch;
    size_t      i;
    ngx_uint_t  digits;

    digits = 0;

    for (i = 0; i < version->len; i++) {
        ch = version->data[i];

        /* Flyway uses "_" in file names */

        if (ch == '_') {
            version->data[i] = ch = '.';
        }

        if (ch >= '0' && ch <= '9') {
            digits++;
            continue;
        }

        if (ch != '.' || digits == 0) {
            return 0;
        }

        digits = 0;
    }

    return digits > 0;
}


ngx_int_t
ngx_gate_check_migrations_version_diesel(ngx_str_t *version)
{
    u_char  *p;
    size_t   i;

    /* the directory is 2024-01-31-120000_prices, the row is 20240131120000 */

    p = version->data;

    for (i = 0; i < version->len; i++) {
        if (version->data[i] != '-') {
            *p++ = version->data[i];
        }
    }

    version->len = p - version->data;

    return ngx_gate_check_migrations_version_digits(version);
}


ngx_int_t
ngx_gate_check_migrations_version_efcore(ngx_str_t *version)
{
    ngx_str_t  stamp;

    stamp.data = version->data;
    stamp.len = ngx_min(version->len, 14);

    return stamp.len == 14
           && ngx_gate_check_migrations_version_digits(&stamp)
           && (version->len == 14
               || (version->len > 15 && version->data[14] == '_'));
}


ngx_int_t
ngx_gate_check_migrations_version_text(ngx_str_t *version)
{
    return version->len > 0;
}


ngx_int_t
ngx_gate_check_migrations_version_heads(ngx_str_t *version)
{
    return ngx_gate_check_migrations_version_list(version,
                                        ngx_gate_check_migrations_version_head);
}


ngx_int_t
ngx_gate_check_migrations_version_apps(ngx_str_t *version)
{
    return ngx_gate_check_migrations_version_list(version,
                                        ngx_gate_check_migrations_version_app);
}


static ngx_int_t
ngx_gate_check_migrations_version_list(ngx_str_t *version,
    ngx_int_t (*is_item)(u_char *p, u_char *last))
{
    u_char  *p, *end, *last;

    p = version->data;
    last = version->data + version->len;

    for ( ;; ) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            return is_item(p, last);
        }

        if (!is_item(p, end)) {
            return 0;
        }

        p = end + 1;
    }
}


/* relative revisions of Alembic are not in the table */

static ngx_int_t
ngx_gate_check_migrations_version_head(u_char *p, u_char *last)
{
    size_t        len;
    const char  **name;

    static const char  *names[] = { "head", "heads", "base", "current", NULL };

    len = last - p;

    for (name = names; *name; name++) {
        if (ngx_strlen(*name) == len && ngx_strncmp(p, *name, len) == 0) {
            return 0;
        }
    }

    for ( /* void */ ; p < last; p++) {
        if (*p <= ' ' || *p == '@' || *p == ':' || *p == '+') {
            return 0;
        }
    }

    return len > 0;
}


static ngx_int_t
ngx_gate_check_migrations_version_app(u_char *p, u_char *last)
{
    u_char  *dot;

    dot = ngx_strlchr(p, last, '.');

    return dot && dot > p && dot + 1 < last;
}
