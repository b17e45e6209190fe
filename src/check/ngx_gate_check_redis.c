
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The redis check: the commands, and the server that they are sent to.
 * ngx_gate_check_redis_verdict.c evaluates the replies.
 *
 * The server is the configured one, or the one to which a cluster redirects
 * (MOVED and ASK), or the one that a sentinel names.  The last two are used
 * until they fail, and then looked for again, once in a run.
 */


#include <ngx_gate_check_redis.h>
#include <ngx_gate_param.h>


/* in one run, however often the key changes its type or its node */
#define NGX_GATE_CHECK_REDIS_REQUESTS_MAX   8
#define NGX_GATE_CHECK_REDIS_REDIRECTS_MAX  4


static void ngx_gate_check_redis_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_redis_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_redis_watched(ngx_gate_check_redis_state_t *state);
static void ngx_gate_check_redis_send(ngx_gate_check_redis_state_t *state);
static ngx_uint_t ngx_gate_check_redis_commands(
    ngx_gate_check_redis_state_t *state, ngx_str_t **commands);
static void ngx_gate_check_redis_handler(ngx_gate_redis_session_t *session);
static void ngx_gate_check_redis_changed(ngx_gate_redis_session_t *session);
static void ngx_gate_check_redis_replies(ngx_gate_check_redis_state_t *state,
    redisReply **replies, ngx_uint_t n);
static void ngx_gate_check_redis_error(ngx_gate_check_redis_state_t *state,
    ngx_gate_error_t *error);
static ngx_int_t ngx_gate_check_redis_redirect(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
static ngx_int_t ngx_gate_check_redis_role(ngx_gate_check_redis_state_t *state,
    redisReply *reply);

static void ngx_gate_check_redis_send_sentinel(
    ngx_gate_check_redis_state_t *state);
static void ngx_gate_check_redis_sentinel_handler(
    ngx_gate_redis_session_t *session);
static ngx_int_t ngx_gate_check_redis_sentinel_reply(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
static void ngx_gate_check_redis_sentinel_error(
    ngx_gate_check_redis_state_t *state, ngx_gate_error_t *error);


#define ngx_gate_check_redis_param_str(name, field, values)                   \
    { ngx_string(name), 0, ngx_gate_param_set_str,                            \
      offsetof(ngx_gate_check_redis_conf_t, field), values }


/* "key" is the key in Redis, so that of the certificate is "cert_key" */

static ngx_gate_param_t  ngx_gate_check_redis_params[] = {

    ngx_gate_check_redis_param_str("key", key, "the name of a key"),
    ngx_gate_check_redis_param_str("field", field, "the name of a field"),
    ngx_gate_check_redis_param_str("value", value, "a text"),

    { ngx_string("match"),
      0,
      ngx_gate_param_set_regex,
      offsetof(ngx_gate_check_redis_conf_t, match),
      "a regular expression" },

    { ngx_string("min"),
      0,
      ngx_gate_param_set_count,
      offsetof(ngx_gate_check_redis_conf_t, min),
      "a number, 1 or more" },

    ngx_gate_check_redis_param_str("failed", failed, "a text"),
    ngx_gate_check_redis_param_str("sentinel", sentinel,
                                   "the name of a master"),
    ngx_gate_check_redis_param_str("user", user, "a name"),
    ngx_gate_check_redis_param_str("db", db, "the number of a database"),

    { ngx_string("password_file"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_redis_conf_t, password_file),
      "a file" },

    { ngx_string("verify"),
      0,
      ngx_gate_tls_set_verify,
      offsetof(ngx_gate_check_redis_conf_t, tls.verify),
      "on, off" },

    ngx_gate_check_redis_param_str("ca", tls.ca, "a file"),
    ngx_gate_check_redis_param_str("cert", tls.cert, "a file"),
    ngx_gate_check_redis_param_str("cert_key", cert_key, "a file"),
    ngx_gate_check_redis_param_str("sni", tls.name, "a name"),

    ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_redis = {
    ngx_string("redis"),
    ngx_gate_check_redis_params,
    sizeof(ngx_gate_check_redis_conf_t),
    sizeof(ngx_gate_check_redis_state_t),
    ngx_gate_check_redis_conf_parse,
    ngx_gate_check_redis_start,
    ngx_gate_check_redis_cancel,
    1,
    0
};


static void
ngx_gate_check_redis_start(ngx_gate_probe_t *probe)
{
    ngx_gate_check_redis_conf_t   *conf;
    ngx_gate_check_redis_state_t  *state;

    conf = probe->check->conf;
    state = probe->state;

    if (state->probe == NULL) {
        state->probe = probe;
        state->session.data = state;
        state->session.changed = ngx_gate_check_redis_changed;
        state->key_type = conf->key_type;
    }

    state->session.resolver = probe->resolver;
    state->session.log = probe->log;
    state->session.deadline = probe->deadline;

    ngx_gate_check_redis_watched(state);

    state->address_fresh = 0;
    state->sentinels_tried = 0;
    state->requests = 0;
    state->redirects = 0;

    if (state->asking) {
        /* ASK is valid for one command */
        state->address_known = 0;
        state->asking = 0;
    }

    ngx_gate_check_redis_send(state);
}


static void
ngx_gate_check_redis_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_check_redis_state_t  *state;

    state = probe->state;

    if (state->sentinel_asked) {
        /* no answer: the next run begins with another sentinel */
        state->sentinel_asked = 0;
        state->sentinel++;
    }

    state->address_known = 0;
    state->asking = 0;
    probe->lost = ngx_gate_check_redis_is_lost(state);

    ngx_gate_redis_detach(&state->session);
}


static void
ngx_gate_check_redis_watched(ngx_gate_check_redis_state_t *state)
{
    if (ngx_gate_redis_tracking_is_on(&state->session)) {
        state->tracked = 1;
        state->probe->lost = 0;
        return;
    }

    if (ngx_gate_redis_tracking_is_refused(&state->session)) {
        state->refused = 1;
    }

    state->probe->lost = ngx_gate_check_redis_is_lost(state);
}


/* while changes of the key are not reported, unless they never can be */

ngx_uint_t
ngx_gate_check_redis_is_lost(ngx_gate_check_redis_state_t *state)
{
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    return conf->key.len && (state->tracked || !state->refused);
}


static void
ngx_gate_check_redis_send(ngx_gate_check_redis_state_t *state)
{
    ngx_str_t                    *commands[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_uint_t                    n;
    ngx_gate_redis_server_t      *server;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    if (conf->nsentinels && !state->address_known) {
        ngx_gate_check_redis_send_sentinel(state);
        return;
    }

    if (state->requests++ == NGX_GATE_CHECK_REDIS_REQUESTS_MAX) {
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_QUERY,
                           "the key changed during the probe");
        return;
    }

    server = state->address_known ? &state->address.server : &conf->server;

    n = ngx_gate_check_redis_commands(state, commands);

    state->session.key = conf->key;
    state->session.handler = ngx_gate_check_redis_handler;

    if (ngx_gate_redis_send(&state->session, server, commands, n) != NGX_OK) {
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                           "no memory");
    }
}


static ngx_uint_t
ngx_gate_check_redis_commands(ngx_gate_check_redis_state_t *state,
    ngx_str_t **commands)
{
    ngx_uint_t                    n;
    ngx_gate_check_redis_conf_t  *conf;

    static ngx_str_t  role = ngx_string("*1\r\n$4\r\nROLE\r\n");
    static ngx_str_t  asking = ngx_string("*1\r\n$6\r\nASKING\r\n");

    conf = state->probe->check->conf;

    n = 0;

    if (conf->nsentinels) {
        commands[n++] = &role;
    }

    if (state->asking) {
        commands[n++] = &asking;
    }

    commands[n++] = &conf->first_command;

    if (conf->test < NGX_GATE_CHECK_REDIS_VALUE
        || state->key_type == NGX_GATE_CHECK_REDIS_TYPES)
    {
        return n;
    }

    if (state->asking) {
        commands[n++] = &asking;
    }

    if (conf->test == NGX_GATE_CHECK_REDIS_FIELD_VALUE && !state->size_known) {
        commands[n++] = &conf->size_command;

    } else {
        commands[n++] = &conf->commands[state->key_type];
    }

    return n;
}


static void
ngx_gate_check_redis_handler(ngx_gate_redis_session_t *session)
{
    ngx_uint_t                     i, n;
    redisReply                    *replies[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_gate_check_redis_state_t  *state;

    state = session->data;

    if (session->nreplies == 0) {
        ngx_gate_check_redis_error(state, &session->error);
        return;
    }

    n = 0;

    for (i = 0; i < session->nreplies; i++) {

        if (state->asking && (i & 1) == 0) {
            /* the reply to ASKING */
            continue;
        }

        replies[n++] = session->replies[i];
    }

    ngx_gate_check_redis_replies(state, replies, n);
}


static void
ngx_gate_check_redis_changed(ngx_gate_redis_session_t *session)
{
    ngx_gate_check_redis_state_t  *state;

    state = session->data;

    ngx_gate_probe_due(state->probe);
}


static void
ngx_gate_check_redis_replies(ngx_gate_check_redis_state_t *state,
    redisReply **replies, ngx_uint_t n)
{
    ngx_uint_t                    i;
    ngx_gate_error_t              error;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    /* errors of a server that is not the master any more do not matter */

    if (conf->nsentinels) {

        if (ngx_gate_check_redis_role(state, replies[0]) != NGX_OK) {
            return;
        }

        replies++;
        n--;
    }

    for (i = 0; i < n; i++) {

        if (replies[i]->type != REDIS_REPLY_ERROR) {
            continue;
        }

        ngx_gate_resp_set_error(replies[i], &error);

        if (error.reason == NGX_GATE_WRONG_TYPE) {
            /* the reply to TYPE has the type */
            continue;
        }

        if (conf->nsentinels) {
            ngx_gate_check_redis_verdict_error(state, &error);
            return;
        }

        if (ngx_gate_check_redis_redirect(state, replies[i]) != NGX_OK) {
            ngx_gate_check_redis_error(state, &error);
        }

        return;
    }

    if (ngx_gate_check_redis_verdict(state, replies, n) == NGX_AGAIN) {
        ngx_gate_check_redis_send(state);
    }
}


/*
 * A server that was found in an earlier run may not be the right one any more:
 * look for it again, once in a run.
 */

static void
ngx_gate_check_redis_error(ngx_gate_check_redis_state_t *state,
    ngx_gate_error_t *error)
{
    if (state->size_known && error->reason == NGX_GATE_PROTOCOL) {
        /* a field that was small when last seen is too long to be read now */
        state->size_known = 0;
        ngx_gate_check_redis_send(state);
        return;
    }

    if (state->address_known && !state->address_fresh) {
        state->address_known = 0;
        ngx_gate_check_redis_send(state);
        return;
    }

    state->address_known = 0;

    ngx_gate_check_redis_verdict_error(state, error);
}


/* NGX_OK: it is a redirection, and is followed; otherwise it is an error */

static ngx_int_t
ngx_gate_check_redis_redirect(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    ngx_int_t                     rc;
    ngx_str_t                     host;
    in_port_t                     port;
    ngx_uint_t                    asking;
    ngx_gate_endpoint_t          *source;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    asking = 0;
    rc = ngx_gate_resp_redirect(reply, "MOVED", &host, &port);

    if (rc == NGX_DECLINED) {
        asking = 1;
        rc = ngx_gate_resp_redirect(reply, "ASK", &host, &port);
    }

    if (rc != NGX_OK
        || state->redirects++ == NGX_GATE_CHECK_REDIS_REDIRECTS_MAX)
    {
        return NGX_DECLINED;
    }

    source = state->address_known ? &state->address.server.endpoint
             : &conf->server.endpoint;

    if (ngx_gate_redis_server_set_address(&state->address, &conf->server,
                                          source, &host, port)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    state->address_known = 1;
    state->address_fresh = 1;
    state->asking = asking;

    ngx_gate_check_redis_send(state);

    return NGX_OK;
}


/* a list that begins with "master" */

static ngx_int_t
ngx_gate_check_redis_role(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    redisReply        *role;
    ngx_gate_error_t   error;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements) {
        role = reply->element[0];

        if (role->type == REDIS_REPLY_STRING
            && role->len == 6
            && ngx_strncmp(role->str, "master", 6) == 0)
        {
            return NGX_OK;
        }
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_gate_resp_set_error(reply, &error);
        ngx_gate_check_redis_error(state, &error);
        return NGX_DECLINED;
    }

    if (state->address_fresh) {
        state->sentinel++;
    }

    ngx_gate_error_set(&error, NGX_GATE_OTHER_ROLE,
                       "the server is not a master");
    ngx_gate_check_redis_error(state, &error);

    return NGX_DECLINED;
}


static void
ngx_gate_check_redis_send_sentinel(ngx_gate_check_redis_state_t *state)
{
    ngx_str_t                    *command;
    ngx_uint_t                    i;
    ngx_gate_redis_server_t       server;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    i = state->sentinel % conf->nsentinels;

    server = conf->sentinels[i];

    if (state->sentinels_auth & ((ngx_uint_t) 1 << i)) {
        server.user = conf->server.user;
        server.password = conf->server.password;
        server.password_file = conf->server.password_file;
    }

    state->sentinel_asked = 1;
    state->session.key.len = 0;
    state->session.handler = ngx_gate_check_redis_sentinel_handler;

    command = &conf->sentinel_command;

    if (ngx_gate_redis_send(&state->session, &server, &command, 1) != NGX_OK) {
        state->sentinel_asked = 0;
        ngx_gate_probe_end(state->probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                           "no memory");
    }
}


static void
ngx_gate_check_redis_sentinel_handler(ngx_gate_redis_session_t *session)
{
    ngx_uint_t                     i;
    redisReply                    *reply;
    ngx_gate_error_t               error;
    ngx_gate_check_redis_conf_t   *conf;
    ngx_gate_check_redis_state_t  *state;

    state = session->data;
    conf = state->probe->check->conf;

    state->sentinel_asked = 0;

    if (session->nreplies == 0) {
        ngx_gate_check_redis_sentinel_error(state, &session->error);
        return;
    }

    reply = session->replies[0];

    if (reply->type == REDIS_REPLY_ERROR) {

        ngx_gate_resp_set_error(reply, &error);

        i = state->sentinel % conf->nsentinels;

        if (error.reason == NGX_GATE_AUTH
            && (conf->server.password.len || conf->server.password_file.len)
            && !(state->sentinels_auth & ((ngx_uint_t) 1 << i)))
        {
            /* few sentinels require a password */
            state->sentinels_auth |= (ngx_uint_t) 1 << i;
            ngx_gate_check_redis_send_sentinel(state);
            return;
        }

        ngx_gate_check_redis_sentinel_error(state, &error);
        return;
    }

    if (ngx_gate_check_redis_sentinel_reply(state, reply) == NGX_OK) {
        ngx_gate_check_redis_send(state);
    }
}


/* the host and the port, or null if the name is not known */

static ngx_int_t
ngx_gate_check_redis_sentinel_reply(ngx_gate_check_redis_state_t *state,
    redisReply *reply)
{
    ngx_int_t                     port;
    ngx_str_t                     host;
    ngx_gate_error_t              error;
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_gate_error_set(&error, NGX_GATE_QUERY,
                           "the sentinel does not know this master");
        ngx_gate_check_redis_sentinel_error(state, &error);
        return NGX_DECLINED;
    }

    if (reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_STRING)
    {
        host.data = (u_char *) reply->element[0]->str;
        host.len = reply->element[0]->len;

        port = ngx_atoi((u_char *) reply->element[1]->str,
                        reply->element[1]->len);

        if (port > 0 && port < 65536 && host.len
            && ngx_gate_redis_server_set_address(&state->address, &conf->server,
                            &conf->sentinels[state->sentinel
                                             % conf->nsentinels].endpoint,
                            &host, (in_port_t) port)
               == NGX_OK)
        {
            state->address_known = 1;
            state->address_fresh = 1;
            return NGX_OK;
        }
    }

    ngx_gate_error_set(&error, NGX_GATE_PROTOCOL,
                       "the sentinel sent an invalid address");
    ngx_gate_check_redis_sentinel_error(state, &error);
    return NGX_DECLINED;
}


static void
ngx_gate_check_redis_sentinel_error(ngx_gate_check_redis_state_t *state,
    ngx_gate_error_t *error)
{
    ngx_gate_check_redis_conf_t  *conf;

    conf = state->probe->check->conf;

    state->sentinel++;

    if (++state->sentinels_tried < conf->nsentinels) {
        ngx_gate_check_redis_send_sentinel(state);
        return;
    }

    ngx_gate_check_redis_verdict_error(state, error);
}
