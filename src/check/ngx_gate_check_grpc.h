
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The verdict of a response of grpc.health.v1.Health/Check.
 */


#ifndef _NGX_GATE_CHECK_GRPC_H_INCLUDED_
#define _NGX_GATE_CHECK_GRPC_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_grpc.h>


void ngx_gate_check_grpc_verdict(ngx_gate_grpc_response_t *response,
    ngx_gate_result_t *result);


#endif /* _NGX_GATE_CHECK_GRPC_H_INCLUDED_ */
