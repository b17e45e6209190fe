
/*
 * What a client would rather have: its Accept header, as far as we have
 * something to choose from.
 */


#include <ngx_http_gate.h>


/* how a media range came to match, the most specific last */

#define NGX_HTTP_GATE_ANY    1    /* by "*" "/" "*" */
#define NGX_HTTP_GATE_TYPE   2    /* by "text" "/" "*" */
#define NGX_HTTP_GATE_EXACT  3


typedef struct {
    ngx_uint_t                  how;
    ngx_uint_t                  q;      /* 0 to 1000 */
} ngx_http_gate_weight_t;


typedef struct {
    ngx_http_gate_format_e      format;
    ngx_str_t                   type;
    ngx_str_t                   subtype;
} ngx_http_gate_offer_t;


static u_char *ngx_http_gate_accept_range(u_char *p, u_char *last,
    ngx_http_gate_weight_t *weights);
static ngx_uint_t ngx_http_gate_accept_q(u_char *p, u_char *last);
static ngx_uint_t ngx_http_gate_accept_match(ngx_http_gate_offer_t *offer,
    ngx_str_t *type, ngx_str_t *subtype);
static void ngx_http_gate_accept_trim(ngx_str_t *word);


/* the first one wins where the client does not care */

static ngx_http_gate_offer_t  ngx_http_gate_offers[] = {

    { NGX_HTTP_GATE_FORMAT_JSON,
      ngx_string("application"), ngx_string("json") },

    { NGX_HTTP_GATE_FORMAT_PROBLEM,
      ngx_string("application"), ngx_string("problem+json") },

    { NGX_HTTP_GATE_FORMAT_HTML,
      ngx_string("text"), ngx_string("html") },

    { NGX_HTTP_GATE_FORMAT_PROMETHEUS,
      ngx_string("application"), ngx_string("openmetrics-text") },

    { NGX_HTTP_GATE_FORMAT_TEXT,
      ngx_string("text"), ngx_string("plain") }
};

#define NGX_HTTP_GATE_OFFERS                                                  \
    (sizeof(ngx_http_gate_offers) / sizeof(ngx_http_gate_offer_t))


/* AUTO: no header, or one that asks for nothing in particular */

ngx_http_gate_format_e
ngx_http_gate_accept(ngx_http_request_t *r)
{
    u_char                  *p, *last;
    ngx_str_t               *value;
    ngx_uint_t               i, best;
    ngx_http_gate_weight_t   weights[NGX_HTTP_GATE_OFFERS];

    if (r->headers_in.accept == NULL) {
        return NGX_HTTP_GATE_FORMAT_AUTO;
    }

    value = &r->headers_in.accept->value;

    if (value->len == 3 && ngx_strncmp(value->data, "*/*", 3) == 0) {
        return NGX_HTTP_GATE_FORMAT_AUTO;
    }

    ngx_memzero(weights, sizeof(weights));

    p = value->data;
    last = p + value->len;

    while (p < last) {
        p = ngx_http_gate_accept_range(p, last, weights);
    }

    best = 0;

    for (i = 1; i < NGX_HTTP_GATE_OFFERS; i++) {

        if (weights[i].q > weights[best].q
            || (weights[i].q == weights[best].q
                && weights[i].how > weights[best].how))
        {
            best = i;
        }
    }

    if (weights[best].q == 0 || weights[best].how == NGX_HTTP_GATE_ANY) {
        return NGX_HTTP_GATE_FORMAT_AUTO;
    }

    return ngx_http_gate_offers[best].format;
}


/* one range with its parameters, up to and with the comma after it */

static u_char *
ngx_http_gate_accept_range(u_char *p, u_char *last,
    ngx_http_gate_weight_t *weights)
{
    u_char      *end, *params, *slash;
    ngx_str_t    type, subtype;
    ngx_uint_t   i, q, how;

    end = ngx_strlchr(p, last, ',');

    if (end == NULL) {
        end = last;
    }

    params = ngx_strlchr(p, end, ';');

    if (params == NULL) {
        params = end;
    }

    slash = ngx_strlchr(p, params, '/');

    if (slash == NULL) {
        return end + 1;
    }

    type.data = p;
    type.len = slash - p;
    subtype.data = slash + 1;
    subtype.len = params - subtype.data;

    ngx_http_gate_accept_trim(&type);
    ngx_http_gate_accept_trim(&subtype);

    q = ngx_http_gate_accept_q(params, end);

    for (i = 0; i < NGX_HTTP_GATE_OFFERS; i++) {

        how = ngx_http_gate_accept_match(&ngx_http_gate_offers[i], &type,
                                         &subtype);

        if (how > weights[i].how) {
            weights[i].how = how;
            weights[i].q = q;
        }
    }

    return end + 1;
}


/* 1000 without a "q", 0 where it makes no sense */

static ngx_uint_t
ngx_http_gate_accept_q(u_char *p, u_char *last)
{
    u_char      *end;
    ngx_str_t    param;
    ngx_uint_t   q, unit;

    for ( /* void */ ; p < last; p = end) {

        p++;    /* the ";" */

        end = ngx_strlchr(p, last, ';');

        if (end == NULL) {
            end = last;
        }

        param.data = p;
        param.len = end - p;

        ngx_http_gate_accept_trim(&param);

        if (param.len < 3 || (param.data[0] | 0x20) != 'q'
            || param.data[1] != '=')
        {
            continue;
        }

        p = param.data + 2;
        last = param.data + param.len;

        if (*p != '0' && *p != '1') {
            return 0;
        }

        q = (*p++ - '0') * 1000;

        if (p < last && *p == '.') {
            p++;

            for (unit = 100; p < last && unit; unit /= 10, p++) {

                if (*p < '0' || *p > '9') {
                    return 0;
                }

                q += (*p - '0') * unit;
            }
        }

        return ngx_min(q, 1000);
    }

    return 1000;
}


static ngx_uint_t
ngx_http_gate_accept_match(ngx_http_gate_offer_t *offer, ngx_str_t *type,
    ngx_str_t *subtype)
{
    if (type->len == 1 && type->data[0] == '*') {
        return (subtype->len == 1 && subtype->data[0] == '*')
               ? NGX_HTTP_GATE_ANY : 0;
    }

    if (type->len != offer->type.len
        || ngx_strncasecmp(type->data, offer->type.data, type->len) != 0)
    {
        return 0;
    }

    if (subtype->len == 1 && subtype->data[0] == '*') {
        return NGX_HTTP_GATE_TYPE;
    }

    if (subtype->len != offer->subtype.len
        || ngx_strncasecmp(subtype->data, offer->subtype.data, subtype->len)
           != 0)
    {
        return 0;
    }

    return NGX_HTTP_GATE_EXACT;
}


static void
ngx_http_gate_accept_trim(ngx_str_t *word)
{
    while (word->len
           && (word->data[0] == ' ' || word->data[0] == '\t'))
    {
        word->data++;
        word->len--;
    }

    while (word->len
           && (word->data[word->len - 1] == ' '
               || word->data[word->len - 1] == '\t'))
    {
        word->len--;
    }
}
