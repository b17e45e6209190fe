
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * init_control: what operators send.
 */


#include <ngx_http_gate_post.h>
#include <ngx_gate_overrides.h>


#define NGX_HTTP_GATE_CONTROL_TRIES  100


typedef enum {
    NGX_HTTP_GATE_CONTROL_ACTION = 0,
    NGX_HTTP_GATE_CONTROL_CHECK,
    NGX_HTTP_GATE_CONTROL_FOR,
    NGX_HTTP_GATE_CONTROL_REASON
} ngx_http_gate_control_arg_e;


typedef enum {
    NGX_HTTP_GATE_CONTROL_OPEN = 0,
    NGX_HTTP_GATE_CONTROL_CLOSE,
    NGX_HTTP_GATE_CONTROL_IGNORE,
    NGX_HTTP_GATE_CONTROL_RECHECK,
    NGX_HTTP_GATE_CONTROL_CLEAR
} ngx_http_gate_control_e;


/* an order; only the first three are overrides */

typedef struct {
    ngx_http_gate_control_e     action;
    ngx_gate_override_t         override;
} ngx_http_gate_control_order_t;


static const char *ngx_http_gate_control_find(ngx_http_gate_post_t *post,
    ngx_str_t *path);
static void ngx_http_gate_control_done(ngx_http_gate_post_t *post);
static const char *ngx_http_gate_control_parse(ngx_http_gate_post_t *post,
    ngx_http_gate_form_arg_t *args, ngx_http_gate_control_order_t *order);
static const char *ngx_http_gate_control_parse_check(
    ngx_http_gate_post_t *post, ngx_str_t *value,
    ngx_http_gate_control_order_t *order);
static const char *ngx_http_gate_control_parse_time(ngx_str_t *value,
    ngx_gate_override_t *override);
static void ngx_http_gate_control_put(ngx_http_gate_post_t *post,
    ngx_http_gate_control_order_t *order);
static ngx_int_t ngx_http_gate_control_change(
    ngx_gate_overrides_t *overrides, ngx_http_gate_control_order_t *order);
static ngx_int_t ngx_http_gate_control_ignore(
    ngx_gate_overrides_t *overrides, ngx_gate_override_t *override);
static void ngx_http_gate_control_log(ngx_http_gate_post_t *post,
    ngx_http_gate_control_order_t *order);


static ngx_str_t  ngx_http_gate_control_names[] = {
    ngx_string("open"),
    ngx_string("close"),
    ngx_string("ignore"),
    ngx_string("recheck"),
    ngx_string("clear"),
    ngx_null_string
};

static ngx_http_gate_form_arg_t  ngx_http_gate_control_args[] = {
    { ngx_string("action"), ngx_null_string },
    { ngx_string("check"), ngx_null_string },
    { ngx_string("for"), ngx_null_string },
    { ngx_string("reason"), ngx_null_string },
    { ngx_null_string, ngx_null_string }
};


ngx_int_t
ngx_http_gate_control_handler(ngx_http_request_t *r)
{
    return ngx_http_gate_post_begin(r, ngx_http_gate_control_find,
                                    ngx_http_gate_control_done);
}


static const char *
ngx_http_gate_control_find(ngx_http_gate_post_t *post, ngx_str_t *path)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(post->request,
                                         ngx_http_init_gate_module);

    post->gate = ngx_gate_conf_find(&gmcf->core->conf, path);

    return post->gate ? NULL
                      : "There is no init gate with the name that follows the "
                        "path of the location.";
}


static void
ngx_http_gate_control_done(ngx_http_gate_post_t *post)
{
    const char                     *error;
    ngx_http_gate_form_arg_t        args[sizeof(ngx_http_gate_control_args)
                                         / sizeof(ngx_http_gate_form_arg_t)];
    ngx_http_gate_control_order_t   order;

    ngx_memcpy(args, ngx_http_gate_control_args, sizeof(args));

    if (ngx_http_gate_post_args(post, args) != NGX_OK) {
        return;
    }

    error = ngx_http_gate_control_parse(post, args, &order);

    if (error) {
        ngx_http_gate_post_invalid(post, error);
        return;
    }

    ngx_http_gate_control_put(post, &order);
}


/* returns what is wrong */

static const char *
ngx_http_gate_control_parse(ngx_http_gate_post_t *post,
    ngx_http_gate_form_arg_t *args, ngx_http_gate_control_order_t *order)
{
    u_char                text[NGX_GATE_MESSAGE_MAX];
    ngx_str_t            *value, *addr;
    ngx_uint_t            i;
    const char           *error;
    ngx_gate_override_t  *override;

    ngx_memzero(order, sizeof(ngx_http_gate_control_order_t));

    override = &order->override;
    value = &args[NGX_HTTP_GATE_CONTROL_ACTION].value;

    for (i = 0; ngx_http_gate_control_names[i].len; i++) {
        if (ngx_gate_str_eq(&ngx_http_gate_control_names[i], value)) {
            break;
        }
    }

    if (ngx_http_gate_control_names[i].len == 0) {
        return "action must be open, close, ignore, recheck or clear";
    }

    order->action = i;

    error = ngx_http_gate_control_parse_check(post,
                                  &args[NGX_HTTP_GATE_CONTROL_CHECK].value,
                                  order);
    if (error) {
        return error;
    }

    /* cut at a whole character */

    value = &args[NGX_HTTP_GATE_CONTROL_REASON].value;

    override->reason_len = ngx_gate_fold_message(text, value->data,
                                                 value->len);

    if (override->reason_len > NGX_GATE_OVERRIDES_REASON) {
        return "reason must not exceed 128 bytes";
    }

    ngx_memcpy(override->reason, text, override->reason_len);

    addr = &post->request->connection->addr_text;

    override->client_len = ngx_min(addr->len, NGX_SOCKADDR_STRLEN);
    ngx_memcpy(override->client, addr->data, override->client_len);

    value = &args[NGX_HTTP_GATE_CONTROL_FOR].value;

    if (i > NGX_HTTP_GATE_CONTROL_IGNORE) {
        return value->data ? "for is allowed only with open, close and ignore"
                           : NULL;
    }

    if (override->reason_len == 0) {
        return "reason is required";
    }

    override->action = NGX_GATE_OVERRIDE_OPEN + i;

    return ngx_http_gate_control_parse_time(value, override);
}


static const char *
ngx_http_gate_control_parse_check(ngx_http_gate_post_t *post,
    ngx_str_t *value, ngx_http_gate_control_order_t *order)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    if (order->action != NGX_HTTP_GATE_CONTROL_IGNORE) {
        return value->data ? "check is allowed only with ignore" : NULL;
    }

    for (i = 0; i < post->gate->checks.nelts; i++) {
        check = ngx_gate_check_at(post->gate, i);

        if (ngx_gate_str_eq(&check->name, value)) {
            order->override.check_len = value->len;
            ngx_memcpy(order->override.check, value->data, value->len);
            return NULL;
        }
    }

    return "check must be the name of a check of this gate";
}


static const char *
ngx_http_gate_control_parse_time(ngx_str_t *value,
    ngx_gate_override_t *override)
{
    ngx_int_t  ms;

    ms = value->len ? ngx_parse_time(value, 0) : NGX_ERROR;

    if (ms == NGX_ERROR || ms == 0 || ms > NGX_GATE_OVERRIDES_TIME_MAX) {
        return "for must be a time above 0, as in 90s, 15m or 2h, and at most "
               "24h";
    }

    ngx_time_update();

    override->since = ngx_current_msec;
    override->until = ngx_current_msec + (ngx_msec_t) ms;

    return NULL;
}


/* changes what is there: of two orders at the same time, none is lost */

static void
ngx_http_gate_control_put(ngx_http_gate_post_t *post,
    ngx_http_gate_control_order_t *order)
{
    ngx_uint_t             n;
    ngx_atomic_uint_t      count;
    ngx_gate_mailbox_t    *box;
    ngx_gate_overrides_t   overrides;

    box = post->gate->overrides;

    ngx_gate_overrides_end(post->gate, 0, ngx_cycle->log);

    for (n = 0; n < NGX_HTTP_GATE_CONTROL_TRIES; n++) {

        count = ngx_gate_overrides_read(post->gate, &overrides);

        if (ngx_http_gate_control_change(&overrides, order) != NGX_OK) {
            ngx_http_gate_post_invalid(post, "too many checks are ignored");
            return;
        }

        count = ngx_gate_mailbox_replace(box, count, &overrides);

        if (count) {
            ngx_http_gate_control_log(post, order);
            ngx_http_gate_await_begin(post, box, count);
            return;
        }
    }

    ngx_http_gate_post_unavailable(post);
}


static ngx_int_t
ngx_http_gate_control_change(ngx_gate_overrides_t *overrides,
    ngx_http_gate_control_order_t *order)
{
    switch (order->action) {

    case NGX_HTTP_GATE_CONTROL_OPEN:
    case NGX_HTTP_GATE_CONTROL_CLOSE:
        overrides->list[0] = order->override;
        return NGX_OK;

    case NGX_HTTP_GATE_CONTROL_IGNORE:
        return ngx_http_gate_control_ignore(overrides, &order->override);

    case NGX_HTTP_GATE_CONTROL_RECHECK:
        overrides->rechecks++;
        return NGX_OK;

    default: /* NGX_HTTP_GATE_CONTROL_CLEAR */
        ngx_memzero(overrides->list, sizeof(overrides->list));
        return NGX_OK;
    }
}


/* in place of one for the same check, or in an unused place */

static ngx_int_t
ngx_http_gate_control_ignore(ngx_gate_overrides_t *overrides,
    ngx_gate_override_t *override)
{
    ngx_uint_t            i;
    ngx_gate_override_t  *old, *place;

    place = NULL;

    for (i = NGX_GATE_OVERRIDES_MAX - 1; i > 0; i--) {
        old = &overrides->list[i];

        if (old->action == NGX_GATE_OVERRIDE_NONE) {
            place = old;

        } else if (old->check_len == override->check_len
                   && ngx_memcmp(old->check, override->check,
                                 override->check_len)
                      == 0)
        {
            place = old;
            break;
        }
    }

    if (place == NULL) {
        return NGX_DECLINED;
    }

    *place = *override;

    return NGX_OK;
}


/* the log of the connection adds the address of the client */

static void
ngx_http_gate_control_log(ngx_http_gate_post_t *post,
    ngx_http_gate_control_order_t *order)
{
    u_char                *p, text[NGX_TIME_T_LEN + NGX_GATE_NAME_MAX + 64];
    ngx_msec_t             time;
    ngx_gate_override_t   *override;

    override = &order->override;
    p = text;

    if (override->check_len) {
        p = ngx_sprintf(p, " check \"%*s\"", override->check_len,
                        override->check);
    }

    if (override->action != NGX_GATE_OVERRIDE_NONE) {
        time = override->until - override->since;

        p = (time % 1000) ? ngx_sprintf(p, " for %Mms", time)
                          : ngx_sprintf(p, " for %Ms", time / 1000);
    }

    ngx_log_error(NGX_LOG_WARN, post->request->connection->log, 0,
                  "init gate \"%V\": \"%V\"%*s was ordered%s%*s",
                  &post->gate->name,
                  &ngx_http_gate_control_names[order->action],
                  (size_t) (p - text), text,
                  override->reason_len ? ": " : "",
                  override->reason_len, override->reason);
}
