
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The configuration of a redis check: its target, conflicts of parameters, and
 * the commands.
 */


#include <ngx_gate_check_redis.h>
#include <ngx_gate_param.h>
#include <ngx_gate_check_redis_target.h>


/* bytes of a value that is a number */
#define NGX_GATE_CHECK_REDIS_CONF_NUMBER_MAX  64


static char *ngx_gate_check_redis_conf_conflicts(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_uint_t match);
static char *ngx_gate_check_redis_conf_target(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static char *ngx_gate_check_redis_conf_login(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_conf_tls(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_conf_sentinels(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf, ngx_gate_check_redis_target_t *target);
static ngx_int_t ngx_gate_check_redis_conf_commands(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf, ngx_uint_t match);
static ngx_int_t ngx_gate_check_redis_conf_field_commands(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf);
static ngx_int_t ngx_gate_check_redis_conf_key_commands(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf, ngx_uint_t match);
static ngx_int_t ngx_gate_check_redis_conf_command(ngx_conf_t *cf,
    ngx_str_t *command, const char *name, ngx_str_t *key, ngx_str_t *field);


char *
ngx_gate_check_redis_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_uint_t                    match;
    ngx_gate_check_redis_conf_t  *conf;

    conf = check->conf;

    match = (conf->match != NULL);

    if (ngx_gate_check_redis_conf_conflicts(cf, check, match) != NGX_CONF_OK
        || ngx_gate_check_redis_conf_target(cf, check) != NGX_CONF_OK
        || ngx_gate_check_redis_conf_commands(cf, conf, match) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_redis_conf_conflicts(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_uint_t match)
{
    const char                   *param;
    ngx_gate_check_redis_conf_t  *conf;

    conf = check->conf;

    param = conf->field.len ? "field"
            : conf->value.len ? "value"
            : match ? "match"
            : conf->min ? "min"
            : conf->failed.len ? "failed" : NULL;

    if (param && conf->key.len == 0) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" needs "
                                    "\"key\"", param);
    }

    if ((conf->value.len != 0) + match + (conf->min != 0) > 1) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" conflicts "
                                    "with \"%s\"",
                                    conf->value.len ? "value" : "match",
                                    conf->min ? "min" : "match");
    }

    if (conf->failed.len
        && conf->failed.len == conf->value.len
        && ngx_memcmp(conf->failed.data, conf->value.data, conf->failed.len)
           == 0)
    {
        return ngx_gate_param_error(cf, check, "parameter \"failed\" conflicts "
                                    "with \"value\", which is the same: "
                                    "the check could never pass");
    }

    if (conf->cert_key.len && conf->tls.cert.len == 0) {
        return ngx_gate_param_error(cf, check, "parameter \"cert_key\" needs "
                                    "\"cert\"");
    }

    conf->tls.key = conf->cert_key;

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_redis_conf_target(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    char                          *err;
    ngx_gate_check_redis_conf_t   *conf;
    ngx_gate_check_redis_target_t  target;

    conf = check->conf;

    err = ngx_gate_check_redis_target_parse(cf, &check->target,
                                            conf->sentinel.len, &target);

    if (err) {
        return ngx_gate_param_error(cf, check, "the target %s", err);
    }

    if (conf->sentinel.len && target.servers[0].path.len) {
        return ngx_gate_param_error(cf, check, "parameter \"sentinel\" needs "
                                    "a target of hosts");
    }

    if (ngx_gate_check_redis_conf_login(cf, check, &target) != NGX_CONF_OK
        || ngx_gate_check_redis_conf_tls(cf, check, &target) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->server.endpoint = target.servers[0];

    if (conf->sentinel.len) {
        return ngx_gate_check_redis_conf_sentinels(cf, conf, &target);
    }

    return NGX_CONF_OK;
}


/* in the target or in parameters */

static char *
ngx_gate_check_redis_conf_login(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_redis_target_t *target)
{
    const char                   *twice;
    ngx_gate_check_redis_conf_t  *conf;

    conf = check->conf;

    twice = (conf->user.len && target->user.len) ? "user"
            : (conf->password_file.len && target->password.len)
              ? "password_file"
            : (conf->db.len && target->database != NGX_GATE_NONE) ? "db"
            : NULL;

    if (twice) {
        return ngx_gate_param_error(cf, check, "parameter \"%s\" conflicts "
                                    "with the target, which contains it",
                                    twice);
    }

    if (target->password.len) {
        ngx_gate_param_warn(cf, check, "the target contains a password, "
                            "\"password_file=\" keeps it out of the "
                            "configuration");
    }

    ngx_gate_param_warn_missing(cf, check, "password_file",
                                &conf->password_file);

    conf->server.user = conf->user.len ? conf->user : target->user;
    conf->server.password = target->password;
    conf->server.password_file = conf->password_file;

    if (conf->server.user.len
        && conf->server.password.len == 0
        && conf->server.password_file.len == 0)
    {
        /* it may be a password in the wrong place: do not repeat it */

        return ngx_gate_param_error(cf, check, "the user has no password "
                                    "(a password without a user is "
                                    "\":password@\", one in a file is "
                                    "\"password_file=\")");
    }

    if (conf->db.len) {
        target->database = ngx_gate_check_redis_target_database(&conf->db);

        if (target->database == NGX_GATE_NONE) {
            /* it may be a keyword of another library, with a password */

            return ngx_gate_param_error(cf, check, "invalid value of "
                                        "parameter \"db\", it must be the "
                                        "number of a database");
        }
    }

    if (target->database != NGX_GATE_NONE) {
        conf->server.database = target->database;
    }

    return NGX_CONF_OK;
}


/* one context for all servers; the name to verify differs */

static char *
ngx_gate_check_redis_conf_tls(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_redis_target_t *target)
{
    ngx_uint_t                    i;
    ngx_gate_tls_t               *tls;
    ngx_gate_check_redis_conf_t  *conf;

    conf = check->conf;

    if (!target->tls) {
        return ngx_gate_tls_reject(cf, check, &conf->tls, "\"rediss://\"");
    }

    conf->server.fixed_name = (conf->tls.name.len != 0);

    if (ngx_gate_tls_init(cf, check, &conf->tls, &target->servers[0].host)
        != NGX_CONF_OK)
    {
        if (conf->tls.cert.len && conf->cert_key.len == 0) {
            ngx_gate_param_error(cf, check, "the key of \"cert\" is given by "
                                 "\"cert_key=\", unless it is in the same "
                                 "file: \"key=\" is the key in Redis");
        }

        return NGX_CONF_ERROR;
    }

    tls = ngx_palloc(cf->pool, target->nservers * sizeof(ngx_gate_tls_t));

    if (tls == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < target->nservers; i++) {
        tls[i] = conf->tls;

        if (!conf->server.fixed_name) {
            tls[i].name = target->servers[i].host;
        }

        target->servers[i].tls = &tls[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_redis_conf_sentinels(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf, ngx_gate_check_redis_target_t *target)
{
    ngx_str_t   words[3];
    ngx_uint_t  i;

    conf->sentinels = ngx_pcalloc(cf->pool, target->nservers
                                            * sizeof(ngx_gate_redis_server_t));
    if (conf->sentinels == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->nsentinels = target->nservers;

    for (i = 0; i < target->nservers; i++) {
        conf->sentinels[i].endpoint = target->servers[i];
        conf->sentinels[i].fixed_name = conf->server.fixed_name;
    }

    ngx_str_set(&words[0], "SENTINEL");
    ngx_str_set(&words[1], "get-master-addr-by-name");
    words[2] = conf->sentinel;

    if (ngx_gate_resp_command(cf->pool, &conf->sentinel_command, words, 3)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_gate_check_redis_conf_commands(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf, ngx_uint_t match)
{
    ngx_uint_t  text;

    text = conf->value.len || conf->failed.len || match;

    conf->any_value = !conf->value.len && !match;

    if (conf->key.len == 0) {
        conf->test = NGX_GATE_CHECK_REDIS_PING;
        return ngx_gate_check_redis_conf_command(cf, &conf->first_command,
                                                 "PING", NULL, NULL);
    }

    if (conf->field.len) {
        conf->test = (text || conf->min) ? NGX_GATE_CHECK_REDIS_FIELD_VALUE
                                         : NGX_GATE_CHECK_REDIS_FIELD;
        conf->key_type = NGX_GATE_CHECK_REDIS_HASH;

    } else if (conf->min) {
        conf->test = NGX_GATE_CHECK_REDIS_COUNT;
        conf->key_type = NGX_GATE_CHECK_REDIS_TYPES;

    } else if (text) {
        conf->test = NGX_GATE_CHECK_REDIS_VALUE;
        conf->key_type = NGX_GATE_CHECK_REDIS_STRING;

    } else {
        conf->test = NGX_GATE_CHECK_REDIS_EXISTS;
        return ngx_gate_check_redis_conf_command(cf, &conf->first_command,
                                                 "EXISTS", &conf->key, NULL);
    }

    if (ngx_gate_check_redis_conf_command(cf, &conf->first_command, "TYPE",
                                          &conf->key, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return conf->field.len ? ngx_gate_check_redis_conf_field_commands(cf, conf)
                           : ngx_gate_check_redis_conf_key_commands(cf, conf,
                                                                    match);
}


static ngx_int_t
ngx_gate_check_redis_conf_field_commands(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf)
{
    const char  *name;

    name = (conf->test == NGX_GATE_CHECK_REDIS_FIELD) ? "HEXISTS" : "HGET";

    if (ngx_gate_check_redis_conf_command(
                          cf, &conf->commands[NGX_GATE_CHECK_REDIS_HASH], name,
                          &conf->key, &conf->field)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gate_check_redis_conf_command(cf, &conf->size_command, "HSTRLEN",
                                             &conf->key, &conf->field);
}


static ngx_int_t
ngx_gate_check_redis_conf_key_commands(ngx_conf_t *cf,
    ngx_gate_check_redis_conf_t *conf, ngx_uint_t match)
{
    u_char      number[NGX_SIZE_T_LEN];
    size_t      size;
    ngx_str_t   words[4];
    ngx_uint_t  i;

    static const char  *lengths[] = {
        NULL, "HLEN", "LLEN", "SCARD", "ZCARD", "XLEN"
    };

    /* one byte more than is expected or shown */

    size = ngx_max(conf->value.len, conf->failed.len);
    size = ngx_max(size, NGX_GATE_CHECK_REDIS_SHOW_MAX) + 1;

    if (conf->min) {
        size = ngx_max(size, NGX_GATE_CHECK_REDIS_CONF_NUMBER_MAX);
    }

    if (match) {
        size = NGX_GATE_MATCH_MAX;
    }

    ngx_str_set(&words[0], "GETRANGE");
    words[1] = conf->key;
    ngx_str_set(&words[2], "0");
    words[3].data = number;
    words[3].len = ngx_sprintf(number, "%uz", size - 1) - number;

    if (ngx_gate_resp_command(cf->pool,
                              &conf->commands[NGX_GATE_CHECK_REDIS_STRING],
                              words, 4)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = NGX_GATE_CHECK_REDIS_HASH; i < NGX_GATE_CHECK_REDIS_TYPES; i++) {

        if (ngx_gate_check_redis_conf_command(cf, &conf->commands[i],
                                              lengths[i], &conf->key, NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_redis_conf_command(ngx_conf_t *cf, ngx_str_t *command,
    const char *name, ngx_str_t *key, ngx_str_t *field)
{
    ngx_str_t   words[3];
    ngx_uint_t  n;

    words[0].data = (u_char *) name;
    words[0].len = ngx_strlen(name);

    n = 1;

    if (key) {
        words[n++] = *key;
    }

    if (field) {
        words[n++] = *field;
    }

    return ngx_gate_resp_command(cf->pool, command, words, n);
}
