
/*
 * The redis check: what is asked of which server, and how the server is found
 * that has the key.  What the replies mean stands in ngx_gate_redis_verdict.c.
 *
 * The server is the configured one; or the one that it says has the key
 * (MOVED and ASK, of a cluster); or the one that a sentinel names.  An address
 * that was learned is used until it no longer serves, and then, once within a
 * run, looked for again.
 */


#include <ngx_gate_check_redis.h>
#include <ngx_gate_param.h>


/* questions in one run, however often the key changes its type or its node */
#define NGX_GATE_REDIS_ROUNDS_MAX  8


static void ngx_gate_check_redis_start(ngx_gate_probe_t *probe);
static void ngx_gate_check_redis_cancel(ngx_gate_probe_t *probe);
static void ngx_gate_check_redis_ask(ngx_gate_redis_run_t *run);
static ngx_uint_t ngx_gate_check_redis_question(ngx_gate_redis_run_t *run,
    ngx_str_t **commands);
static void ngx_gate_check_redis_answer(ngx_gate_redis_session_t *session);
static void ngx_gate_check_redis_replies(ngx_gate_redis_run_t *run,
    redisReply **replies, ngx_uint_t n);
static void ngx_gate_check_redis_failed(ngx_gate_redis_run_t *run,
    ngx_gate_reason_e reason, u_char *error, size_t len);
static ngx_int_t ngx_gate_check_redis_redirect(ngx_gate_redis_run_t *run,
    redisReply *reply);
static ngx_int_t ngx_gate_check_redis_role(ngx_gate_redis_run_t *run,
    redisReply *reply);

static void ngx_gate_check_redis_locate(ngx_gate_redis_run_t *run);
static void ngx_gate_check_redis_located(ngx_gate_redis_session_t *session);
static ngx_int_t ngx_gate_check_redis_address(ngx_gate_redis_run_t *run,
    redisReply *reply);
static void ngx_gate_check_redis_not_located(ngx_gate_redis_run_t *run,
    ngx_gate_reason_e reason, u_char *error, size_t len);


#define ngx_gate_redis_param_str(name, field, values)                         \
    { ngx_string(name), 0, ngx_gate_param_set_str,                            \
      offsetof(ngx_gate_redis_conf_t, field), values }


/* "key" being taken, the one of the certificate is "cert_key" */

static ngx_gate_param_t  ngx_gate_check_redis_params[] = {

    ngx_gate_redis_param_str("key", key, "the name of a key"),
    ngx_gate_redis_param_str("field", field, "the name of a field"),
    ngx_gate_redis_param_str("value", value, "a text"),

    { ngx_string("match"),
      0,
      ngx_gate_param_set_regex,
#if (NGX_PCRE)
      offsetof(ngx_gate_redis_conf_t, match),
#else
      0,
#endif
      "a regular expression" },

    { ngx_string("min"),
      0,
      ngx_gate_param_set_count,
      offsetof(ngx_gate_redis_conf_t, min),
      "a number, 1 or more" },

    ngx_gate_redis_param_str("failed", failed, "a text"),
    ngx_gate_redis_param_str("sentinel", sentinel, "the name of a master"),
    ngx_gate_redis_param_str("user", user, "a name"),
    ngx_gate_redis_param_str("db", db, "the number of a database"),

    { ngx_string("password_file"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_redis_conf_t, password_file),
      "a file" },

    { ngx_string("verify"),
      0,
      ngx_gate_tls_set_verify,
      offsetof(ngx_gate_redis_conf_t, tls.verify),
      "on, off" },

    ngx_gate_redis_param_str("ca", tls.ca, "a file"),
    ngx_gate_redis_param_str("cert", tls.cert, "a file"),
    ngx_gate_redis_param_str("cert_key", cert_key, "a file"),
    ngx_gate_redis_param_str("sni", tls.name, "a name"),

    ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_redis = {
    ngx_string("redis"),
    ngx_gate_check_redis_params,
    sizeof(ngx_gate_redis_conf_t),
    ngx_gate_redis_conf_init,
    ngx_gate_check_redis_start,
    ngx_gate_check_redis_cancel
};


static void
ngx_gate_check_redis_start(ngx_gate_probe_t *probe)
{
    ngx_gate_redis_run_t  *run;

    run = probe->state;

    if (run == NULL) {
        run = ngx_pcalloc(probe->pool, sizeof(ngx_gate_redis_run_t));

        if (run == NULL) {
            ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                               "no memory");
            return;
        }

        run->probe = probe;
        run->session.data = run;
        run->kind = ((ngx_gate_redis_conf_t *) probe->check->conf)->kind;

        probe->state = run;
    }

    run->session.resolver = probe->resolver;
    run->session.log = probe->log;

    run->learned = 0;
    run->tried = 0;
    run->rounds = 0;
    run->moved = 0;

    if (run->asking) {
        /* that address was good for one question */
        run->known = 0;
        run->asking = 0;
    }

    ngx_gate_check_redis_ask(run);
}


static void
ngx_gate_check_redis_cancel(ngx_gate_probe_t *probe)
{
    ngx_gate_redis_run_t  *run;

    run = probe->state;

    if (run == NULL) {
        return;
    }

    if (run->locating) {
        /* this sentinel does not answer, the next time begin with another */
        run->locating = 0;
        run->sentinel++;
    }

    run->known = 0;
    run->asking = 0;

    ngx_gate_redis_leave(&run->session);
}


static void
ngx_gate_check_redis_ask(ngx_gate_redis_run_t *run)
{
    ngx_str_t                *commands[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_uint_t                n;
    ngx_gate_redis_conf_t    *conf;
    ngx_gate_redis_server_t  *server;

    conf = run->probe->check->conf;

    if (conf->nsentinels && !run->known) {
        ngx_gate_check_redis_locate(run);
        return;
    }

    if (run->rounds++ == NGX_GATE_REDIS_ROUNDS_MAX) {
        ngx_gate_probe_end(run->probe, NGX_GATE_ERROR, NGX_GATE_QUERY,
                           "the key changes while it is looked at");
        return;
    }

    server = run->known ? &run->found.server : &conf->server;

    n = ngx_gate_check_redis_question(run, commands);

    run->session.handler = ngx_gate_check_redis_answer;

    if (ngx_gate_redis_ask(&run->session, server, commands, n) != NGX_OK) {
        ngx_gate_probe_end(run->probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                           "no memory");
    }
}


static ngx_uint_t
ngx_gate_check_redis_question(ngx_gate_redis_run_t *run, ngx_str_t **commands)
{
    ngx_uint_t              n;
    ngx_gate_redis_conf_t  *conf;

    static ngx_str_t  role = ngx_string("*1\r\n$4\r\nROLE\r\n");
    static ngx_str_t  asking = ngx_string("*1\r\n$6\r\nASKING\r\n");

    conf = run->probe->check->conf;

    n = 0;

    if (conf->nsentinels) {
        commands[n++] = &role;
    }

    if (run->asking) {
        commands[n++] = &asking;
    }

    commands[n++] = &conf->ask_first;

    if (conf->question < NGX_GATE_REDIS_VALUE
        || run->kind == NGX_GATE_REDIS_KINDS)
    {
        return n;
    }

    if (run->asking) {
        commands[n++] = &asking;
    }

    if (conf->question == NGX_GATE_REDIS_FIELD_VALUE && !run->sized) {
        commands[n++] = &conf->ask_size;

    } else {
        commands[n++] = &conf->ask[run->kind];
    }

    return n;
}


static void
ngx_gate_check_redis_answer(ngx_gate_redis_session_t *session)
{
    ngx_uint_t              i, n;
    redisReply             *replies[NGX_GATE_REDIS_COMMANDS_MAX];
    ngx_gate_redis_run_t   *run;

    run = session->data;

    if (session->nreplies == 0) {
        ngx_gate_check_redis_failed(run, session->reason, session->error,
                                    session->error_len);
        return;
    }

    n = 0;

    for (i = 0; i < session->nreplies; i++) {

        if (run->asking && (i & 1) == 0) {
            /* the reply to ASKING */
            continue;
        }

        replies[n++] = session->replies[i];
    }

    ngx_gate_check_redis_replies(run, replies, n);
}


static void
ngx_gate_check_redis_replies(ngx_gate_redis_run_t *run, redisReply **replies,
    ngx_uint_t n)
{
    ngx_str_t               known;
    ngx_uint_t              i;
    ngx_gate_redis_conf_t  *conf;

    conf = run->probe->check->conf;

    for (i = 0; i < n; i++) {

        if (replies[i]->type != REDIS_REPLY_ERROR
            || ngx_gate_resp_reason(replies[i], &known)
               == NGX_GATE_WRONG_TYPE)
        {
            /* that is for the type to tell */
            continue;
        }

        if (!conf->nsentinels
            && ngx_gate_check_redis_redirect(run, replies[i]) == NGX_OK)
        {
            return;
        }

        ngx_gate_redis_end_error(run, replies[i]);
        return;
    }

    if (conf->nsentinels) {

        if (ngx_gate_check_redis_role(run, replies[0]) != NGX_OK) {
            return;
        }

        replies++;
        n--;
    }

    if (ngx_gate_redis_judge(run, replies, n) == NGX_AGAIN) {
        ngx_gate_check_redis_ask(run);
    }
}


static void
ngx_gate_check_redis_failed(ngx_gate_redis_run_t *run,
    ngx_gate_reason_e reason, u_char *error, size_t len)
{
    if (run->sized && reason == NGX_GATE_PROTOCOL) {
        /* a field that was small when last seen is too long to be read now */
        run->sized = 0;
        ngx_gate_check_redis_ask(run);
        return;
    }

    if (run->known && !run->learned) {
        run->known = 0;
        ngx_gate_check_redis_ask(run);
        return;
    }

    run->known = 0;

    ngx_gate_redis_end(run, reason, error, len);
}


/* NGX_OK: it is one, and followed or, the second time, refused */

static ngx_int_t
ngx_gate_check_redis_redirect(ngx_gate_redis_run_t *run, redisReply *reply)
{
    ngx_int_t                 rc;
    ngx_str_t                 host;
    in_port_t                 port;
    ngx_uint_t                asking;
    ngx_gate_endpoint_t      *teller;
    ngx_gate_redis_conf_t    *conf;

    conf = run->probe->check->conf;

    asking = 0;
    rc = ngx_gate_resp_redirect(reply, "MOVED", &host, &port);

    if (rc == NGX_DECLINED) {
        asking = 1;
        rc = ngx_gate_resp_redirect(reply, "ASK", &host, &port);
    }

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    teller = run->known ? &run->found.server.endpoint : &conf->server.endpoint;

    if (rc == NGX_OK) {
        rc = ngx_gate_redis_server_found(&run->found, &conf->server, teller,
                                         &host, port);
    }

    /* a node that does not own the slot may know one that is just handed on */

    if (rc == NGX_ERROR || run->asking || (run->moved && !asking)) {
        run->known = 0;
        ngx_gate_redis_end_error(run, reply);
        return NGX_OK;
    }

    run->known = 1;
    run->learned = 1;
    run->moved = 1;
    run->asking = asking;

    ngx_gate_check_redis_ask(run);

    return NGX_OK;
}


/* "master", and what else it tells */

static ngx_int_t
ngx_gate_check_redis_role(ngx_gate_redis_run_t *run, redisReply *reply)
{
    redisReply  *role;

    static u_char  error[] = "the server is no master";

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements) {
        role = reply->element[0];

        if (role->type == REDIS_REPLY_STRING
            && role->len == 6
            && ngx_strncmp(role->str, "master", 6) == 0)
        {
            return NGX_OK;
        }
    }

    if (run->learned) {
        run->sentinel++;
    }

    ngx_gate_check_redis_failed(run, NGX_GATE_OTHER_ROLE, error,
                                sizeof(error) - 1);

    return NGX_DECLINED;
}


static void
ngx_gate_check_redis_locate(ngx_gate_redis_run_t *run)
{
    ngx_str_t                *command;
    ngx_uint_t                i;
    ngx_gate_redis_conf_t    *conf;
    ngx_gate_redis_server_t   server;

    conf = run->probe->check->conf;

    i = run->sentinel % conf->nsentinels;

    server = conf->sentinels[i];

    if (run->locked & ((ngx_uint_t) 1 << i)) {
        server.user = conf->server.user;
        server.password = conf->server.password;
        server.password_file = conf->server.password_file;
    }

    run->locating = 1;
    run->session.handler = ngx_gate_check_redis_located;

    command = &conf->ask_sentinel;

    if (ngx_gate_redis_ask(&run->session, &server, &command, 1) != NGX_OK) {
        run->locating = 0;
        ngx_gate_probe_end(run->probe, NGX_GATE_ERROR, NGX_GATE_NO_MEMORY,
                           "no memory");
    }
}


static void
ngx_gate_check_redis_located(ngx_gate_redis_session_t *session)
{
    ngx_str_t               known;
    ngx_uint_t              i;
    redisReply             *reply;
    ngx_gate_reason_e       reason;
    ngx_gate_redis_run_t   *run;
    ngx_gate_redis_conf_t  *conf;

    run = session->data;
    conf = run->probe->check->conf;

    run->locating = 0;

    if (session->nreplies == 0) {
        ngx_gate_check_redis_not_located(run, session->reason, session->error,
                                         session->error_len);
        return;
    }

    reply = session->replies[0];

    if (reply->type == REDIS_REPLY_ERROR) {

        reason = ngx_gate_resp_reason(reply, &known);

        i = run->sentinel % conf->nsentinels;

        if (reason == NGX_GATE_AUTH
            && (conf->server.password.len || conf->server.password_file.len)
            && !(run->locked & ((ngx_uint_t) 1 << i)))
        {
            /* few sentinels want one, and then it is the same */
            run->locked |= (ngx_uint_t) 1 << i;
            ngx_gate_check_redis_locate(run);
            return;
        }

        ngx_gate_check_redis_not_located(run, reason, (u_char *) reply->str,
                                         reply->len);
        return;
    }

    if (ngx_gate_check_redis_address(run, reply) == NGX_OK) {
        ngx_gate_check_redis_ask(run);
    }
}


/* the host and the port, or nothing where the name is not known */

static ngx_int_t
ngx_gate_check_redis_address(ngx_gate_redis_run_t *run, redisReply *reply)
{
    ngx_int_t               port;
    ngx_str_t               host;
    ngx_gate_redis_conf_t  *conf;

    static u_char  unknown[] = "the sentinel knows no master of this name";
    static u_char  malformed[] = "the sentinel tells no address";

    conf = run->probe->check->conf;

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_gate_check_redis_not_located(run, NGX_GATE_QUERY, unknown,
                                         sizeof(unknown) - 1);
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
            && ngx_gate_redis_server_found(&run->found, &conf->server,
                            &conf->sentinels[run->sentinel
                                             % conf->nsentinels].endpoint,
                            &host, (in_port_t) port)
               == NGX_OK)
        {
            run->known = 1;
            run->learned = 1;
            return NGX_OK;
        }
    }

    ngx_gate_check_redis_not_located(run, NGX_GATE_PROTOCOL, malformed,
                                     sizeof(malformed) - 1);
    return NGX_DECLINED;
}


static void
ngx_gate_check_redis_not_located(ngx_gate_redis_run_t *run,
    ngx_gate_reason_e reason, u_char *error, size_t len)
{
    ngx_gate_redis_conf_t  *conf;

    conf = run->probe->check->conf;

    run->sentinel++;

    if (++run->tried < conf->nsentinels) {
        ngx_gate_check_redis_locate(run);
        return;
    }

    ngx_gate_redis_end(run, reason, error, len);
}
