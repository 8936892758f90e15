/* ev_node.c - commands in from CAN, sensors and drives through the port, statuses out. */
#include "ev_node.h"

#include <math.h>
#include <string.h>

#define MOST_FRAMES 512 /* read in one board frame: a full bus brings 80 in 10 ms */

static size_t state_size(void)
{
    return sizeof(ev_node_t);
}

static int32_t init(void *state, const void *config, size_t config_size)
{
    ev_node_t *node = state;
    ev_config_t copy;
    if (config_size != sizeof copy) {
        return FIRMWARE_BAD_SIZE;
    }
    memcpy(&copy, config, sizeof copy);
    memset(node, 0, sizeof *node);
    return ev_init(&node->ev, &copy);
}

static void receive(ev_node_t *node, const port_t *port, record_command_t *command)
{
    const uint32_t own = RECORDS_COMMAND_ID + (uint32_t)node->ev.config.node;
    port_can_frame_t frame;
    for (int32_t i = 0; i < MOST_FRAMES && port->can_receive(port->context, &frame); ++i) {
        if (frame.id != own) {
            ++node->counters.count[LINK_UNKNOWN_ID];
        } else if (link_check(&node->counters, &node->command_memory, &frame)) {
            if (records_unpack_command(command, frame.data)) {
                command->fresh = 1;
                ++node->counters.count[LINK_ACCEPTED];
            } else {
                ++node->counters.count[LINK_RANGE];
            }
        }
    }
}

static int32_t read_sensor(const port_t *port, uint32_t channel, double *value)
{
    double reading = 0.0;
    if (!port->sensor_in(port->context, channel, &reading) || !isfinite(reading)) {
        *value = 0.0;
        return 0;
    }
    *value = reading;
    return 1;
}

static void read_sensors(const port_t *port, ev_sensors_t *sensors)
{
    memset(sensors, 0, sizeof *sensors);
    sensors->valve_valid[EV_OX] = read_sensor(port, PORT_OX, &sensors->valve_pos[EV_OX]);
    sensors->valve_valid[EV_FUEL] = read_sensor(port, PORT_FUEL, &sensors->valve_pos[EV_FUEL]);
    sensors->gimbal_valid[0] = read_sensor(port, PORT_GIMBAL_X, &sensors->gimbal_rad[0]);
    sensors->gimbal_valid[1] = read_sensor(port, PORT_GIMBAL_Y, &sensors->gimbal_rad[1]);
    sensors->chamber_valid = read_sensor(port, PORT_CHAMBER, &sensors->chamber_pa);
}

static void drive(const port_t *port, const ev_drives_t *drives)
{
    port->actuator_out(port->context, PORT_OX, drives->valve_drive[EV_OX]);
    port->actuator_out(port->context, PORT_FUEL, drives->valve_drive[EV_FUEL]);
    port->actuator_out(port->context, PORT_GIMBAL_X, drives->gimbal_drive[0]);
    port->actuator_out(port->context, PORT_GIMBAL_Y, drives->gimbal_drive[1]);
    port->actuator_out(port->context, PORT_IGNITER, drives->igniter);
}

static void send(ev_node_t *node, const port_t *port, record_status_t *status)
{
    const uint32_t number = (uint32_t)node->ev.config.node;
    port_can_frame_t frame;
    status->rejected = (int32_t)(link_rejected(&node->counters) & 0xFFu);
    records_pack_status(frame.data, status);
    link_protect(&frame, RECORDS_STATUS_ID + number, node->send_counter);
    (void)port->can_send(port->context, &frame);
    records_pack_gimbal(frame.data, status);
    link_protect(&frame, RECORDS_GIMBAL_ID + number, node->send_counter);
    (void)port->can_send(port->context, &frame);
    node->send_counter = (uint8_t)((node->send_counter + 1u) & 0x0Fu);
}

static void step(void *state, const port_t *port)
{
    ev_node_t *node = state;
    record_command_t command;
    record_status_t status;
    ev_sensors_t sensors;
    ev_drives_t drives;
    memset(&command, 0, sizeof command);
    memset(&status, 0, sizeof status);
    receive(node, port, &command);
    read_sensors(port, &sensors);
    ev_step(&node->ev, port->now_us(port->context) * 1000, &command, &sensors, &drives, &status);
    drive(port, &drives);
    send(node, port, &status);
}

static int32_t safe(const void *state)
{
    const ev_node_t *node = state;
    return ev_safe(&node->ev);
}

static const char *describe(const void *state)
{
    const ev_node_t *node = state;
    return ev_describe(&node->ev);
}

static const link_counters_t *counters(const void *state)
{
    const ev_node_t *node = state;
    return &node->counters;
}

const firmware_t ev_firmware = {"engine_valve", state_size, init, step, safe, describe, counters, NULL};
