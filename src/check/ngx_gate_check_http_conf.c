
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The parameters of an http check and of a trigger.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_gate.h>
#include <ngx_gate_param.h>
#include <ngx_gate_check_http.h>
#include <ngx_gate_check_http_request.h>


static char *ngx_gate_check_http_conf_set_status(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_check_http_conf_set_header(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_check_http_conf_set_json(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static u_char *ngx_gate_check_http_conf_range(u_char *p, u_char *last,
    ngx_gate_check_http_range_t *range);
static char *ngx_gate_check_http_conf_body(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_http_conf_t *conf);
static char *ngx_gate_check_http_conf_method(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_http_conf_t *conf);
static ngx_uint_t ngx_gate_check_http_conf_is_method(ngx_str_t *method);
static char *ngx_gate_check_http_conf_files(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_http_conf_t *conf);
static char *ngx_gate_check_http_conf_userinfo(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_http_conf_t *conf);
static size_t ngx_gate_check_http_conf_token_len(u_char *data, size_t len);
static ngx_uint_t ngx_gate_check_http_conf_is_line(ngx_str_t *text);
static ngx_uint_t ngx_gate_check_http_conf_is_close(ngx_str_t *header);


ngx_gate_param_t  ngx_gate_check_http_conf_params[] = {

    { ngx_string("status"),
      0,
      ngx_gate_check_http_conf_set_status,
      offsetof(ngx_gate_check_http_conf_t, status),
      "a list of status codes from 200 to 599 and ranges,"
      " as in 200-299,304 or 2xx" },

    { ngx_string("match"),
      0,
      ngx_gate_param_set_regex,
      offsetof(ngx_gate_check_http_conf_t, match),
      "a regular expression" },

    { ngx_string("json"),
      NGX_GATE_PARAM_EMPTY,
      ngx_gate_check_http_conf_set_json,
      offsetof(ngx_gate_check_http_conf_t, json),
      "a JSON pointer, as in /status/ready" },

    { ngx_string("value"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_http_conf_t, json.value),
      NULL },

    { ngx_string("min"),
      0,
      ngx_gate_param_set_count,
      offsetof(ngx_gate_check_http_conf_t, json.min),
      "a number, 1 or more" },

    { ngx_string("header"),
      NGX_GATE_PARAM_MULTI|NGX_GATE_PARAM_SECRET,
      ngx_gate_check_http_conf_set_header,
      offsetof(ngx_gate_check_http_conf_t, headers),
      "\"Name: value\"" },

    { ngx_string("host"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_http_conf_t, host),
      "a name" },

    { ngx_string("method"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_http_conf_t, method),
      "a method in capital letters, as in POST" },

    { ngx_string("body"),
      NGX_GATE_PARAM_SECRET,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_http_conf_t, body),
      "a text" },

    { ngx_string("body_file"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_http_conf_t, body_file),
      "the path of a file" },

    { ngx_string("token_file"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_http_conf_t, token_file),
      "the path of a file" },

      ngx_gate_tls_params(ngx_gate_check_http_conf_t, tls),

      ngx_gate_param_end
};


/* headers that belong to the connection, or have a parameter of their own */

static const char  *ngx_gate_check_http_conf_own_headers[] = {
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "Upgrade",
    NULL
};


static char *
ngx_gate_check_http_conf_set_status(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    u_char                       *p, *last;
    ngx_array_t                 **list;
    ngx_gate_check_http_range_t  *range;

    list = (ngx_array_t **) ((char *) check->conf + param->offset);

    *list = ngx_array_create(cf->pool, 2, sizeof(ngx_gate_check_http_range_t));
    if (*list == NULL) {
        return NGX_CONF_ERROR;
    }

    p = value->data;
    last = p + value->len;

    for ( ;; ) {
        range = ngx_array_push(*list);
        if (range == NULL) {
            return NGX_CONF_ERROR;
        }

        p = ngx_gate_check_http_conf_range(p, last, range);

        if (p == last) {
            return NGX_CONF_OK;
        }

        if (p == NULL || *p++ != ',') {
            return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                        "parameter \"status\", it must be %s",
                                        value, param->values);
        }
    }
}


/* "200", "200-299" or "2xx"; returns what comes after it, or NULL */

static u_char *
ngx_gate_check_http_conf_range(u_char *p, u_char *last,
    ngx_gate_check_http_range_t *range)
{
    ngx_int_t  n;

    if (last - p < 3) {
        return NULL;
    }

    if (*p >= '2' && *p <= '5'
        && ngx_strncasecmp(p + 1, (u_char *) "xx", 2) == 0)
    {
        range->first = (*p - '0') * 100;
        range->last = range->first + 99;

        return p + 3;
    }

    n = ngx_atoi(p, 3);
    p += 3;

    if (n < 200 || n > 599) {
        return NULL;
    }

    range->first = n;
    range->last = n;

    if (p < last && *p == '-') {
        p++;

        if (last - p < 3) {
            return NULL;
        }

        n = ngx_atoi(p, 3);
        p += 3;

        if (n < (ngx_int_t) range->first || n > 599) {
            return NULL;
        }

        range->last = n;
    }

    return p;
}


static char *
ngx_gate_check_http_conf_set_json(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
#if (NGX_GATE_JSON)
    char                        *err;
    ngx_gate_check_http_json_t  *json;

    json = (ngx_gate_check_http_json_t *) ((char *) check->conf
                                           + param->offset);

    err = ngx_gate_check_http_json_parse(cf, json, value);

    if (err) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"json\": it %s", value, err);
    }

    return NGX_CONF_OK;

#else

    return ngx_gate_param_error(cf, check, "parameter \"%V\" is not "
                                "available: this module was built without "
                                "jansson", &param->name);
#endif
}


/* the value may be a secret, and is shown nowhere */

static char *
ngx_gate_check_http_conf_set_header(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    size_t         len;
    ngx_str_t      name, *header;
    const char   **own;
    ngx_array_t  **headers;

    len = ngx_gate_check_http_conf_token_len(value->data, value->len);

    if (len == 0 || len == value->len || value->data[len] != ':') {
        return ngx_gate_param_error(cf, check, "invalid value of parameter "
                                    "\"header\", it must be %s",
                                    param->values);
    }

    name.data = value->data;
    name.len = len;

    if (!ngx_gate_check_http_conf_is_line(value)) {
        return ngx_gate_param_error(cf, check, "invalid character in the "
                                    "value of \"header=%V:\"", &name);
    }

    for (own = ngx_gate_check_http_conf_own_headers; *own; own++) {

        if (ngx_strlen(*own) == len
            && ngx_strncasecmp((u_char *) *own, name.data, len) == 0)
        {
            break;
        }
    }

    /* the one thing that may be said of the connection */

    if (*own && !ngx_gate_check_http_conf_is_close(value)) {
        return ngx_gate_param_error(cf, check, "\"header=%V:\" is not "
                                    "allowed%s", &name,
                                    own == ngx_gate_check_http_conf_own_headers
                                    ? ", use \"host=\"" : "");
    }

    headers = (ngx_array_t **) ((char *) check->conf + param->offset);

    if (*headers == NULL) {
        *headers = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
        if (*headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = ngx_array_push(*headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    *header = *value;

    return NGX_CONF_OK;
}


char *
ngx_gate_check_http_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    char                        *err;
    ngx_gate_http_url_t         *url;
    ngx_gate_check_http_conf_t  *conf;

    conf = check->conf;
    url = &conf->url;

    err = ngx_gate_http_url_parse(cf, url, &check->target);

    if (err) {

        /* it may hold a password, thus is not shown */

        return ngx_gate_param_error(cf, check, "the URL %s", err);
    }

    if (!ngx_gate_check_http_conf_is_line(&conf->host)
        || ngx_strlchr(conf->host.data, conf->host.data + conf->host.len, ' ')
        || ngx_strlchr(conf->host.data, conf->host.data + conf->host.len, '/'))
    {
        return ngx_gate_param_error(cf, check, "invalid value of parameter "
                                    "\"host\", it must be a name, with a port"
                                    " or without");
    }

    if (ngx_gate_check_http_conf_body(cf, check, conf) != NGX_CONF_OK
        || ngx_gate_check_http_conf_method(cf, check, conf) != NGX_CONF_OK
        || ngx_gate_check_http_conf_files(cf, check, conf) != NGX_CONF_OK
        || ngx_gate_check_http_conf_userinfo(cf, check, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (url->tls) {
        url->endpoint.tls = &conf->tls;
        err = ngx_gate_tls_init(cf, check, &conf->tls, &url->endpoint.host);

    } else {
        err = ngx_gate_tls_reject(cf, check, &conf->tls,
                                  check->outer ? "\"tls\""
                                               : "an https:// URL");
    }

    if (err != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_gate_check_http_request_init(cf, conf);
}


/* what the body of the response must be */

static char *
ngx_gate_check_http_conf_body(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_http_conf_t *conf)
{
    ngx_gate_check_http_json_t  *json;

    json = &conf->json;

    if (json->pointer.data == NULL && (json->value.len || json->min)) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" needs "
                                    "\"json\"",
                                    json->value.len ? "value" : "min");
    }

    if ((json->value.len != 0) + (conf->match != NULL) + (json->min != 0) > 1) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" conflicts "
                                    "with \"%s\"",
                                    json->value.len ? "value" : "match",
                                    json->min ? "min" : "match");
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_http_conf_method(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_http_conf_t *conf)
{
    ngx_str_t  *method;

    method = &conf->method;

    if (method->len == 0) {

        if (check->trigger || conf->body.len || conf->body_file.len) {
            ngx_str_set(method, "POST");

        } else {
            ngx_str_set(method, "GET");
        }
    }

    conf->head = (method->len == 4
                  && ngx_strncmp(method->data, "HEAD", 4) == 0);

    if (!ngx_gate_check_http_conf_is_method(method)) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"method\", it must be a method "
                                    "in capital letters, as in POST", method);
    }

    if (conf->head && (conf->match || conf->json.pointer.data)) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" conflicts "
                                    "with \"method=HEAD\", whose response has "
                                    "no body",
                                    conf->json.pointer.data ? "json" : "match");
    }

    if (conf->head && (conf->body.len || conf->body_file.len)) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" conflicts "
                                    "with \"method=HEAD\"",
                                    conf->body.len ? "body" : "body_file");
    }

    return NGX_CONF_OK;
}


/* CONNECT would make the server a tunnel; case is significant */

static ngx_uint_t
ngx_gate_check_http_conf_is_method(ngx_str_t *method)
{
    size_t      i;
    ngx_uint_t  capital;

    capital = 0;

    for (i = 0; i < method->len; i++) {
        capital |= (method->data[i] >= 'A' && method->data[i] <= 'Z');
    }

    return capital
           && ngx_gate_check_http_conf_token_len(method->data, method->len)
              == method->len
           && (method->len != 7
               || ngx_strncmp(method->data, "CONNECT", 7) != 0);
}


/* what is sent besides the headers, which files may hold */

static char *
ngx_gate_check_http_conf_files(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_http_conf_t *conf)
{
    if (conf->body.len && conf->body_file.len) {
        return ngx_gate_param_error(cf, check, "parameter \"body\" conflicts "
                                    "with \"body_file\"");
    }

    if (conf->token_file.len
        && (conf->url.userinfo.data
            || ngx_gate_check_http_request_has_header(conf, "Authorization")))
    {
        return ngx_gate_param_error(cf, check, "parameter \"token_file\" "
                                    "conflicts with %s", conf->url.userinfo.data
                                    ? "the user in the URL"
                                    : "\"header=Authorization:\"");
    }

    ngx_gate_param_warn_missing(cf, check, "body_file", &conf->body_file);
    ngx_gate_param_warn_missing(cf, check, "token_file", &conf->token_file);

    return NGX_CONF_OK;
}


/* "user:password@" becomes "Authorization: Basic ..." */

static char *
ngx_gate_check_http_conf_userinfo(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_http_conf_t *conf)
{
    u_char     *src, *dst;
    ngx_str_t  *info, plain;

    info = &conf->url.userinfo;

    if (info->data == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_gate_check_http_request_has_header(conf, "Authorization")) {
        return ngx_gate_param_error(cf, check, "\"header=Authorization:\" "
                                    "conflicts with the user in the URL");
    }

    if (ngx_strlchr(info->data, info->data + info->len, ':')) {
        ngx_gate_param_warn(cf, check, "the URL contains a password, which "
                            "every reader of the configuration sees");
    }

    plain.data = ngx_pnalloc(cf->pool, info->len + 1);
    if (plain.data == NULL) {
        return NGX_CONF_ERROR;
    }

    src = info->data;
    dst = plain.data;

    ngx_unescape_uri(&dst, &src, info->len, 0);

    if (ngx_strlchr(info->data, info->data + info->len, ':') == NULL) {
        *dst++ = ':';
    }

    plain.len = dst - plain.data;

    conf->authorization.data = ngx_pnalloc(cf->pool,
                                        ngx_base64_encoded_length(plain.len));
    if (conf->authorization.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_encode_base64(&conf->authorization, &plain);

    return NGX_CONF_OK;
}


/* how much of it is a token, such as a method or the name of a header */

static size_t
ngx_gate_check_http_conf_token_len(u_char *data, size_t len)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < len; i++) {
        ch = data[i];

        if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
            || (ch >= 'A' && ch <= 'Z'))
        {
            continue;
        }

        if (ch == '\0' || ngx_strchr("!#$%&'*+-.^_`|~", ch) == NULL) {
            break;
        }
    }

    return i;
}


/* of what would end the line */

static ngx_uint_t
ngx_gate_check_http_conf_is_line(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if ((text->data[i] < ' ' && text->data[i] != '\t')
            || text->data[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_gate_check_http_conf_is_close(ngx_str_t *header)
{
    size_t   len;
    u_char  *p, *last;

    len = sizeof("Connection:") - 1;
    last = header->data + header->len;

    if (header->len < len
        || ngx_strncasecmp(header->data, (u_char *) "Connection:", len) != 0)
    {
        return 0;
    }

    for (p = header->data + len; p < last && *p == ' '; p++) { /* void */ }

    return last - p == 5
           && ngx_strncasecmp(p, (u_char *) "close", 5) == 0;
}
