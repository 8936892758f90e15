/* port_memory.c - queues in arrays. */
#include "port_memory.h"

#include <string.h>

static int64_t now_us(void *context)
{
    const port_memory_t *memory = context;
    return memory->now_us;
}

static int32_t can_send(void *context, const port_can_frame_t *frame)
{
    port_memory_t *memory = context;
    if (memory->can_out >= PORT_MEMORY_CAN) {
        ++memory->can_lost;
        return 0;
    }
    memory->outbox[memory->can_out++] = *frame;
    return 1;
}

static int32_t can_receive(void *context, port_can_frame_t *frame)
{
    port_memory_t *memory = context;
    if (memory->can_read >= memory->can_in) {
        return 0;
    }
    *frame = memory->inbox[memory->can_read++];
    return 1;
}

static size_t serial_send(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    (void)count;
    return 0; /* the navigation link is read only */
}

static size_t serial_receive(void *context, uint8_t *bytes, size_t room)
{
    port_memory_t *memory = context;
    size_t count = memory->serial_in - memory->serial_read;
    if (count > room) {
        count = room;
    }
    memcpy(bytes, &memory->serial[memory->serial_read], count);
    memory->serial_read += (uint32_t)count;
    return count;
}

static size_t line_receive(void *context, uint32_t line, uint8_t *bytes, size_t room)
{
    port_memory_t *memory = context;
    if (line >= PORT_LINES) {
        return 0;
    }
    size_t count = memory->line_in[line] - memory->line_read[line];
    if (count > room) {
        count = room;
    }
    memcpy(bytes, &memory->line[line][memory->line_read[line]], count);
    memory->line_read[line] += (uint32_t)count;
    return count;
}

static void actuator_out(void *context, uint32_t channel, double value)
{
    port_memory_t *memory = context;
    if (channel < PORT_CHANNELS) {
        memory->actuator[channel] = value;
    }
}

static int32_t sensor_in(void *context, uint32_t channel, double *value)
{
    const port_memory_t *memory = context;
    if (channel >= PORT_CHANNELS || ((memory->sensor_valid >> channel) & 1u) == 0) {
        return 0;
    }
    *value = memory->sensor[channel];
    return 1;
}

void port_memory_init(port_memory_t *memory, port_t *port)
{
    memset(memory, 0, sizeof *memory);
    port->context = memory;
    port->now_us = now_us;
    port->can_send = can_send;
    port->can_receive = can_receive;
    port->serial_send = serial_send;
    port->serial_receive = serial_receive;
    port->actuator_out = actuator_out;
    port->sensor_in = sensor_in;
    port->line_receive = line_receive;
}
