
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loads libpq if a check needs it: it brings Kerberos, LDAP, GnuTLS and
 * others, up to 2 MB in each worker.  Call load() while the configuration is
 * read; after that, libpq.PQclear() and the like can be called.
 */


#ifndef _NGX_GATE_PQ_LIBRARY_H_INCLUDED_
#define _NGX_GATE_PQ_LIBRARY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <libpq-fe.h>


/* the functions in use */

#define NGX_GATE_PQ_LIBRARY_FUNCTIONS(with)                                   \
    with(PQbackendPID)                                                        \
    with(PQclear)                                                             \
    with(PQconnectPoll)                                                       \
    with(PQconnectStartParams)                                                \
    with(PQconninfoFree)                                                      \
    with(PQconninfoParse)                                                     \
    with(PQconsumeInput)                                                      \
    with(PQenterPipelineMode)                                                 \
    with(PQerrorMessage)                                                      \
    with(PQfinish)                                                            \
    with(PQflush)                                                             \
    with(PQfreemem)                                                           \
    with(PQftype)                                                             \
    with(PQgetResult)                                                         \
    with(PQgetisnull)                                                         \
    with(PQgetlength)                                                         \
    with(PQgetvalue)                                                          \
    with(PQisBusy)                                                            \
    with(PQnfields)                                                           \
    with(PQnotifies)                                                          \
    with(PQntuples)                                                           \
    with(PQpass)                                                              \
    with(PQpipelineSync)                                                      \
    with(PQresultErrorField)                                                  \
    with(PQresultErrorMessage)                                                \
    with(PQresultMemorySize)                                                  \
    with(PQresultStatus)                                                      \
    with(PQsendQueryParams)                                                   \
    with(PQsetErrorVerbosity)                                                 \
    with(PQsetNoticeReceiver)                                                 \
    with(PQsetnonblocking)                                                    \
    with(PQsocket)                                                            \
    with(PQsslInUse)                                                          \
    with(PQstatus)                                                            \
    with(PQtransactionStatus)                                                 \
    with(PQuser)


/* a pointer to each function, with its type in libpq-fe.h */

#define NGX_GATE_PQ_LIBRARY_POINTER(function)  __typeof__(function)  *function;

typedef struct {
    NGX_GATE_PQ_LIBRARY_FUNCTIONS(NGX_GATE_PQ_LIBRARY_POINTER)
} ngx_gate_pq_library_t;


extern ngx_gate_pq_library_t  ngx_gate_pq_library;

#define libpq  ngx_gate_pq_library


/* returns NULL or the error; idempotent */

char *ngx_gate_pq_library_load(void);


#endif /* _NGX_GATE_PQ_LIBRARY_H_INCLUDED_ */
