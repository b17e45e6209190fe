
/*
 * Who may write to the zone, and whether anybody does; see ngx_gate_pen.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_pen.h>


/*
 * An owner fits 32 bits, so that every platform can swap it atomically: 22
 * bits of pid (PID_MAX_LIMIT is 2^22), one that says "is writing", and the
 * generation, which wraps around and is compared as a serial number.
 */

#define NGX_GATE_PEN_PID         0x003fffff
#define NGX_GATE_PEN_WRITING     0x00400000
#define NGX_GATE_PEN_SHIFT       23
#define NGX_GATE_PEN_GENERATION  0x1ff


static ngx_uint_t ngx_gate_pen_is_alive(ngx_atomic_uint_t owner);
static ngx_uint_t ngx_gate_pen_is_older(ngx_atomic_uint_t owner,
    ngx_atomic_uint_t identity);


void
ngx_gate_pen_init(ngx_gate_pen_t *pen, ngx_gate_zone_t *zone,
    ngx_uint_t generation)
{
    pen->zone = zone;
    pen->handed_on = 0;
    pen->identity = ((ngx_atomic_uint_t) (generation & NGX_GATE_PEN_GENERATION)
                     << NGX_GATE_PEN_SHIFT)
                    | ((ngx_atomic_uint_t) ngx_pid & NGX_GATE_PEN_PID);
}


/*
 * From an older generation, as soon as it does not write.  From our own, only
 * what has been let go or left behind: mostly nginx has started us in place of
 * a process that died, but when it goes back from an upgrade, it starts workers
 * of the same configuration, and the old ones may not have ended yet.
 */

ngx_int_t
ngx_gate_pen_claim(ngx_gate_pen_t *pen, ngx_uint_t force)
{
    ngx_uint_t         handed_on;
    ngx_atomic_uint_t  owner;

    owner = pen->zone->owner;
    handed_on = 0;

    if (owner == 0 || (owner & ~NGX_GATE_PEN_WRITING) == pen->identity) {
        /* void */

    } else if (ngx_gate_pen_is_older(pen->identity, owner)) {
        return NGX_DECLINED;

    } else if (ngx_gate_pen_is_older(owner, pen->identity)) {

        if ((owner & NGX_GATE_PEN_WRITING)
            && !force
            && ngx_gate_pen_is_alive(owner))
        {
            return NGX_AGAIN;
        }

        handed_on = 1;

    } else if (ngx_gate_pen_is_alive(owner)
               && ngx_gate_zone_is_tended(pen->zone))
    {
        return NGX_BUSY;
    }

    if (!ngx_atomic_cmp_set(&pen->zone->owner, owner, pen->identity)) {
        return NGX_AGAIN;
    }

    pen->handed_on = handed_on;

    return NGX_OK;
}


static ngx_uint_t
ngx_gate_pen_is_alive(ngx_atomic_uint_t owner)
{
    return ngx_gate_process_is_alive(owner & NGX_GATE_PEN_PID);
}


static ngx_uint_t
ngx_gate_pen_is_older(ngx_atomic_uint_t owner, ngx_atomic_uint_t identity)
{
    ngx_uint_t  distance;

    distance = ((identity >> NGX_GATE_PEN_SHIFT)
                - (owner >> NGX_GATE_PEN_SHIFT)) & NGX_GATE_PEN_GENERATION;

    return distance != 0 && distance <= NGX_GATE_PEN_GENERATION / 2;
}


ngx_uint_t
ngx_gate_pen_owns(ngx_gate_pen_t *pen)
{
    return (pen->zone->owner & ~NGX_GATE_PEN_WRITING) == pen->identity;
}


/* the generation stays, so that an older one does not take it back */

void
ngx_gate_pen_release(ngx_gate_pen_t *pen)
{
    (void) ngx_atomic_cmp_set(&pen->zone->owner, pen->identity,
                              pen->identity & ~NGX_GATE_PEN_PID);
}


ngx_int_t
ngx_gate_pen_down(ngx_gate_pen_t *pen)
{
    if (!ngx_atomic_cmp_set(&pen->zone->owner, pen->identity,
                            pen->identity | NGX_GATE_PEN_WRITING))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_gate_pen_up(ngx_gate_pen_t *pen)
{
    (void) ngx_atomic_cmp_set(&pen->zone->owner,
                              pen->identity | NGX_GATE_PEN_WRITING,
                              pen->identity);
}


pid_t
ngx_gate_zone_owner(ngx_gate_zone_t *zone)
{
    return (pid_t) (zone->owner & NGX_GATE_PEN_PID);
}


void
ngx_gate_zone_tend(ngx_gate_zone_t *zone, ngx_uint_t resting)
{
    zone->heartbeat = ngx_gate_now();
    zone->tended = ngx_current_msec;
    zone->resting = resting;
}


/*
 * An owner that has nothing left to do sets no timer, so that it costs
 * nothing; that it lives is then seen by asking the kernel.
 */

int64_t
ngx_gate_zone_heartbeat(ngx_gate_zone_t *zone)
{
    if (zone->resting && ngx_gate_pen_is_alive(zone->owner)) {
        return ngx_gate_now();
    }

    return zone->heartbeat;
}


ngx_uint_t
ngx_gate_zone_is_tended(ngx_gate_zone_t *zone)
{
    ngx_msec_int_t  age;

    if (zone->resting) {
        return ngx_gate_pen_is_alive(zone->owner);
    }

    age = (ngx_msec_int_t) (ngx_current_msec - zone->tended);

    return age < NGX_GATE_TENDED;
}


ngx_uint_t
ngx_gate_process_is_alive(ngx_atomic_uint_t pid)
{
    return pid && (kill((pid_t) pid, 0) == 0 || ngx_errno != ESRCH);
}
