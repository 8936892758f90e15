/* fc_node.c - statuses and navigation in, commands and telemetry out. */
#include "fc_node.h"

#include <string.h>

#define MOST_FRAMES 512 /* read in one board frame: a full bus brings 80 in 10 ms */
#define MOST_BYTES 4096 /* of the serial link, read in one board frame */
#define FC_OFFSET ((sizeof(fc_node_t) + 15u) & ~(size_t)15u)

static fc_t *logic(void *state)
{
    return (fc_t *)(void *)((unsigned char *)state + FC_OFFSET);
}

static const fc_t *logic_of(const void *state)
{
    return (const fc_t *)(const void *)((const unsigned char *)state + FC_OFFSET);
}

size_t fc_node_state_size(const fc_kernel_t *kernel)
{
    const size_t size = fc_state_size(kernel);
    return (size == 0) ? 0 : FC_OFFSET + size;
}

int32_t fc_node_init(void *state, const fc_kernel_t *kernel, const void *config, size_t config_size)
{
    fc_node_t *node = state;
    const fc_config_t *given = config;
    if (config_size != sizeof *given) {
        return FIRMWARE_BAD_SIZE;
    }
    memset(node, 0, sizeof *node);
    const int32_t result = fc_init(logic(state), kernel, given);
    if (result != FIRMWARE_READY) {
        return result;
    }
    for (int32_t i = 0; i <= RECORDS_MAX_ENGINES; ++i) {
        node->slot[i] = -1;
    }
    for (int32_t i = 0; i < given->kernel.engine_count; ++i) {
        node->slot[given->node[i]] = i;
    }
    return FIRMWARE_READY;
}

static int32_t slot_of(const fc_node_t *node, uint32_t id, uint32_t base)
{
    return (id > base && id <= base + RECORDS_MAX_ENGINES) ? node->slot[id - base] : -1;
}

/* Checks one status or gimbal frame of the engine in `slot` and takes it. */
static void take_status(fc_node_t *node, const port_can_frame_t *frame, int32_t slot, int32_t gimbal)
{
    link_memory_t *memory = gimbal ? &node->gimbal_memory[slot] : &node->status_memory[slot];
    record_status_t *status = &node->in.status[slot];
    if (!link_check(&node->counters, memory, frame)) {
        return;
    }
    const int32_t good =
        gimbal ? records_unpack_gimbal(status, frame->data) : records_unpack_status(status, frame->data);
    if (!good) {
        ++node->counters.count[LINK_RANGE];
        return;
    }
    ++node->counters.count[LINK_ACCEPTED];
    if (!gimbal) {
        status->fresh = 1;
    }
}

static void receive_can(fc_node_t *node, const port_t *port)
{
    port_can_frame_t frame;
    for (int32_t i = 0; i < MOST_FRAMES && port->can_receive(port->context, &frame); ++i) {
        const int32_t status = slot_of(node, frame.id, RECORDS_STATUS_ID);
        const int32_t gimbal = slot_of(node, frame.id, RECORDS_GIMBAL_ID);
        if (status >= 0) {
            take_status(node, &frame, status, 0);
        } else if (gimbal >= 0) {
            take_status(node, &frame, gimbal, 1);
        } else {
            ++node->counters.count[LINK_UNKNOWN_ID];
        }
    }
}

static void receive_serial(fc_node_t *node, const port_t *port)
{
    uint8_t bytes[128];
    size_t total = 0;
    size_t count = port->serial_receive(port->context, bytes, sizeof bytes);
    while (count > 0 && total < MOST_BYTES) {
        for (size_t i = 0; i < count; ++i) {
            (void)link_nav_byte(&node->counters, &node->stream, bytes[i], &node->in.nav);
        }
        total += count;
        count = port->serial_receive(port->context, bytes, sizeof bytes);
    }
}

static void send(fc_node_t *node, const fc_t *fc, const port_t *port)
{
    port_can_frame_t frame;
    for (int32_t i = 0; i < fc->config.kernel.engine_count; ++i) {
        records_pack_command(frame.data, &node->out.command[i]);
        link_protect(&frame, RECORDS_COMMAND_ID + (uint32_t)fc->config.node[i], node->send_counter);
        (void)port->can_send(port->context, &frame);
    }
    for (uint32_t i = 0; i < RECORDS_TELEMETRY_FRAMES; ++i) {
        records_pack_telemetry(frame.data, i, &node->out.telemetry);
        link_protect(&frame, RECORDS_TELEMETRY_ID + i, node->send_counter);
        (void)port->can_send(port->context, &frame);
    }
    node->send_counter = (uint8_t)((node->send_counter + 1u) & 0x0Fu);
}

void fc_node_step(void *state, const port_t *port)
{
    fc_node_t *node = state;
    fc_t *fc = logic(state);
    node->in.nav.fresh = 0;
    for (int32_t i = 0; i < fc->config.kernel.engine_count; ++i) {
        node->in.status[i].fresh = 0;
    }
    receive_can(node, port);
    receive_serial(node, port);
    fc_sensors_receive(&node->sensors, port);
    fc_step(fc, port->now_us(port->context) * 1000, &node->in, &node->out);
    node->out.telemetry.rejected = (int32_t)(link_rejected(&node->counters) & 0xFFu);
    for (uint32_t i = 0; i < FK_IF_FINS; ++i) {
        port->actuator_out(port->context, i, node->out.fin_cmd_rad[i]);
    }
    send(node, fc, port);
}

int32_t fc_node_safe(const void *state)
{
    (void)state;
    return 1; /* it holds no valve */
}

const char *fc_node_describe(const void *state)
{
    const fc_t *fc = logic_of(state);
    return (fc->bad_frames == 0) ? "RUNNING" : "RUNNING without its kernel";
}

const link_counters_t *fc_node_counters(const void *state)
{
    const fc_node_t *node = state;
    return &node->counters;
}

const fc_sensors_t *fc_node_sensors(const void *state)
{
    const fc_node_t *node = state;
    return &node->sensors;
}

const link_counters_t *fc_node_line_counters(const void *state, uint32_t line)
{
    const fc_node_t *node = state;
    return &node->sensors.line[line < PORT_LINES ? line : 0].counters;
}

const fc_counters_t *fc_node_kernel_counters(const void *state)
{
    return &logic_of(state)->counters;
}
