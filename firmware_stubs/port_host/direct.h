/* direct.h - boards without wires: the logic of the firmware, records handed over.
 *
 * The hand-over rounds every record exactly as the wires would, and what is sent in one frame is
 * seen in the next.  Boards read and write the bench's frame in place: a `frame_view_t` points at
 * the fields of its records.
 */
#ifndef DIRECT_H
#define DIRECT_H

#include "ev_logic.h"
#include "fc_logic.h"

/* Where the fields lie; arrays have one value for each engine of the burn, or the stated size. */
typedef struct {
    int64_t *nav_valid_t_ns;
    double *nav_pos_pad_m;        /* 3 */
    double *nav_vel_pad_mps;      /* 3 */
    double *nav_q_pad_from_body;  /* 4 */
    double *nav_omega_body_radps; /* 3 */
    double *nav_force_body_mps2;  /* 3 */
    double *nav_height_m;
    int64_t *nav_valid;

    double *sensor_ox_valve_pos;
    double *sensor_fuel_valve_pos;
    double *sensor_chamber_pa;
    double *sensor_gimbal_x_rad;
    double *sensor_gimbal_y_rad;

    int64_t *command_request;
    double *command_ox_valve_cmd;
    double *command_fuel_valve_cmd;
    double *command_gimbal_x_cmd_rad;
    double *command_gimbal_y_cmd_rad;
    int64_t *command_fresh;

    double *actuator_ox_drive;
    double *actuator_fuel_drive;
    double *actuator_gimbal_x_drive;
    double *actuator_gimbal_y_drive;
    double *actuator_igniter;
    double *actuator_unpowered;
    double *actuator_fin_cmd_rad; /* 4 */

    int64_t *status_state;
    int64_t *status_fault;
    double *status_ox_valve_pos;
    double *status_fuel_valve_pos;
    double *status_chamber_pa;
    double *status_gimbal_x_rad;
    double *status_gimbal_y_rad;
    int64_t *status_rejected;
    int64_t *status_fresh;

    int64_t *telemetry_mode;
    int64_t *telemetry_engine_failed;
    int64_t *telemetry_engine_share;
    double *telemetry_accel_cmd_pad_mps2; /* 3 */
    double *telemetry_time_to_go_s;
    double *telemetry_thrust_cmd_n;
    double *telemetry_mass_est_kg;
    double *telemetry_ignition_margin_m;
    double *telemetry_ignition_margin_s;
    int64_t *telemetry_ignition_margin_known;
    int64_t *telemetry_work;
    int64_t *telemetry_plan_source;
    double *telemetry_plan_age_s;
    int64_t *telemetry_rejected;
    double *telemetry_nav_age_s;
    int64_t *telemetry_kernel_not_finite;
    int64_t *telemetry_kernel_out_of_range;
    int64_t *telemetry_fresh;
} frame_view_t;

/* What one frame hands to the next. */
typedef struct {
    int32_t engines;
    int32_t node[FK_IF_MAX_ENGINES];             /* the engine's number of each slot */
    record_command_t command[FK_IF_MAX_ENGINES]; /* seen by the boards in this frame */
    record_status_t status[FK_IF_MAX_ENGINES];
    record_command_t sent_command[FK_IF_MAX_ENGINES]; /* sent in this frame */
    record_status_t sent_status[FK_IF_MAX_ENGINES];
    record_telemetry_t sent_telemetry;
    fc_input_t fc_in;
    fc_output_t fc_out;
} direct_wires_t;

void direct_wires_init(direct_wires_t *wires, int32_t engines, const int32_t *node);

/* Runs the flight computer's frame; its fins go to the actuator record. */
void direct_flight_computer(fc_t *fc, direct_wires_t *wires, const frame_view_t *view, int64_t t_ns);

/* Runs a valve board's frame; `slot` -1 is a board whose engine is not in the burn. */
void direct_valve_board(ev_t *ev, direct_wires_t *wires, const frame_view_t *view, int32_t slot,
                        int64_t t_ns);

/* Sets a valve board's outputs to no drive at all, as those of a board without power. */
void direct_no_power(const frame_view_t *view, int32_t slot);

/* Hands over what was sent, and shows it in the frame's records. */
void direct_exchange(direct_wires_t *wires, const frame_view_t *view);

#endif
