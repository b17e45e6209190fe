
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parses the progress reported by an initializer: "42", "42%", "420/1000",
 * and text.
 */


#ifndef _NGX_GATE_CHECK_FILE_PROGRESS_TEXT_H_INCLUDED_
#define _NGX_GATE_CHECK_FILE_PROGRESS_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    int64_t                   observed;     /* -1: no number */
    int64_t                   expected;     /* -1, or at least 1 */
    ngx_str_t                 text;         /* the rest, or the whole text */
} ngx_gate_check_file_progress_text_t;


void ngx_gate_check_file_progress_text_parse(ngx_str_t *content,
    ngx_gate_check_file_progress_text_t *progress);


#endif /* _NGX_GATE_CHECK_FILE_PROGRESS_TEXT_H_INCLUDED_ */
