
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The preferred format of a client: its Accept header, limited to the formats
 * that are offered.
 */


#include <ngx_http_gate.h>


#define NGX_HTTP_GATE_ACCEPT_UNSET  0xffff


/* media ranges that matter; each has a different length */

typedef enum {
    NGX_HTTP_GATE_ACCEPT_JSON = 0,
    NGX_HTTP_GATE_ACCEPT_PROBLEM,
    NGX_HTTP_GATE_ACCEPT_HTML,
    NGX_HTTP_GATE_ACCEPT_OPENMETRICS,
    NGX_HTTP_GATE_ACCEPT_PLAIN,
    NGX_HTTP_GATE_ACCEPT_APPLICATION,
    NGX_HTTP_GATE_ACCEPT_TEXT,
    NGX_HTTP_GATE_ACCEPT_ANY,
    NGX_HTTP_GATE_ACCEPT_RANGES
} ngx_http_gate_accept_range_e;


/* in the order of the formats in NGX_HTTP_GATE_ACCEPT_REFUSAL */

typedef struct {
    ngx_http_gate_format_e      format;
    ngx_http_gate_accept_range_e  exact;
    ngx_http_gate_accept_range_e  type;
} ngx_http_gate_accept_offer_t;


static uint16_t *ngx_http_gate_accept_range(uint16_t *q, u_char *data,
    size_t len);
static ngx_uint_t ngx_http_gate_accept_q(u_char *p, u_char *last);
static ngx_http_gate_format_e ngx_http_gate_accept_best(uint16_t *q,
    ngx_uint_t offers);


static ngx_str_t  ngx_http_gate_accept_ranges[] = {
    ngx_string("application/json"),
    ngx_string("application/problem+json"),
    ngx_string("text/html"),
    ngx_string("application/openmetrics-text"),
    ngx_string("text/plain"),
    ngx_string("application/*"),
    ngx_string("text/*"),
    ngx_string("*/*")
};


static ngx_http_gate_accept_offer_t  ngx_http_gate_accept_offers[] = {

    /* requires its own name, and then precedes JSON */

    { NGX_HTTP_GATE_FORMAT_PROBLEM,
      NGX_HTTP_GATE_ACCEPT_PROBLEM, NGX_HTTP_GATE_ACCEPT_PROBLEM },

    { NGX_HTTP_GATE_FORMAT_JSON,
      NGX_HTTP_GATE_ACCEPT_JSON, NGX_HTTP_GATE_ACCEPT_APPLICATION },

    { NGX_HTTP_GATE_FORMAT_HTML,
      NGX_HTTP_GATE_ACCEPT_HTML, NGX_HTTP_GATE_ACCEPT_TEXT },

    { NGX_HTTP_GATE_FORMAT_PROMETHEUS,
      NGX_HTTP_GATE_ACCEPT_OPENMETRICS, NGX_HTTP_GATE_ACCEPT_APPLICATION },

    { NGX_HTTP_GATE_FORMAT_TEXT,
      NGX_HTTP_GATE_ACCEPT_PLAIN, NGX_HTTP_GATE_ACCEPT_TEXT }
};


/* AUTO: no preference */

ngx_http_gate_format_e
ngx_http_gate_accept_format(ngx_str_t *value, ngx_uint_t offers)
{
    u_char      *p, *end, *comma, *last;
    uint16_t    *range, q[NGX_HTTP_GATE_ACCEPT_RANGES];
    ngx_uint_t   weight;

    ngx_memset(q, 0xff, sizeof(q));

    last = value->data + value->len;

    for (p = value->data; p < last; p = comma + 1) {

        comma = memchr(p, ',', last - p);

        if (comma == NULL) {
            comma = last;
        }

        while (p < comma && (*p == ' ' || *p == '\t')) {
            p++;
        }

        end = comma;
        weight = 1000;

        if (p < comma) {
            end = memchr(p, ';', comma - p);

            if (end) {
                weight = ngx_http_gate_accept_q(end, comma);

            } else {
                end = comma;
            }
        }

        while (p < end && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        range = ngx_http_gate_accept_range(q, p, end - p);

        if (range && *range == NGX_HTTP_GATE_ACCEPT_UNSET) {
            *range = (uint16_t) weight;
        }
    }

    return ngx_http_gate_accept_best(q, offers);
}


/* the weight of this range, or NULL; the length identifies the range */

static uint16_t *
ngx_http_gate_accept_range(uint16_t *q, u_char *data, size_t len)
{
    ngx_str_t                     *name;
    ngx_http_gate_accept_range_e   range;

    switch (len) {

    case sizeof("*/*") - 1:
        range = NGX_HTTP_GATE_ACCEPT_ANY;
        break;

    case sizeof("text/*") - 1:
        range = NGX_HTTP_GATE_ACCEPT_TEXT;
        break;

    case sizeof("text/html") - 1:
        range = NGX_HTTP_GATE_ACCEPT_HTML;
        break;

    case sizeof("text/plain") - 1:
        range = NGX_HTTP_GATE_ACCEPT_PLAIN;
        break;

    case sizeof("application/*") - 1:
        range = NGX_HTTP_GATE_ACCEPT_APPLICATION;
        break;

    case sizeof("application/json") - 1:
        range = NGX_HTTP_GATE_ACCEPT_JSON;
        break;

    case sizeof("application/problem+json") - 1:
        range = NGX_HTTP_GATE_ACCEPT_PROBLEM;
        break;

    case sizeof("application/openmetrics-text") - 1:
        range = NGX_HTTP_GATE_ACCEPT_OPENMETRICS;
        break;

    default:
        return NULL;
    }

    name = &ngx_http_gate_accept_ranges[range];

    /* upper case is rare */

    if (ngx_memcmp(name->data, data, len) != 0
        && ngx_strncasecmp(name->data, data, len) != 0)
    {
        return NULL;
    }

    return &q[range];
}


/* the weight in parameters, each after a ";"; 0 if invalid */

static ngx_uint_t
ngx_http_gate_accept_q(u_char *p, u_char *last)
{
    ngx_uint_t  q, unit;

    do {
        do {
            p++;
        } while (p < last && (*p == ' ' || *p == '\t'));

        if (last - p >= 3 && (p[0] | 0x20) == 'q' && p[1] == '=') {

            if (p[2] != '0') {
                return (p[2] == '1') ? 1000 : 0;
            }

            q = 0;

            for (p += 4, unit = 100; p < last && unit; p++, unit /= 10) {

                if (*p < '0' || *p > '9') {
                    break;
                }

                q += (*p - '0') * unit;
            }

            return q;
        }

        p = memchr(p, ';', last - p);

    } while (p);

    return 1000;
}


/* by weight; with equal weights, by the most specific range */

static ngx_http_gate_format_e
ngx_http_gate_accept_best(uint16_t *q, ngx_uint_t offers)
{
    ngx_uint_t              i, rank, best;
    ngx_http_gate_accept_offer_t  *offer;
    ngx_http_gate_format_e  format;

    best = 0;
    format = NGX_HTTP_GATE_FORMAT_AUTO;

    for (i = 0; i < offers; i++) {
        offer = &ngx_http_gate_accept_offers[i];

        if (q[offer->exact] != NGX_HTTP_GATE_ACCEPT_UNSET) {
            rank = q[offer->exact] ? q[offer->exact] * 4 + 2 : 0;

        } else if (q[offer->type] != NGX_HTTP_GATE_ACCEPT_UNSET) {
            rank = q[offer->type] ? q[offer->type] * 4 + 1 : 0;

        } else if (q[NGX_HTTP_GATE_ACCEPT_ANY] != NGX_HTTP_GATE_ACCEPT_UNSET) {
            rank = q[NGX_HTTP_GATE_ACCEPT_ANY] * 4;

        } else {
            rank = 0;
        }

        if (rank > best) {
            best = rank;
            format = (rank & 3) ? offer->format : NGX_HTTP_GATE_FORMAT_AUTO;
        }
    }

    return format;
}
