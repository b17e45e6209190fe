
/*
 * The owner of the zone, which alone writes to it; see ngx_gate_writer.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_writer.h>


/*
 * An owner fits 32 bits, so that every platform can swap it atomically: 22
 * bits of pid (PID_MAX_LIMIT is 2^22), one for "is writing", and the
 * generation, which wraps around and is compared as a serial number.
 */

#define NGX_GATE_WRITER_PID         0x003fffff
#define NGX_GATE_WRITER_WRITING     0x00400000
#define NGX_GATE_WRITER_SHIFT       23
#define NGX_GATE_WRITER_GENERATION  0x1ff


static ngx_uint_t ngx_gate_writer_owner_is_alive(ngx_atomic_uint_t owner);
static ngx_uint_t ngx_gate_writer_is_older(ngx_atomic_uint_t owner,
    ngx_atomic_uint_t identity);


void
ngx_gate_writer_init(ngx_gate_writer_t *writer, ngx_gate_zone_t *zone,
    ngx_uint_t generation)
{
    writer->zone = zone;
    writer->taken_over = 0;
    writer->identity = ((ngx_atomic_uint_t)
                        (generation & NGX_GATE_WRITER_GENERATION)
                        << NGX_GATE_WRITER_SHIFT)
                       | ((ngx_atomic_uint_t) ngx_pid & NGX_GATE_WRITER_PID);
}


/*
 * From an older generation, as soon as it does not write.  From our own, only
 * what has been let go or left behind: mostly nginx has started us in place of
 * a process that died, but when it goes back from an upgrade, it starts workers
 * of the same configuration, and the old ones may not have ended yet.
 */

ngx_int_t
ngx_gate_writer_claim(ngx_gate_writer_t *writer, ngx_uint_t force)
{
    ngx_uint_t         taken_over;
    ngx_atomic_uint_t  owner;

    owner = writer->zone->owner;
    taken_over = 0;

    if (owner == 0 || (owner & ~NGX_GATE_WRITER_WRITING) == writer->identity) {
        /* void */

    } else if (ngx_gate_writer_is_older(writer->identity, owner)) {
        return NGX_DECLINED;

    } else if (ngx_gate_writer_is_older(owner, writer->identity)) {

        if ((owner & NGX_GATE_WRITER_WRITING)
            && !force
            && ngx_gate_writer_owner_is_alive(owner))
        {
            return NGX_AGAIN;
        }

        taken_over = 1;

    } else if (ngx_gate_writer_owner_is_alive(owner)
               && ngx_gate_writer_is_alive(writer->zone))
    {
        return NGX_BUSY;
    }

    if (!ngx_atomic_cmp_set(&writer->zone->owner, owner, writer->identity)) {
        return NGX_AGAIN;
    }

    writer->taken_over = taken_over;

    return NGX_OK;
}


static ngx_uint_t
ngx_gate_writer_owner_is_alive(ngx_atomic_uint_t owner)
{
    return ngx_gate_writer_process_is_alive(owner & NGX_GATE_WRITER_PID);
}


static ngx_uint_t
ngx_gate_writer_is_older(ngx_atomic_uint_t owner, ngx_atomic_uint_t identity)
{
    ngx_uint_t  distance;

    distance = ((identity >> NGX_GATE_WRITER_SHIFT)
                - (owner >> NGX_GATE_WRITER_SHIFT))
               & NGX_GATE_WRITER_GENERATION;

    return distance != 0 && distance <= NGX_GATE_WRITER_GENERATION / 2;
}


ngx_uint_t
ngx_gate_writer_owns(ngx_gate_writer_t *writer)
{
    return (writer->zone->owner & ~NGX_GATE_WRITER_WRITING) == writer->identity;
}


/* the generation stays, so that an older one does not take it back */

void
ngx_gate_writer_release(ngx_gate_writer_t *writer)
{
    (void) ngx_atomic_cmp_set(&writer->zone->owner, writer->identity,
                              writer->identity & ~NGX_GATE_WRITER_PID);
}


ngx_int_t
ngx_gate_writer_write_begin(ngx_gate_writer_t *writer)
{
    if (!ngx_atomic_cmp_set(&writer->zone->owner, writer->identity,
                            writer->identity | NGX_GATE_WRITER_WRITING))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_gate_writer_write_end(ngx_gate_writer_t *writer)
{
    (void) ngx_atomic_cmp_set(&writer->zone->owner,
                              writer->identity | NGX_GATE_WRITER_WRITING,
                              writer->identity);
}


pid_t
ngx_gate_writer_pid(ngx_gate_zone_t *zone)
{
    return (pid_t) (zone->owner & NGX_GATE_WRITER_PID);
}


void
ngx_gate_writer_touch(ngx_gate_zone_t *zone, ngx_uint_t idle)
{
    zone->heartbeat = ngx_gate_record_now();
    zone->touched_msec = ngx_current_msec;
    zone->idle = idle;
}


/*
 * An owner that has nothing left to do sets no timer, so that it costs
 * nothing; that it lives is then seen by asking the kernel.
 */

int64_t
ngx_gate_writer_heartbeat(ngx_gate_zone_t *zone)
{
    if (zone->idle && ngx_gate_writer_owner_is_alive(zone->owner)) {
        return ngx_gate_record_now();
    }

    return zone->heartbeat;
}


ngx_uint_t
ngx_gate_writer_is_alive(ngx_gate_zone_t *zone)
{
    ngx_msec_int_t  age;

    if (zone->idle) {
        return ngx_gate_writer_owner_is_alive(zone->owner);
    }

    age = (ngx_msec_int_t) (ngx_current_msec - zone->touched_msec);

    return age < NGX_GATE_WRITER_TIMEOUT;
}


ngx_uint_t
ngx_gate_writer_process_is_alive(ngx_atomic_uint_t pid)
{
    return pid && (kill((pid_t) pid, 0) == 0 || ngx_errno != ESRCH);
}
