
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Arguments of a request; see ngx_http_gate_form.h.
 */


#include <ngx_http_gate_form.h>
#include <ngx_gate_uri.h>


#define NGX_HTTP_GATE_FORM_NUMBER_MAX  9007199254740991LL


static ngx_int_t ngx_http_gate_form_arg(ngx_pool_t *pool, u_char *p,
    u_char *last, ngx_http_gate_form_arg_t *args, u_char *error);
static void ngx_http_gate_form_error(u_char *error, const char *reason,
    ngx_str_t *name);


ngx_int_t
ngx_http_gate_form_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_gate_form_arg_t *args, u_char *error)
{
    u_char     *p, *last, *end;
    ngx_int_t   rc;

    p = text->data;
    last = p + text->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        rc = ngx_http_gate_form_arg(pool, p, end, args, error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_form_arg(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_http_gate_form_arg_t *args, u_char *error)
{
    u_char                    *eq;
    ngx_int_t                  rc;
    ngx_str_t                  name;
    ngx_http_gate_form_arg_t  *arg;

    eq = ngx_strlchr(p, last, '=');

    rc = ngx_gate_uri_decode(pool, p, eq ? eq : last, &name,
                             NGX_GATE_URI_FORM);

    if (rc == NGX_DECLINED) {
        ngx_http_gate_form_error(error, "invalid encoding of an argument",
                                 NULL);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    for (arg = args; arg->name.len; arg++) {
        if (ngx_gate_str_eq(&arg->name, &name)) {
            break;
        }
    }

    if (arg->name.len == 0) {
        ngx_http_gate_form_error(error, "unknown argument", &name);
        return NGX_DECLINED;
    }

    if (arg->value.data) {
        ngx_http_gate_form_error(error, "duplicate argument", &name);
        return NGX_DECLINED;
    }

    rc = ngx_gate_uri_decode(pool, eq ? eq + 1 : last, last, &arg->value,
                             NGX_GATE_URI_FORM);

    if (rc == NGX_DECLINED) {
        ngx_http_gate_form_error(error, "invalid encoding of argument", &name);
    }

    return rc;
}


/* the name is arbitrary: it is shortened to one line */

static void
ngx_http_gate_form_error(u_char *error, const char *reason, ngx_str_t *name)
{
    u_char  *p, *last, text[NGX_GATE_MESSAGE_MAX];
    size_t   len;

    last = error + NGX_HTTP_GATE_FORM_ERROR - 1;
    p = ngx_slprintf(error, last, "%s", reason);

    if (name) {
        len = ngx_gate_fold_message(text, name->data,
                                    ngx_min(name->len, NGX_GATE_NAME_MAX));
        p = ngx_slprintf(p, last, " \"%*s\"", len, text);
    }

    *p = '\0';
}


int64_t
ngx_http_gate_form_number(ngx_str_t *value, int64_t min)
{
    off_t  n;

    n = ngx_atoof(value->data, value->len);

    if (n < min || n > NGX_HTTP_GATE_FORM_NUMBER_MAX) {
        return NGX_ERROR;
    }

    return n;
}
