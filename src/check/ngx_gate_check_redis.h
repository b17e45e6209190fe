
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The redis check: ngx_gate_check_redis_conf.c reads its configuration,
 * ngx_gate_check_redis.c sends the commands of a run, and
 * ngx_gate_check_redis_verdict.c evaluates the replies.
 */


#ifndef _NGX_GATE_CHECK_REDIS_H_INCLUDED_
#define _NGX_GATE_CHECK_REDIS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_tls.h>
#include <ngx_gate_redis.h>


/* bytes of a key or a value in messages */

#define NGX_GATE_CHECK_REDIS_SHOW_MAX  48


/* the types of keys, as TYPE names them */

typedef enum {
    NGX_GATE_CHECK_REDIS_STRING = 0,
    NGX_GATE_CHECK_REDIS_HASH,
    NGX_GATE_CHECK_REDIS_LIST,
    NGX_GATE_CHECK_REDIS_SET,
    NGX_GATE_CHECK_REDIS_ZSET,
    NGX_GATE_CHECK_REDIS_STREAM,
    NGX_GATE_CHECK_REDIS_TYPES
} ngx_gate_check_redis_type_e;


/* what is tested, and by which commands */

typedef enum {
    NGX_GATE_CHECK_REDIS_PING = 0,
    NGX_GATE_CHECK_REDIS_EXISTS,       /* EXISTS key */
    NGX_GATE_CHECK_REDIS_VALUE,        /* TYPE key, GETRANGE key ... */
    NGX_GATE_CHECK_REDIS_COUNT,        /* TYPE key, LLEN key ... */
    NGX_GATE_CHECK_REDIS_FIELD,        /* TYPE key, HEXISTS key field */
    NGX_GATE_CHECK_REDIS_FIELD_VALUE   /* TYPE key, HSTRLEN or HGET key field */
} ngx_gate_check_redis_test_e;


typedef struct {
    /* parameters */
    ngx_str_t                    key;
    ngx_str_t                    field;
    ngx_str_t                    value;
    ngx_str_t                    failed;
    ngx_str_t                    sentinel;
    ngx_str_t                    user;
    ngx_str_t                    password_file;
    ngx_str_t                    db;
    int64_t                      min;
    void                        *match;     /* ngx_regex_t */
    ngx_gate_tls_t               tls;
    ngx_str_t                    cert_key;

    /* prepared */
    ngx_gate_check_redis_test_e  test;
    ngx_uint_t                   any_value;    /* except that of failed= */
    ngx_gate_redis_server_t      server;       /* with sentinels: without an
                                                  address */
    ngx_gate_redis_server_t     *sentinels;
    ngx_uint_t                   nsentinels;

    ngx_gate_check_redis_type_e  key_type;     /* _TYPES: any */
    ngx_str_t                    first_command;
    ngx_str_t                    commands[NGX_GATE_CHECK_REDIS_TYPES];
    ngx_str_t                    size_command; /* of a field */
    ngx_str_t                    sentinel_command;
} ngx_gate_check_redis_conf_t;


typedef struct {
    ngx_gate_probe_t         *probe;
    ngx_gate_redis_session_t  session;

    /* kept from run to run */
    ngx_gate_redis_server_address_t  address; /* of the server, if it */
    ngx_uint_t                address_known; /* had to be found */
    ngx_gate_check_redis_type_e  key_type;  /* of the key in the last run */
    ngx_uint_t                size_known;   /* the field is known to be small */
    ngx_uint_t                tracked;      /* in an earlier run, at least */
    ngx_uint_t                refused;      /* to report changes, once */
    ngx_uint_t                sentinel;     /* the next one */
    ngx_uint_t                sentinels_auth; /* bits: sentinels that require
                                               the password */
    /* this run */
    ngx_uint_t                address_fresh; /* found in this run */
    ngx_uint_t                sentinels_tried; /* sentinels */
    ngx_uint_t                requests;
    ngx_uint_t                redirects;
    ngx_uint_t                asking;
    ngx_uint_t                sentinel_asked;
} ngx_gate_check_redis_state_t;


char *ngx_gate_check_redis_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check);

/* the type of this name, or NGX_GATE_CHECK_REDIS_TYPES */

ngx_gate_check_redis_type_e ngx_gate_check_redis_verdict_type(const char *name,
    size_t len);

/* ends the run; NGX_AGAIN: the next commands depend on the new state */

ngx_int_t ngx_gate_check_redis_verdict(ngx_gate_check_redis_state_t *state,
    redisReply **replies, ngx_uint_t n);

/* the run ends with an error reply, or for a reason */

void ngx_gate_check_redis_verdict_error_reply(
    ngx_gate_check_redis_state_t *state, redisReply *reply);
ngx_uint_t ngx_gate_check_redis_is_lost(ngx_gate_check_redis_state_t *state);

void ngx_gate_check_redis_verdict_error(ngx_gate_check_redis_state_t *state,
    ngx_gate_error_t *error);


#endif /* _NGX_GATE_CHECK_REDIS_H_INCLUDED_ */
