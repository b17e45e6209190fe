
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Opens a session: tries one host and one of its addresses at a time, until a
 * server accepts the login and has the required role.
 */


#include <ngx_gate_addresses.h>
#include <ngx_gate_pq_connection.h>
#include <ngx_gate_secret.h>


/* host, hostaddr, port, password, and a zero */

#define NGX_GATE_PQ_LOGIN_EXTRA  5

/* authentication requests: GSSAPI, SSPI, and SCRAM with its parameters */

#define NGX_GATE_PQ_LOGIN_GSS    7
#define NGX_GATE_PQ_LOGIN_SSPI   9
#define NGX_GATE_PQ_LOGIN_SCRAM  11

/* PostgreSQL's own default, 4096, takes 4 to 9 ms */

#define NGX_GATE_PQ_LOGIN_ITERATIONS  100000


static ngx_uint_t ngx_gate_pq_login_attempts(ngx_gate_pq_t *pq);
static void ngx_gate_pq_login_set_timer(ngx_gate_pq_t *pq);
static void ngx_gate_pq_login_resolve(ngx_gate_pq_t *pq,
    ngx_gate_pq_host_t *host);
static void ngx_gate_pq_login_resolve_handler(ngx_gate_resolver_ctx_t *resolve);
static void ngx_gate_pq_login_connect(ngx_gate_pq_t *pq,
    ngx_gate_pq_host_t *host);
static PGconn *ngx_gate_pq_login_start(ngx_gate_pq_t *pq,
    ngx_gate_pq_host_t *host, const char *password);
static ngx_int_t ngx_gate_pq_login_check_passfile(ngx_gate_pq_t *pq);
static void ngx_gate_pq_login_notice(void *data, const PGresult *result);
static ngx_uint_t ngx_gate_pq_login_is_long(ngx_gate_pq_t *pq,
    ngx_uint_t request);
static char *ngx_gate_pq_login_check_request(ngx_gate_pq_t *pq,
    ngx_uint_t *request);
static ngx_uint_t ngx_gate_pq_login_error_has_password(PGconn *conn);
static void ngx_gate_pq_login_failed(ngx_gate_pq_t *pq);
static ngx_uint_t ngx_gate_pq_login_requires_tls(ngx_gate_pq_t *pq);
static void ngx_gate_pq_login_again(ngx_gate_pq_t *pq, ngx_uint_t address,
    ngx_uint_t naddrs);
static ngx_gate_reason_e ngx_gate_pq_login_failed_reason(ngx_gate_pq_t *pq,
    ngx_uint_t *responded);
static void ngx_gate_pq_login_query_role(ngx_gate_pq_t *pq);


void
ngx_gate_pq_login_attempt(ngx_gate_pq_t *pq)
{
    ngx_gate_pq_host_t  *host;

    if (pq->attempt == ngx_gate_pq_login_attempts(pq)) {
        ngx_gate_pq_fail(pq);
        return;
    }

    host = &pq->conf->hosts[pq->attempt % pq->conf->nhosts];

    if (host->local || host->addr) {
        pq->naddrs = 1;
    }

    if (pq->naddrs) {
        ngx_gate_pq_login_connect(pq, host);

    } else {
        ngx_gate_pq_login_resolve(pq, host);
    }
}


static ngx_uint_t
ngx_gate_pq_login_attempts(ngx_gate_pq_t *pq)
{
    /* prefer-standby: all hosts are first tried as a standby */

    return pq->conf->role == NGX_GATE_PQ_PREFER_STANDBY
               ? 2 * pq->conf->nhosts : pq->conf->nhosts;
}


/*
 * The remaining time of the first query is divided among the remaining
 * attempts; the last attempt ends with the query's timeout.
 */

static void
ngx_gate_pq_login_set_timer(ngx_gate_pq_t *pq)
{
    ngx_uint_t  n;

    if (pq->timer.timer_set) {
        ngx_del_timer(&pq->timer);
    }

    n = ngx_gate_pq_login_attempts(pq) - pq->attempt;

    if (pq->naddrs) {
        n += pq->naddrs - pq->address - 1;
    }

    if (n > 1) {
        ngx_add_timer(&pq->timer,
                      ngx_gate_addresses_share(
                                             ngx_gate_pq_current(pq)->deadline,
                                             n));
    }
}


/* records whether an address responded in time, if the name has others */

void
ngx_gate_pq_judge_address(ngx_gate_pq_t *pq, ngx_uint_t responded)
{
    socklen_t         socklen;
    struct sockaddr  *sockaddr;

    if (pq->naddrs < 2) {
        return;
    }

    sockaddr = &pq->resolve.addrs[pq->address].sockaddr;
    socklen = pq->resolve.socklens[pq->address];

    if (responded) {
        ngx_gate_addresses_answered(sockaddr, socklen);

    } else {
        ngx_gate_addresses_silent(sockaddr, socklen);
    }
}


static void
ngx_gate_pq_login_resolve(ngx_gate_pq_t *pq, ngx_gate_pq_host_t *host)
{
    ngx_gate_resolver_ctx_t  *resolve;

    pq->state = NGX_GATE_PQ_CONNECTION_RESOLVING;
    ngx_gate_pq_set_action(pq, "resolving the name of a PostgreSQL server");

    ngx_gate_pq_login_set_timer(pq);

    resolve = &pq->resolve;

    resolve->name.data = (u_char *) host->host;
    resolve->name.len = ngx_strlen(host->host);
    resolve->port = host->number;
    resolve->resolver = pq->resolver;
    resolve->log = ngx_cycle->log;
    resolve->data = pq;
    resolve->handler = ngx_gate_pq_login_resolve_handler;

    if (ngx_gate_resolver_start(resolve) != NGX_AGAIN) {
        ngx_gate_pq_login_resolve_handler(resolve);
    }
}


static void
ngx_gate_pq_login_resolve_handler(ngx_gate_resolver_ctx_t *resolve)
{
    ngx_gate_pq_t  *pq;

    pq = resolve->data;

    if (resolve->naddrs == 0) {
        ngx_gate_pq_login_error(pq, &resolve->error, 0);
        ngx_gate_pq_login_next(pq, 1);
        return;
    }

    pq->naddrs = resolve->naddrs;
    pq->address = 0;

    ngx_gate_pq_login_connect(pq,
                              &pq->conf->hosts[pq->attempt % pq->conf->nhosts]);
}


static void
ngx_gate_pq_login_connect(ngx_gate_pq_t *pq, ngx_gate_pq_host_t *host)
{
    u_char       text[NGX_GATE_SECRET_MAX + 1];
    ngx_int_t    rc;
    ngx_str_t    secret;
    const char  *password;

    ngx_gate_pq_set_action(pq, "connecting to PostgreSQL");

    password = pq->conf->password;
    rc = NGX_OK;

    if (pq->conf->password_file.len) {
        secret.data = text;

        rc = ngx_gate_secret_read(&pq->conf->password_file, &secret,
                                  &pq->error);

        text[secret.len] = '\0';
        password = (char *) text;

    } else if (pq->conf->passfile.len) {
        rc = ngx_gate_pq_login_check_passfile(pq);
    }

    if (rc != NGX_OK) {
        ngx_gate_pq_fail(pq);
        return;
    }

    pq->conn = ngx_gate_pq_login_start(pq, host, password);

    if (pq->conf->password_file.len) {
        ngx_explicit_memzero(text, secret.len);
    }

    if (pq->conn == NULL) {
        ngx_gate_error_set(&pq->error, NGX_GATE_NO_MEMORY, "no memory");
        ngx_gate_pq_fail(pq);
        return;
    }

    pq->state = NGX_GATE_PQ_CONNECTION_LOGIN;
    pq->received = 0;

    if (libpq.PQstatus(pq->conn) == CONNECTION_BAD) {
        ngx_gate_pq_login_failed(pq);
        return;
    }

    /* by default libpq writes notices to stderr */

    libpq.PQsetNoticeReceiver(pq->conn, ngx_gate_pq_login_notice, NULL);

    /* the only source of the SQLSTATE of a failed login */

    libpq.PQsetErrorVerbosity(pq->conn, PQERRORS_VERBOSE);

    if (libpq.PQsetnonblocking(pq->conn, 1) != 0) {
        ngx_gate_pq_login_failed(pq);
        return;
    }

    ngx_gate_pq_login_set_timer(pq);

    if (ngx_gate_pq_watch(pq, NGX_GATE_WATCH_WRITE) != NGX_OK) {
        ngx_gate_pq_fail(pq);
    }
}


static PGconn *
ngx_gate_pq_login_start(ngx_gate_pq_t *pq, ngx_gate_pq_host_t *host,
    const char *password)
{
    size_t       len;
    u_char       addr[NGX_SOCKADDR_STRLEN + 1];
    ngx_uint_t   n;
    const char  *keywords[NGX_GATE_PQ_OPTIONS + NGX_GATE_PQ_LOGIN_EXTRA];
    const char  *values[NGX_GATE_PQ_OPTIONS + NGX_GATE_PQ_LOGIN_EXTRA];

    n = pq->conf->noptions;

    ngx_memcpy(keywords, pq->conf->keywords, n * sizeof(char *));
    ngx_memcpy(values, pq->conf->values, n * sizeof(char *));

    if (pq->tls != NGX_GATE_PQ_CONNECTION_TLS_OFF) {
        values[pq->conf->sslmode] = "require";
    }

    if (host->name) {
        keywords[n] = "host";
        values[n++] = host->name;
    }

    if (host->addr) {
        keywords[n] = "hostaddr";
        values[n++] = host->addr;

    } else if (!host->local) {
        len = ngx_sock_ntop(&pq->resolve.addrs[pq->address].sockaddr,
                            pq->resolve.socklens[pq->address], addr,
                            NGX_SOCKADDR_STRLEN, 0);
        addr[len] = '\0';

        keywords[n] = "hostaddr";
        values[n++] = (char *) addr;
    }

    keywords[n] = "port";
    values[n++] = host->port;

    if (password) {
        keywords[n] = "password";
        values[n++] = password;
    }

    keywords[n] = NULL;
    values[n] = NULL;

    return libpq.PQconnectStartParams(keywords, values, 0);
}


/*
 * libpq ignores such a file, at best with a message on stderr, and the server
 * then reports a missing password.
 */

static ngx_int_t
ngx_gate_pq_login_check_passfile(ngx_gate_pq_t *pq)
{
    ngx_fd_t          fd;
    ngx_err_t         err;
    ngx_int_t         rc;
    ngx_str_t        *path;
    ngx_file_info_t   fi;

    path = &pq->conf->passfile;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;
        ngx_gate_error_set(&pq->error, NGX_GATE_NO_SECRET,
                           "cannot open \"%V\" (%d: %s)", path, err,
                           strerror(err));
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_gate_error_set(&pq->error, NGX_GATE_NO_SECRET,
                           "\"%V\" is not a file", path);
        rc = NGX_ERROR;

    } else if (fi.st_mode & 077) {
        ngx_gate_error_set(&pq->error, NGX_GATE_NO_SECRET,
                           "\"%V\" must not be readable by group or others",
                           path);
        rc = NGX_ERROR;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", path);
    }

    return rc;
}


static void
ngx_gate_pq_login_notice(void *data, const PGresult *result)
{
}


void
ngx_gate_pq_login_poll(ngx_gate_pq_t *pq)
{
    char              *text;
    ngx_uint_t         request;
    ngx_gate_error_t   error;

    text = ngx_gate_pq_login_check_request(pq, &request);

    if (text) {
        ngx_gate_error_set(&error, NGX_GATE_AUTH, "%s", text);
        ngx_gate_pq_login_error(pq, &error, 1);
        ngx_gate_pq_fail(pq);
        return;
    }

    if (ngx_gate_pq_login_is_long(pq, request)
        && ngx_gate_pq_step_start(pq) == NGX_OK)
    {
        return;
    }

    ngx_gate_pq_login_polled(pq, libpq.PQconnectPoll(pq->conn));
}


static ngx_uint_t
ngx_gate_pq_login_is_long(ngx_gate_pq_t *pq, ngx_uint_t request)
{
    /* with TLS, the request is not known, and may be SCRAM's */

    return request == NGX_GATE_PQ_LOGIN_SCRAM
           || libpq.PQstatus(pq->conn) == CONNECTION_SSL_STARTUP
           || libpq.PQsslInUse(pq->conn);
}


void
ngx_gate_pq_login_polled(ngx_gate_pq_t *pq, PostgresPollingStatusType rc)
{
    ngx_uint_t  what;

    switch (rc) {

    case PGRES_POLLING_OK:

        if (pq->tls == NGX_GATE_PQ_CONNECTION_TLS_TRIED) {
            pq->tls = NGX_GATE_PQ_CONNECTION_TLS_REQUIRED;
        }

        pq->expires = ngx_current_msec + NGX_GATE_PQ_KEEPALIVE;
        ngx_gate_pq_judge_address(pq, 1);

        /* pipeline mode: several statements in one round trip */

        if (!libpq.PQenterPipelineMode(pq->conn)) {
            ngx_gate_pq_login_failed(pq);
            return;
        }

        if (ngx_gate_pq_login_required_role(pq) == NGX_GATE_PQ_ANY) {
            ngx_gate_pq_query_send(pq);

        } else {
            ngx_gate_pq_login_query_role(pq);
        }

        return;

    case PGRES_POLLING_READING:
        what = NGX_GATE_WATCH_READ;
        break;

    case PGRES_POLLING_WRITING:
        what = NGX_GATE_WATCH_WRITE;
        break;

    default:
        ngx_gate_pq_login_failed(pq);
        return;
    }

    switch (libpq.PQstatus(pq->conn)) {

    case CONNECTION_SSL_STARTUP:
        ngx_gate_pq_set_action(pq,
                               "performing the TLS handshake with PostgreSQL");
        break;

    case CONNECTION_AWAITING_RESPONSE:
        ngx_gate_pq_set_action(pq, "logging in to PostgreSQL");
        break;

    default:
        break;
    }

    if (ngx_gate_pq_watch(pq, what) != NGX_OK) {
        ngx_gate_pq_fail(pq);
    }
}


/*
 * Two requests of a server would block the event loop, or keep a processor
 * busy: with Kerberos, names and tickets are looked up; with SCRAM, the server
 * sets the number of iterations.  Unread data are examined first, except with
 * TLS (libpq 16 and later are configured not to use Kerberos).
 */

static char *
ngx_gate_pq_login_check_request(ngx_gate_pq_t *pq, ngx_uint_t *request)
{
    char        *p;
    u_char       text[512];
    ssize_t      n;
    ngx_uint_t   code;

    *request = 0;

    if (libpq.PQstatus(pq->conn) != CONNECTION_AWAITING_RESPONSE
        || libpq.PQsslInUse(pq->conn))
    {
        return NULL;
    }

    n = recv(libpq.PQsocket(pq->conn), text, sizeof(text) - 1, MSG_PEEK);

    if (n < 9 || text[0] != 'R') {
        return NULL;
    }

    text[n] = '\0';
    code = text[8];
    *request = code;

    if (code == NGX_GATE_PQ_LOGIN_GSS || code == NGX_GATE_PQ_LOGIN_SSPI) {
        return "Kerberos authentication is not supported";
    }

    if (code != NGX_GATE_PQ_LOGIN_SCRAM) {
        return NULL;
    }

    p = strstr((char *) &text[9], ",i=");

    if (p && strtod(p + 3, NULL) > NGX_GATE_PQ_LOGIN_ITERATIONS) {
        return "the server requires too many iterations of SCRAM";
    }

    return NULL;
}


/* a password equal to the user's name is not hidden */

static ngx_uint_t
ngx_gate_pq_login_error_has_password(PGconn *conn)
{
    const char  *password;

    password = libpq.PQpass(conn);

    return password && *password
           && ngx_strcmp(password, libpq.PQuser(conn)) != 0
           && strstr(libpq.PQerrorMessage(conn), password) != NULL;
}


static void
ngx_gate_pq_login_failed(ngx_gate_pq_t *pq)
{
    ngx_uint_t         responded;
    ngx_gate_reason_e  reason;

    reason = ngx_gate_pq_login_failed_reason(pq, &responded);

    if (pq->tls != NGX_GATE_PQ_CONNECTION_TLS_OFF) {
        pq->tls = NGX_GATE_PQ_CONNECTION_TLS_OFF;

        /* the refusal without TLS, if it is more relevant */

        reason = pq->error.reason;
        responded = pq->responded;

    } else if (pq->conf->sslmode != NGX_GATE_NONE
               && ngx_gate_pq_login_requires_tls(pq))
    {
        pq->tls = NGX_GATE_PQ_CONNECTION_TLS_TRIED;

        ngx_gate_pq_login_again(pq, pq->address, pq->naddrs);
        return;
    }

    switch (reason) {

    case NGX_GATE_AUTH:
    case NGX_GATE_DENIED:
    case NGX_GATE_NO_DATABASE:

        /* as in libpq: other hosts would return the same error */

        if (responded) {
            ngx_gate_pq_fail(pq);
            return;
        }

        break;

    case NGX_GATE_REFUSED:
    case NGX_GATE_UNREACHABLE:
    case NGX_GATE_TIMEOUT:

        ngx_gate_pq_login_next(pq, 0);
        return;

    default:
        break;
    }

    ngx_gate_pq_login_next(pq, 1);
}


/*
 * pg_hba.conf may have an entry for TLS only; the name of that entry is the
 * same in every language.  Poolers and hosted servers mention SSL or TLS.
 */

static ngx_uint_t
ngx_gate_pq_login_requires_tls(ngx_gate_pq_t *pq)
{
    const char  *text;

    text = libpq.PQerrorMessage(pq->conn);

    return strstr(text, "pg_hba.conf") != NULL
           || strstr(text, "SSL") != NULL
           || strstr(text, "TLS") != NULL
           || strstr(text, "sslmode=require") != NULL;
}


static ngx_gate_reason_e
ngx_gate_pq_login_failed_reason(ngx_gate_pq_t *pq, ngx_uint_t *responded)
{
    ngx_gate_error_t     error, with_host;
    ngx_gate_pq_host_t  *host;

    *responded = ngx_gate_pq_error_set_text(&error,
                                            libpq.PQerrorMessage(pq->conn));

    if (ngx_gate_pq_login_error_has_password(pq->conn)) {
        ngx_gate_error_set(&error, error.reason,
                           "the server's message repeats the password, so it "
                           "is withheld");
    }

    host = &pq->conf->hosts[pq->attempt % pq->conf->nhosts];

    if (*responded || host->local) {
        ngx_gate_pq_login_error(pq, &error, *responded);
        return error.reason;
    }

    /* libpq reports the path of a socket, but not the host */

    ngx_gate_error_set(&with_host, error.reason, "\"%V\": %*s", &host->text,
                       error.len, error.text);
    ngx_gate_pq_login_error(pq, &with_host, 0);

    return error.reason;
}


/* to the next address, or to the next host */

void
ngx_gate_pq_login_next(ngx_gate_pq_t *pq, ngx_uint_t host)
{
    ngx_uint_t  address, naddrs;

    address = pq->address + 1;
    naddrs = pq->naddrs;

    if (pq->tls == NGX_GATE_PQ_CONNECTION_TLS_TRIED) {
        pq->tls = NGX_GATE_PQ_CONNECTION_TLS_OFF;
    }

    if (host || address >= naddrs) {
        pq->attempt++;
        address = 0;
        naddrs = 0;
    }

    ngx_gate_pq_login_again(pq, address, naddrs);
}


static void
ngx_gate_pq_login_again(ngx_gate_pq_t *pq, ngx_uint_t address,
    ngx_uint_t naddrs)
{
    ngx_gate_pq_close(pq);

    pq->address = address;
    pq->naddrs = naddrs;
    pq->state = NGX_GATE_PQ_CONNECTION_NEXT;

    ngx_gate_pq_post(pq);
}


/* an error of a server takes precedence over a missing response */

void
ngx_gate_pq_login_error(ngx_gate_pq_t *pq, ngx_gate_error_t *error,
    ngx_uint_t responded)
{
    ngx_gate_pq_host_t  *host;

    if (pq->responded && !responded) {
        return;
    }

    pq->responded = responded;

    if (responded && pq->conf->nhosts > 1) {
        host = &pq->conf->hosts[pq->attempt % pq->conf->nhosts];
        ngx_gate_error_set(&pq->error, error->reason, "\"%V\": %*s",
                           &host->text, error->len, error->text);

    } else {
        pq->error = *error;
    }
}


ngx_gate_pq_role_e
ngx_gate_pq_login_required_role(ngx_gate_pq_t *pq)
{
    if (pq->conf->role != NGX_GATE_PQ_PREFER_STANDBY) {
        return pq->conf->role;
    }

    return pq->attempt < pq->conf->nhosts ? NGX_GATE_PQ_STANDBY
                                          : NGX_GATE_PQ_ANY;
}


/*
 * target_session_attrs needs a query of its own: some servers and all poolers
 * do not report their role.  The server behind a kept connection may change
 * its role, so the role is queried with each query.
 */

static void
ngx_gate_pq_login_query_role(ngx_gate_pq_t *pq)
{
    pq->state = NGX_GATE_PQ_CONNECTION_ROLE;
    pq->received = 0;
    pq->nresults = 0;

    ngx_gate_pq_set_action(pq, "querying the role of a PostgreSQL server");

    if (ngx_gate_pq_login_send_role(pq) != NGX_OK
        || !libpq.PQpipelineSync(pq->conn))
    {
        ngx_gate_pq_query_lost(pq);
        return;
    }

    ngx_gate_pq_query_flush(pq);
}


ngx_int_t
ngx_gate_pq_login_send_role(ngx_gate_pq_t *pq)
{
    static ngx_gate_pq_statement_t  statement = {
        "SELECT pg_catalog.pg_is_in_recovery(),"
        " pg_catalog.current_setting('default_transaction_read_only') = 'on'",
        0, NULL
    };

    return ngx_gate_pq_query_send_statement(pq, &statement);
}


void
ngx_gate_pq_login_role_handler(ngx_gate_pq_t *pq)
{
    PGresult          *result;
    ngx_uint_t         standby, readonly;
    ngx_gate_error_t   error;

    result = pq->results[0];

    switch (ngx_gate_pq_login_check_role(pq, result)) {

    case NGX_OK:
        ngx_gate_pq_query_send(pq);
        return;

    case NGX_DECLINED:
        standby = libpq.PQgetvalue(result, 0, 0)[0] == 't';
        readonly = !standby && libpq.PQgetvalue(result, 0, 1)[0] == 't';

        ngx_gate_error_set(&error, NGX_GATE_OTHER_ROLE, "the server is a %s%s",
                           standby ? "standby" : "primary",
                           readonly ? ", read-only" : "");
        break;

    default: /* NGX_ERROR */
        ngx_gate_pq_error_set_result(&error, result);
        break;
    }

    ngx_gate_pq_login_error(pq, &error, 1);
    ngx_gate_pq_login_next(pq, 1);
}


ngx_int_t
ngx_gate_pq_login_check_role(ngx_gate_pq_t *pq, PGresult *result)
{
    ngx_uint_t  standby, readonly, suits;

    if (libpq.PQresultStatus(result) != PGRES_TUPLES_OK
        || libpq.PQntuples(result) != 1 || libpq.PQnfields(result) != 2)
    {
        return NGX_ERROR;
    }

    standby = libpq.PQgetvalue(result, 0, 0)[0] == 't';
    readonly = standby || libpq.PQgetvalue(result, 0, 1)[0] == 't';

    switch (ngx_gate_pq_login_required_role(pq)) {

    case NGX_GATE_PQ_READ_WRITE:
        suits = !readonly;
        break;

    case NGX_GATE_PQ_READ_ONLY:
        suits = readonly;
        break;

    case NGX_GATE_PQ_PRIMARY:
        suits = !standby;
        break;

    default: /* NGX_GATE_PQ_STANDBY */
        suits = standby;
        break;
    }

    return suits ? NGX_OK : NGX_DECLINED;
}
