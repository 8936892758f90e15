/* identity.c - one question, one answer in the same frame of the board. */
#include "identity.h"

#include <string.h>

#include "generated/bus_scaling.h"
#include "records.h"

void identity_hear(identity_t *identity, link_counters_t *counters, const port_can_frame_t *frame)
{
    if (link_check(counters, &identity->memory, frame)
        && records_unpack_query(&identity->echo, frame->data)) {
        identity->asked = 1;
        ++counters->count[LINK_ACCEPTED];
    }
}

void identity_answer(identity_t *identity, const port_t *port, uint32_t id, int32_t role, uint32_t build)
{
    record_identity_t record;
    port_can_frame_t frame;
    if (identity->asked == 0) {
        return;
    }
    memset(&record, 0, sizeof record);
    record.role = role;
    record.version = FIRMWARE_VERSION;
    record.build = build;
    record.table = BUS_TABLE_HASH;
    record.echo = identity->echo;
    records_pack_identity(frame.data, &record);
    link_protect(&frame, id, identity->counter);
    (void)port->can_send(port->context, &frame);
    identity->counter = (uint8_t)((identity->counter + 1u) & 0x0Fu);
    identity->asked = 0;
}
