/* direct.c - the wires' rounding and their one frame of delay, without wires. */
#include "direct.h"

#include <math.h>
#include <string.h>

void direct_wires_init(direct_wires_t *wires, int32_t engines, const int32_t *node)
{
    memset(wires, 0, sizeof *wires);
    wires->engines = engines;
    for (int32_t i = 0; i < engines; ++i) {
        wires->node[i] = node[i];
    }
}

static double unless_nan(double given, double rounded)
{
    return isnan(given) ? given : rounded;
}

/* Rounds as the link would; what is no number stays so (fault nav.no_number). */
static void round_nav(record_nav_t *nav)
{
    const record_nav_t given = *nav;
    records_round_nav(nav);
    for (uint32_t i = 0; i < 3; ++i) {
        nav->pos_pad_m[i] = unless_nan(given.pos_pad_m[i], nav->pos_pad_m[i]);
        nav->vel_pad_mps[i] = unless_nan(given.vel_pad_mps[i], nav->vel_pad_mps[i]);
        nav->omega_body_radps[i] = unless_nan(given.omega_body_radps[i], nav->omega_body_radps[i]);
    }
    for (uint32_t i = 0; i < 4; ++i) {
        nav->q_pad_from_body[i] = unless_nan(given.q_pad_from_body[i], nav->q_pad_from_body[i]);
    }
    nav->height_m = unless_nan(given.height_m, nav->height_m);
}

static void read_nav(record_nav_t *nav, const frame_view_t *view)
{
    nav->valid_t_ns = *view->nav_valid_t_ns;
    memcpy(nav->pos_pad_m, view->nav_pos_pad_m, sizeof nav->pos_pad_m);
    memcpy(nav->vel_pad_mps, view->nav_vel_pad_mps, sizeof nav->vel_pad_mps);
    memcpy(nav->q_pad_from_body, view->nav_q_pad_from_body, sizeof nav->q_pad_from_body);
    memcpy(nav->omega_body_radps, view->nav_omega_body_radps, sizeof nav->omega_body_radps);
    memcpy(nav->force_body_mps2, view->nav_force_body_mps2, sizeof nav->force_body_mps2);
    nav->height_m = *view->nav_height_m;
    nav->valid = (int32_t)*view->nav_valid;
    nav->fresh = 1;
    round_nav(nav);
}

void direct_flight_computer(fc_t *fc, direct_wires_t *wires, const frame_view_t *view, int64_t t_ns)
{
    fc_input_t *in = &wires->fc_in;
    fc_output_t *out = &wires->fc_out;
    read_nav(&in->nav, view);
    memcpy(in->status, wires->status, sizeof in->status);
    fc_step(fc, t_ns, in, out);
    for (int32_t i = 0; i < wires->engines; ++i) {
        records_round_command(&out->command[i]);
        wires->sent_command[i] = out->command[i];
    }
    out->telemetry.rejected = 0; /* without wires nothing is rejected */
    records_round_telemetry(&out->telemetry);
    wires->sent_telemetry = out->telemetry;
    memcpy(view->actuator_fin_cmd_rad, out->fin_cmd_rad, sizeof out->fin_cmd_rad);
}

static void read_sensors(ev_sensors_t *sensors, const frame_view_t *view, int32_t slot)
{
    memset(sensors, 0, sizeof *sensors);
    if (slot >= 0) {
        sensors->valve_pos[EV_OX] = view->sensor_ox_valve_pos[slot];
        sensors->valve_pos[EV_FUEL] = view->sensor_fuel_valve_pos[slot];
        sensors->gimbal_rad[0] = view->sensor_gimbal_x_rad[slot];
        sensors->gimbal_rad[1] = view->sensor_gimbal_y_rad[slot];
        sensors->chamber_pa = view->sensor_chamber_pa[slot];
    }
    for (int32_t i = 0; i < EV_VALVES; ++i) {
        sensors->valve_valid[i] = isfinite(sensors->valve_pos[i]) ? 1 : 0;
        sensors->gimbal_valid[i] = isfinite(sensors->gimbal_rad[i]) ? 1 : 0;
    }
    sensors->chamber_valid = isfinite(sensors->chamber_pa) ? 1 : 0;
}

static void write_drives(const ev_drives_t *drives, const frame_view_t *view, int32_t slot)
{
    view->actuator_ox_drive[slot] = drives->valve_drive[EV_OX];
    view->actuator_fuel_drive[slot] = drives->valve_drive[EV_FUEL];
    view->actuator_gimbal_x_drive[slot] = drives->gimbal_drive[0];
    view->actuator_gimbal_y_drive[slot] = drives->gimbal_drive[1];
    view->actuator_igniter[slot] = drives->igniter;
    view->actuator_unpowered[slot] = 0.0;
}

void direct_valve_board(ev_t *ev, direct_wires_t *wires, const frame_view_t *view, int32_t slot, int64_t t_ns)
{
    static const record_command_t no_command;
    ev_sensors_t sensors;
    ev_drives_t drives;
    record_status_t status;
    memset(&status, 0, sizeof status);
    read_sensors(&sensors, view, slot);
    ev_step(ev, t_ns, (slot >= 0) ? &wires->command[slot] : &no_command, &sensors, &drives, &status);
    if (slot < 0) {
        return;
    }
    status.fresh = 1;
    records_round_status(&status);
    wires->sent_status[slot] = status;
    write_drives(&drives, view, slot);
}

void direct_no_power(const frame_view_t *view, int32_t slot)
{
    static const ev_drives_t none;
    write_drives(&none, view, slot);
    view->actuator_unpowered[slot] = 1.0;
}

static void show_command(const record_command_t *command, const frame_view_t *view, int32_t i)
{
    view->command_fresh[i] = command->fresh;
    if (!command->fresh) {
        return; /* the last one stays in sight */
    }
    view->command_request[i] = command->request;
    view->command_ox_valve_cmd[i] = command->ox_valve_cmd;
    view->command_fuel_valve_cmd[i] = command->fuel_valve_cmd;
    view->command_gimbal_x_cmd_rad[i] = command->gimbal_x_cmd_rad;
    view->command_gimbal_y_cmd_rad[i] = command->gimbal_y_cmd_rad;
}

static void show_status(const record_status_t *status, const frame_view_t *view, int32_t i)
{
    view->status_fresh[i] = status->fresh;
    if (!status->fresh) {
        return;
    }
    view->status_state[i] = status->state;
    view->status_fault[i] = status->fault;
    view->status_ox_valve_pos[i] = status->ox_valve_pos;
    view->status_fuel_valve_pos[i] = status->fuel_valve_pos;
    view->status_chamber_pa[i] = status->chamber_pa;
    view->status_gimbal_x_rad[i] = status->gimbal_x_rad;
    view->status_gimbal_y_rad[i] = status->gimbal_y_rad;
    view->status_rejected[i] = status->rejected;
}

static void show_telemetry(const direct_wires_t *wires, const frame_view_t *view)
{
    const record_telemetry_t *t = &wires->sent_telemetry;
    *view->telemetry_fresh = t->fresh;
    if (!t->fresh) {
        return;
    }
    for (int32_t i = 0; i < wires->engines; ++i) {
        const uint32_t bit = (uint32_t)(wires->node[i] - 1);
        view->telemetry_engine_failed[i] = (int64_t)((t->engine_failed >> bit) & 1u);
        view->telemetry_engine_share[i] = (int64_t)((t->engine_share >> bit) & 1u);
    }
    memcpy(view->telemetry_accel_cmd_pad_mps2, t->accel_cmd_pad_mps2, sizeof t->accel_cmd_pad_mps2);
    *view->telemetry_mode = t->mode;
    *view->telemetry_time_to_go_s = t->time_to_go_s;
    *view->telemetry_thrust_cmd_n = t->thrust_cmd_n;
    *view->telemetry_mass_est_kg = t->mass_est_kg;
    *view->telemetry_ignition_margin_m = t->ignition_margin_m;
    *view->telemetry_ignition_margin_s = t->ignition_margin_s;
    *view->telemetry_ignition_margin_known = t->ignition_margin_known;
    *view->telemetry_work = t->work;
    *view->telemetry_plan_source = t->plan_source;
    *view->telemetry_plan_age_s = t->plan_age_s;
    *view->telemetry_rejected = t->rejected;
    *view->telemetry_nav_age_s = t->nav_age_s;
    *view->telemetry_kernel_not_finite = t->kernel_not_finite;
    *view->telemetry_kernel_out_of_range = t->kernel_out_of_range;
}

void direct_exchange(direct_wires_t *wires, const frame_view_t *view)
{
    for (int32_t i = 0; i < wires->engines; ++i) {
        wires->command[i] = wires->sent_command[i];
        wires->status[i] = wires->sent_status[i];
        show_command(&wires->sent_command[i], view, i);
        show_status(&wires->sent_status[i], view, i);
        wires->sent_command[i].fresh = 0;
        wires->sent_status[i].fresh = 0;
    }
    show_telemetry(wires, view);
    wires->sent_telemetry.fresh = 0;
}
