
/*
 * The files beside the marker, which the initialiser writes: that it failed,
 * and how far it is.
 */


#include <ngx_gate_file.h>
#include <ngx_gate_progress.h>


#define NGX_GATE_FILE_HEAD  512    /* what is read of them */


static void ngx_gate_file_first_line(ngx_str_t *text);
static ngx_int_t ngx_gate_file_counts(ngx_gate_file_run_t *run,
    ngx_file_info_t *fi);


/* NGX_OK: the answer is another one now */

ngx_int_t
ngx_gate_file_failed(ngx_gate_file_run_t *run)
{
    char             *call;
    u_char            buf[NGX_GATE_FILE_HEAD];
    ngx_int_t         rc;
    ngx_str_t        *path, line;
    ngx_err_t         err;
    ngx_file_info_t   fi;

    path = &run->conf->failed;

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;

        if (ngx_gate_file_is_missing(err)) {
            return NGX_DECLINED;
        }

        ngx_gate_file_error(run, "stat", path, err);
        return NGX_OK;
    }

    if (!ngx_gate_file_counts(run, &fi)) {
        return NGX_DECLINED;
    }

    line.data = buf;
    line.len = sizeof(buf);

    rc = ngx_gate_file_read(path, &fi, &line, &call);
    err = ngx_errno;

    if (rc == NGX_ERROR && ngx_gate_file_is_missing(err)) {
        return NGX_DECLINED;
    }

    run->probe->result.observed = -1;
    run->probe->result.expected = -1;

    ngx_gate_file_first_line(&line);

    if (rc == NGX_OK && line.len) {
        ngx_gate_file_say(run, NGX_GATE_FAILED, NGX_GATE_REPORTED, "%V",
                          &line);
        return NGX_OK;
    }

    ngx_gate_file_say(run, NGX_GATE_FAILED, NGX_GATE_REPORTED,
                      "reported by %V", path);

    if (rc == NGX_ERROR) {
        ngx_gate_file_add(run, ", %s() failed", call);
        ngx_gate_file_add_errno(run, err);
    }

    return NGX_OK;
}


/* the first one that has something in it */

static void
ngx_gate_file_first_line(ngx_str_t *text)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    while (p < last && *p <= ' ') {
        p++;
    }

    text->data = p;

    while (p < last && *p != CR && *p != LF) {
        p++;
    }

    text->len = p - text->data;
}


/* a marker is still awaited, but somebody may be at work on it */

void
ngx_gate_file_progress(ngx_gate_file_run_t *run)
{
    char                   *call;
    u_char                  buf[NGX_GATE_FILE_HEAD];
    ngx_int_t               rc;
    ngx_err_t               err;
    ngx_str_t              *path, content;
    ngx_file_info_t         fi;
    ngx_gate_progress_t     progress;
    ngx_gate_file_state_t  *state;

    state = run->state;
    path = &run->conf->progress;

    call = "stat";
    content.data = buf;
    content.len = sizeof(buf);

    rc = ngx_file_info(path->data, &fi);
    err = ngx_errno;

    if (rc == NGX_OK) {

        if (ngx_gate_file_counts(run, &fi)) {
            rc = ngx_gate_file_read(path, &fi, &content, &call);
            err = ngx_errno;

        } else {
            rc = NGX_ERROR;
            err = NGX_ENOENT;
        }
    }

    if (rc == NGX_ERROR && ngx_gate_file_is_missing(err)) {
        state->observed = -1;
        state->expected = -1;
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_gate_file_add(run, "; no progress, this is a %V: %V",
                          ngx_gate_file_kind(&fi), path);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_gate_file_add(run, "; no progress, %s() \"%V\" failed", call,
                          path);
        ngx_gate_file_add_errno(run, err);
        return;
    }

    ngx_gate_progress_parse(&content, &progress);

    if (progress.text.len) {
        state->observed = progress.observed;
        state->expected = progress.expected;
    }

    /* else it is just being rewritten: what was told last still holds */

    ngx_gate_file_say(run, NGX_GATE_RUNNING, NGX_GATE_IN_PROGRESS, "%V",
                      &progress.text);

    run->probe->result.observed = state->observed;
    run->probe->result.expected = state->expected;
}


/*
 * A file beside the marker tells of this initialisation if it is newer than
 * the marker, where that is there, and no more stale than a marker may be.
 * A directory has the time of what was last put into it, perhaps this file.
 */

static ngx_int_t
ngx_gate_file_counts(ngx_gate_file_run_t *run, ngx_file_info_t *fi)
{
    if (run->exists && !ngx_gate_file_newer(&fi->st_mtim, &run->marker.st_mtim)
        && (!ngx_is_dir(&run->marker)
            || ngx_gate_file_newer(&run->marker.st_mtim, &fi->st_mtim)))
    {
        return 0;
    }

    if (ngx_gate_file_since(run) == NGX_OK
        && !ngx_gate_file_newer(&fi->st_mtim, &run->since))
    {
        return 0;
    }

    return 1;
}
