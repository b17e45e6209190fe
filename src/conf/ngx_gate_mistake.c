
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Detection of quoting mistakes; see ngx_gate_mistake.h.
 *
 * A value is not logged unless its parameter is known: a word in the wrong
 * place may be part of a password.
 */


#include <ngx_gate_mistake.h>
#include <ngx_gate_conf.h>
#include <ngx_gate_param.h>


static char *ngx_gate_mistake_quotes(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t i);
static char *ngx_gate_mistake_spaces(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t i);


char *
ngx_gate_mistake_find(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t i)
{
    ngx_str_t          name, value;
    ngx_gate_param_t  *param;

    if (ngx_gate_mistake_spaces(cf, check, words, n, i) != NGX_CONF_OK
        || ngx_gate_mistake_quotes(cf, check, words, n, i) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_gate_param_split(&words[i], &name, &value);
    param = ngx_gate_param_find(check, &name);

    if (value.data == NULL && ngx_gate_conf_is_directive(&name)
        && (param == NULL || !(param->flags & NGX_GATE_PARAM_FLAG)))
    {
        return ngx_gate_param_error(cf, check, "\";\" is missing before "
                                    "\"%V\"%s", &name,
                                    param ? ", or \"=\" after it" : "");
    }

    return NGX_CONF_OK;
}


/* ngx_conf_read_token() removes quotes only around whole arguments */

static char *
ngx_gate_mistake_quotes(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t i)
{
    ngx_str_t          name, value;
    ngx_uint_t         k;
    ngx_gate_param_t  *param;

    ngx_gate_param_split(&words[i], &name, &value);
    param = ngx_gate_param_find(check, &name);

    if (param == NULL || (param->flags & NGX_GATE_PARAM_QUOTED)
        || value.len == 0
        || (value.data[0] != '"' && value.data[0] != '\''))
    {
        return NGX_CONF_OK;
    }

    if (ngx_gate_mistake_is_quoted(&value)
        && !(param->flags & NGX_GATE_PARAM_SECRET))
    {
        value.data++;
        value.len -= 2;

        return ngx_gate_param_error(cf, check, "write \"%V=%V\", not "
                                    "%V=\"%V\"", &name, &value, &name, &value);
    }

    /* a regular expression or JSON may begin with a quote */

    for (k = i; k < n; k++) {

        if (words[k].len == 0
            || words[k].data[words[k].len - 1] != value.data[0]
            || (k == i && !ngx_gate_mistake_is_quoted(&value)))
        {
            continue;
        }

        return ngx_gate_param_error(cf, check, "write \"%V=...\", not "
                                    "%V=\"...\"", &name, &name);
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_gate_mistake_is_quoted(ngx_str_t *value)
{
    u_char  quote, *last;

    if (value->len < 2) {
        return 0;
    }

    quote = value->data[0];
    last = value->data + value->len - 1;

    /* in "status":"green", quotes are part of the value */

    return (quote == '"' || quote == '\'')
           && *last == quote
           && ngx_strlchr(value->data + 1, last, quote) == NULL;
}


static char *
ngx_gate_mistake_spaces(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t i)
{
    ngx_str_t          name, value, *next;
    ngx_gate_param_t  *param;

    ngx_gate_param_split(&words[i], &name, &value);
    param = ngx_gate_param_find(check, &name);

    if (param && (param->flags & NGX_GATE_PARAM_EMPTY) && value.data
        && value.len == 0)
    {
        return NGX_CONF_OK;
    }

    if ((name.len == 0 && value.data)
        || (value.data == NULL && i + 1 < n && words[i + 1].len
            && words[i + 1].data[0] == '=')
        || (value.data && value.len == 0 && i + 1 < n
            && ngx_strlchr(words[i + 1].data,
                           words[i + 1].data + words[i + 1].len, '=')
               == NULL))
    {
        return ngx_gate_param_error(cf, check, "a parameter has no spaces "
                                    "around \"=\": write \"name=value\"");
    }

    if (value.len == 0 || i + 1 == n || words[i + 1].len == 0) {
        return NGX_CONF_OK;
    }

    next = &words[i + 1];

    if (next->data[0] == ','
        || (value.data[value.len - 1] == ','
            && ngx_strlchr(next->data, next->data + next->len, '=') == NULL))
    {
        return ngx_gate_param_error(cf, check, "a list has no spaces around "
                                    "its commas: write \"a,b\"");
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_gate_mistake_is_keyword(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if ((text->data[i] < 'a' || text->data[i] > 'z')
            && text->data[i] != '_')
        {
            break;
        }
    }

    return i > 0 && i < text->len && text->data[i] == '='
           && ngx_strlchr(text->data, text->data + text->len, ' ') == NULL;
}
