/* records.c - between structs in SI units and the generated code of the bus. */
#include "records.h"

#include <math.h>
#include <string.h>

#include "generated/bus.h"
#include "generated/bus_scaling.h"

_Static_assert(BUS_ENGINE_1_COMMAND_FRAME_ID == RECORDS_COMMAND_ID + 1u, "command id");
_Static_assert(BUS_ENGINE_1_STATUS_FRAME_ID == RECORDS_STATUS_ID + 1u, "status id");
_Static_assert(BUS_ENGINE_1_GIMBAL_FRAME_ID == RECORDS_GIMBAL_ID + 1u, "gimbal id");
_Static_assert(BUS_TELEMETRY_MODE_FRAME_ID == RECORDS_TELEMETRY_ID, "telemetry id");
_Static_assert(BUS_TELEMETRY_KERNEL_FRAME_ID == RECORDS_TELEMETRY_ID + RECORDS_TELEMETRY_FRAMES - 1u,
               "telemetry");
_Static_assert(BUS_NAV_SOLUTION_LENGTH == RECORDS_NAV_BYTES, "navigation payload");

/* Counts of size `lsb` nearest to x, halves up, kept within low..high; 0 for a NaN. */
static int64_t counts(double x, double lsb, int64_t low, int64_t high)
{
    const double n = floor(x / lsb + 0.5);
    if (isnan(n)) {
        return 0;
    }
    if (n <= (double)low) {
        return low;
    }
    return (n >= (double)high) ? high : (int64_t)n;
}

#define COUNTS(name, x) counts((x), name##_LSB, name##_LOW, name##_HIGH)
#define VALUE(name, n) ((double)(n)*name##_LSB)

void records_pack_command(uint8_t data[8], const record_command_t *record)
{
    struct bus_engine_1_command_t m;
    memset(&m, 0, sizeof m);
    m.request = (uint8_t)COUNTS(BUS_ENGINE_1_COMMAND_REQUEST, record->request);
    m.ox_valve_cmd = (uint16_t)COUNTS(BUS_ENGINE_1_COMMAND_OX_VALVE_CMD, record->ox_valve_cmd);
    m.fuel_valve_cmd = (uint16_t)COUNTS(BUS_ENGINE_1_COMMAND_FUEL_VALVE_CMD, record->fuel_valve_cmd);
    m.gimbal_x_cmd_rad = (int16_t)COUNTS(BUS_ENGINE_1_COMMAND_GIMBAL_X_CMD_RAD, record->gimbal_x_cmd_rad);
    m.gimbal_y_cmd_rad = (int16_t)COUNTS(BUS_ENGINE_1_COMMAND_GIMBAL_Y_CMD_RAD, record->gimbal_y_cmd_rad);
    (void)bus_engine_1_command_pack(data, &m, 8);
}

int32_t records_unpack_command(record_command_t *record, const uint8_t data[8])
{
    struct bus_engine_1_command_t m;
    (void)bus_engine_1_command_unpack(&m, data, 8);
    if (!bus_engine_1_command_request_is_in_range(m.request)
        || !bus_engine_1_command_ox_valve_cmd_is_in_range(m.ox_valve_cmd)
        || !bus_engine_1_command_fuel_valve_cmd_is_in_range(m.fuel_valve_cmd)
        || !bus_engine_1_command_gimbal_x_cmd_rad_is_in_range(m.gimbal_x_cmd_rad)
        || !bus_engine_1_command_gimbal_y_cmd_rad_is_in_range(m.gimbal_y_cmd_rad)) {
        return 0;
    }
    record->request = m.request;
    record->ox_valve_cmd = VALUE(BUS_ENGINE_1_COMMAND_OX_VALVE_CMD, m.ox_valve_cmd);
    record->fuel_valve_cmd = VALUE(BUS_ENGINE_1_COMMAND_FUEL_VALVE_CMD, m.fuel_valve_cmd);
    record->gimbal_x_cmd_rad = VALUE(BUS_ENGINE_1_COMMAND_GIMBAL_X_CMD_RAD, m.gimbal_x_cmd_rad);
    record->gimbal_y_cmd_rad = VALUE(BUS_ENGINE_1_COMMAND_GIMBAL_Y_CMD_RAD, m.gimbal_y_cmd_rad);
    return 1;
}

void records_pack_status(uint8_t data[8], const record_status_t *record)
{
    struct bus_engine_1_status_t m;
    memset(&m, 0, sizeof m);
    m.state = (uint8_t)COUNTS(BUS_ENGINE_1_STATUS_STATE, record->state);
    m.fault = (uint8_t)COUNTS(BUS_ENGINE_1_STATUS_FAULT, record->fault);
    m.ox_valve_pos = (uint16_t)COUNTS(BUS_ENGINE_1_STATUS_OX_VALVE_POS, record->ox_valve_pos);
    m.fuel_valve_pos = (uint16_t)COUNTS(BUS_ENGINE_1_STATUS_FUEL_VALVE_POS, record->fuel_valve_pos);
    m.chamber_pa = (uint16_t)COUNTS(BUS_ENGINE_1_STATUS_CHAMBER_PA, record->chamber_pa);
    (void)bus_engine_1_status_pack(data, &m, 8);
}

int32_t records_unpack_status(record_status_t *record, const uint8_t data[8])
{
    struct bus_engine_1_status_t m;
    (void)bus_engine_1_status_unpack(&m, data, 8);
    if (!bus_engine_1_status_state_is_in_range(m.state)) {
        return 0; /* every other count is within its signal's range */
    }
    record->state = m.state;
    record->fault = m.fault;
    record->ox_valve_pos = VALUE(BUS_ENGINE_1_STATUS_OX_VALVE_POS, m.ox_valve_pos);
    record->fuel_valve_pos = VALUE(BUS_ENGINE_1_STATUS_FUEL_VALVE_POS, m.fuel_valve_pos);
    record->chamber_pa = VALUE(BUS_ENGINE_1_STATUS_CHAMBER_PA, m.chamber_pa);
    return 1;
}

void records_pack_gimbal(uint8_t data[8], const record_status_t *record)
{
    struct bus_engine_1_gimbal_t m;
    memset(&m, 0, sizeof m);
    m.gimbal_x_rad = (int16_t)COUNTS(BUS_ENGINE_1_GIMBAL_GIMBAL_X_RAD, record->gimbal_x_rad);
    m.gimbal_y_rad = (int16_t)COUNTS(BUS_ENGINE_1_GIMBAL_GIMBAL_Y_RAD, record->gimbal_y_rad);
    m.rejected = (uint8_t)((uint32_t)record->rejected & 0xFFu);
    (void)bus_engine_1_gimbal_pack(data, &m, 8);
}

int32_t records_unpack_gimbal(record_status_t *record, const uint8_t data[8])
{
    struct bus_engine_1_gimbal_t m;
    (void)bus_engine_1_gimbal_unpack(&m, data, 8);
    if (!bus_engine_1_gimbal_gimbal_x_rad_is_in_range(m.gimbal_x_rad)
        || !bus_engine_1_gimbal_gimbal_y_rad_is_in_range(m.gimbal_y_rad)) {
        return 0;
    }
    record->gimbal_x_rad = VALUE(BUS_ENGINE_1_GIMBAL_GIMBAL_X_RAD, m.gimbal_x_rad);
    record->gimbal_y_rad = VALUE(BUS_ENGINE_1_GIMBAL_GIMBAL_Y_RAD, m.gimbal_y_rad);
    record->rejected = m.rejected;
    return 1;
}

static void pack_mode(uint8_t data[8], const record_telemetry_t *record)
{
    struct bus_telemetry_mode_t m;
    memset(&m, 0, sizeof m);
    m.mode = (uint8_t)COUNTS(BUS_TELEMETRY_MODE_MODE, record->mode);
    m.plan_source = (uint8_t)COUNTS(BUS_TELEMETRY_MODE_PLAN_SOURCE, record->plan_source);
    m.rejected = (uint8_t)((uint32_t)record->rejected & 0xFFu);
    m.plan_age_s = (uint16_t)COUNTS(BUS_TELEMETRY_MODE_PLAN_AGE_S, record->plan_age_s);
    m.nav_age_s = (uint16_t)COUNTS(BUS_TELEMETRY_MODE_NAV_AGE_S, record->nav_age_s);
    (void)bus_telemetry_mode_pack(data, &m, 8);
}

static int32_t unpack_mode(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_mode_t m;
    (void)bus_telemetry_mode_unpack(&m, data, 8);
    if (!bus_telemetry_mode_mode_is_in_range(m.mode)
        || !bus_telemetry_mode_plan_source_is_in_range(m.plan_source)) {
        return 0;
    }
    record->mode = m.mode;
    record->plan_source = m.plan_source;
    record->rejected = m.rejected;
    record->plan_age_s = VALUE(BUS_TELEMETRY_MODE_PLAN_AGE_S, m.plan_age_s);
    record->nav_age_s = VALUE(BUS_TELEMETRY_MODE_NAV_AGE_S, m.nav_age_s);
    return 1;
}

static void pack_accel(uint8_t data[8], const record_telemetry_t *record)
{
    struct bus_telemetry_accel_t m;
    const double *a = record->accel_cmd_pad_mps2;
    memset(&m, 0, sizeof m);
    m.accel_cmd_east_mps2 = (int32_t)COUNTS(BUS_TELEMETRY_ACCEL_ACCEL_CMD_EAST_MPS2, a[0]);
    m.accel_cmd_north_mps2 = (int32_t)COUNTS(BUS_TELEMETRY_ACCEL_ACCEL_CMD_NORTH_MPS2, a[1]);
    m.accel_cmd_up_mps2 = (int32_t)COUNTS(BUS_TELEMETRY_ACCEL_ACCEL_CMD_UP_MPS2, a[2]);
    (void)bus_telemetry_accel_pack(data, &m, 8);
}

static int32_t unpack_accel(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_accel_t m;
    (void)bus_telemetry_accel_unpack(&m, data, 8);
    if (!bus_telemetry_accel_accel_cmd_east_mps2_is_in_range(m.accel_cmd_east_mps2)
        || !bus_telemetry_accel_accel_cmd_north_mps2_is_in_range(m.accel_cmd_north_mps2)
        || !bus_telemetry_accel_accel_cmd_up_mps2_is_in_range(m.accel_cmd_up_mps2)) {
        return 0;
    }
    record->accel_cmd_pad_mps2[0] = VALUE(BUS_TELEMETRY_ACCEL_ACCEL_CMD_EAST_MPS2, m.accel_cmd_east_mps2);
    record->accel_cmd_pad_mps2[1] = VALUE(BUS_TELEMETRY_ACCEL_ACCEL_CMD_NORTH_MPS2, m.accel_cmd_north_mps2);
    record->accel_cmd_pad_mps2[2] = VALUE(BUS_TELEMETRY_ACCEL_ACCEL_CMD_UP_MPS2, m.accel_cmd_up_mps2);
    return 1;
}

static void pack_failed(uint8_t data[8], const record_telemetry_t *record)
{
    const struct bus_telemetry_failed_t m = {.engine_failed = record->engine_failed};
    (void)bus_telemetry_failed_pack(data, &m, 8);
}

static int32_t unpack_failed(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_failed_t m;
    (void)bus_telemetry_failed_unpack(&m, data, 8);
    record->engine_failed = m.engine_failed;
    return 1;
}

static void pack_share(uint8_t data[8], const record_telemetry_t *record)
{
    const struct bus_telemetry_share_t m = {.engine_share = record->engine_share};
    (void)bus_telemetry_share_pack(data, &m, 8);
}

static int32_t unpack_share(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_share_t m;
    (void)bus_telemetry_share_unpack(&m, data, 8);
    record->engine_share = m.engine_share;
    return 1;
}

static void pack_plan(uint8_t data[8], const record_telemetry_t *record)
{
    struct bus_telemetry_plan_t m;
    memset(&m, 0, sizeof m);
    m.time_to_go_s = (uint16_t)COUNTS(BUS_TELEMETRY_PLAN_TIME_TO_GO_S, record->time_to_go_s);
    m.thrust_cmd_n = (uint32_t)COUNTS(BUS_TELEMETRY_PLAN_THRUST_CMD_N, record->thrust_cmd_n);
    (void)bus_telemetry_plan_pack(data, &m, 8);
}

static int32_t unpack_plan(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_plan_t m;
    (void)bus_telemetry_plan_unpack(&m, data, 8);
    record->time_to_go_s = VALUE(BUS_TELEMETRY_PLAN_TIME_TO_GO_S, m.time_to_go_s);
    record->thrust_cmd_n = VALUE(BUS_TELEMETRY_PLAN_THRUST_CMD_N, m.thrust_cmd_n);
    return 1;
}

static void pack_mass(uint8_t data[8], const record_telemetry_t *record)
{
    struct bus_telemetry_mass_t m;
    memset(&m, 0, sizeof m);
    m.mass_est_kg = (uint32_t)COUNTS(BUS_TELEMETRY_MASS_MASS_EST_KG, record->mass_est_kg);
    m.ignition_margin_m = (int32_t)COUNTS(BUS_TELEMETRY_MASS_IGNITION_MARGIN_M, record->ignition_margin_m);
    (void)bus_telemetry_mass_pack(data, &m, 8);
}

static int32_t unpack_mass(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_mass_t m;
    (void)bus_telemetry_mass_unpack(&m, data, 8);
    if (!bus_telemetry_mass_ignition_margin_m_is_in_range(m.ignition_margin_m)) {
        return 0;
    }
    record->mass_est_kg = VALUE(BUS_TELEMETRY_MASS_MASS_EST_KG, m.mass_est_kg);
    record->ignition_margin_m = VALUE(BUS_TELEMETRY_MASS_IGNITION_MARGIN_M, m.ignition_margin_m);
    return 1;
}

static void pack_kernel(uint8_t data[8], const record_telemetry_t *record)
{
    struct bus_telemetry_kernel_t m;
    memset(&m, 0, sizeof m);
    m.kernel_not_finite = (uint8_t)COUNTS(BUS_TELEMETRY_KERNEL_KERNEL_NOT_FINITE, record->kernel_not_finite);
    m.kernel_out_of_range =
        (uint8_t)COUNTS(BUS_TELEMETRY_KERNEL_KERNEL_OUT_OF_RANGE, record->kernel_out_of_range);
    m.work = (uint16_t)COUNTS(BUS_TELEMETRY_KERNEL_WORK, record->work);
    m.ignition_margin_s = (int16_t)COUNTS(BUS_TELEMETRY_KERNEL_IGNITION_MARGIN_S, record->ignition_margin_s);
    m.ignition_margin_known = (uint8_t)(record->ignition_margin_known != 0);
    (void)bus_telemetry_kernel_pack(data, &m, 8);
}

static int32_t unpack_kernel(record_telemetry_t *record, const uint8_t data[8])
{
    struct bus_telemetry_kernel_t m;
    (void)bus_telemetry_kernel_unpack(&m, data, 8);
    if (!bus_telemetry_kernel_ignition_margin_s_is_in_range(m.ignition_margin_s)) {
        return 0;
    }
    record->kernel_not_finite = m.kernel_not_finite;
    record->kernel_out_of_range = m.kernel_out_of_range;
    record->work = m.work;
    record->ignition_margin_s = VALUE(BUS_TELEMETRY_KERNEL_IGNITION_MARGIN_S, m.ignition_margin_s);
    record->ignition_margin_known = m.ignition_margin_known;
    return 1;
}

static void (*const TELEMETRY_PACK[RECORDS_TELEMETRY_FRAMES])(uint8_t[8], const record_telemetry_t *) = {
    pack_mode, pack_failed, pack_share, pack_accel, pack_plan, pack_mass, pack_kernel};
static int32_t (*const TELEMETRY_UNPACK[RECORDS_TELEMETRY_FRAMES])(record_telemetry_t *, const uint8_t[8]) = {
    unpack_mode, unpack_failed, unpack_share, unpack_accel, unpack_plan, unpack_mass, unpack_kernel};

void records_pack_telemetry(uint8_t data[8], uint32_t index, const record_telemetry_t *record)
{
    TELEMETRY_PACK[index](data, record);
}

int32_t records_unpack_telemetry(record_telemetry_t *record, uint32_t index, const uint8_t data[8])
{
    return TELEMETRY_UNPACK[index](record, data);
}

#define NAV_COUNTS(field, x) COUNTS(BUS_NAV_SOLUTION_##field, x)

void records_pack_nav(uint8_t data[RECORDS_NAV_BYTES], uint8_t counter, const record_nav_t *record)
{
    const int64_t valid_t_us = record->valid_t_ns / 1000;
    struct bus_nav_solution_t m;
    memset(&m, 0, sizeof m);
    m.valid_t_us = (uint64_t)NAV_COUNTS(VALID_T_US, (double)valid_t_us);
    m.counter = counter;
    m.valid = (uint8_t)(record->valid != 0);
    m.pos_east_m = (int32_t)NAV_COUNTS(POS_EAST_M, record->pos_pad_m[0]);
    m.pos_north_m = (int32_t)NAV_COUNTS(POS_NORTH_M, record->pos_pad_m[1]);
    m.pos_up_m = (int32_t)NAV_COUNTS(POS_UP_M, record->pos_pad_m[2]);
    m.height_m = (int32_t)NAV_COUNTS(HEIGHT_M, record->height_m);
    m.vel_east_mps = (int32_t)NAV_COUNTS(VEL_EAST_MPS, record->vel_pad_mps[0]);
    m.vel_north_mps = (int32_t)NAV_COUNTS(VEL_NORTH_MPS, record->vel_pad_mps[1]);
    m.vel_up_mps = (int32_t)NAV_COUNTS(VEL_UP_MPS, record->vel_pad_mps[2]);
    m.q_0 = (int32_t)NAV_COUNTS(Q_0, record->q_pad_from_body[0]);
    m.q_1 = (int32_t)NAV_COUNTS(Q_1, record->q_pad_from_body[1]);
    m.q_2 = (int32_t)NAV_COUNTS(Q_2, record->q_pad_from_body[2]);
    m.q_3 = (int32_t)NAV_COUNTS(Q_3, record->q_pad_from_body[3]);
    m.omega_x_radps = (int32_t)NAV_COUNTS(OMEGA_X_RADPS, record->omega_body_radps[0]);
    m.omega_y_radps = (int32_t)NAV_COUNTS(OMEGA_Y_RADPS, record->omega_body_radps[1]);
    m.omega_z_radps = (int32_t)NAV_COUNTS(OMEGA_Z_RADPS, record->omega_body_radps[2]);
    m.force_x_mps2 = (int32_t)NAV_COUNTS(FORCE_X_MPS2, record->force_body_mps2[0]);
    m.force_y_mps2 = (int32_t)NAV_COUNTS(FORCE_Y_MPS2, record->force_body_mps2[1]);
    m.force_z_mps2 = (int32_t)NAV_COUNTS(FORCE_Z_MPS2, record->force_body_mps2[2]);
    (void)bus_nav_solution_pack(data, &m, RECORDS_NAV_BYTES);
}

static int32_t nav_path_in_range(const struct bus_nav_solution_t *m)
{
    return bus_nav_solution_pos_east_m_is_in_range(m->pos_east_m)
           && bus_nav_solution_pos_north_m_is_in_range(m->pos_north_m)
           && bus_nav_solution_pos_up_m_is_in_range(m->pos_up_m)
           && bus_nav_solution_height_m_is_in_range(m->height_m)
           && bus_nav_solution_vel_east_mps_is_in_range(m->vel_east_mps)
           && bus_nav_solution_vel_north_mps_is_in_range(m->vel_north_mps)
           && bus_nav_solution_vel_up_mps_is_in_range(m->vel_up_mps);
}

static int32_t nav_turn_in_range(const struct bus_nav_solution_t *m)
{
    return bus_nav_solution_q_0_is_in_range(m->q_0) && bus_nav_solution_q_1_is_in_range(m->q_1)
           && bus_nav_solution_q_2_is_in_range(m->q_2) && bus_nav_solution_q_3_is_in_range(m->q_3)
           && bus_nav_solution_omega_x_radps_is_in_range(m->omega_x_radps)
           && bus_nav_solution_omega_y_radps_is_in_range(m->omega_y_radps)
           && bus_nav_solution_omega_z_radps_is_in_range(m->omega_z_radps)
           && bus_nav_solution_force_x_mps2_is_in_range(m->force_x_mps2)
           && bus_nav_solution_force_y_mps2_is_in_range(m->force_y_mps2)
           && bus_nav_solution_force_z_mps2_is_in_range(m->force_z_mps2);
}

#define NAV_VALUE(field, n) VALUE(BUS_NAV_SOLUTION_##field, n)

int32_t records_unpack_nav(record_nav_t *record, uint8_t *counter, const uint8_t data[RECORDS_NAV_BYTES])
{
    struct bus_nav_solution_t m;
    (void)bus_nav_solution_unpack(&m, data, RECORDS_NAV_BYTES);
    *counter = m.counter;
    if (!nav_path_in_range(&m) || !nav_turn_in_range(&m)) {
        return 0;
    }
    record->valid_t_ns = (int64_t)m.valid_t_us * 1000;
    record->valid = m.valid;
    record->pos_pad_m[0] = NAV_VALUE(POS_EAST_M, m.pos_east_m);
    record->pos_pad_m[1] = NAV_VALUE(POS_NORTH_M, m.pos_north_m);
    record->pos_pad_m[2] = NAV_VALUE(POS_UP_M, m.pos_up_m);
    record->height_m = NAV_VALUE(HEIGHT_M, m.height_m);
    record->vel_pad_mps[0] = NAV_VALUE(VEL_EAST_MPS, m.vel_east_mps);
    record->vel_pad_mps[1] = NAV_VALUE(VEL_NORTH_MPS, m.vel_north_mps);
    record->vel_pad_mps[2] = NAV_VALUE(VEL_UP_MPS, m.vel_up_mps);
    record->q_pad_from_body[0] = NAV_VALUE(Q_0, m.q_0);
    record->q_pad_from_body[1] = NAV_VALUE(Q_1, m.q_1);
    record->q_pad_from_body[2] = NAV_VALUE(Q_2, m.q_2);
    record->q_pad_from_body[3] = NAV_VALUE(Q_3, m.q_3);
    record->omega_body_radps[0] = NAV_VALUE(OMEGA_X_RADPS, m.omega_x_radps);
    record->omega_body_radps[1] = NAV_VALUE(OMEGA_Y_RADPS, m.omega_y_radps);
    record->omega_body_radps[2] = NAV_VALUE(OMEGA_Z_RADPS, m.omega_z_radps);
    record->force_body_mps2[0] = NAV_VALUE(FORCE_X_MPS2, m.force_x_mps2);
    record->force_body_mps2[1] = NAV_VALUE(FORCE_Y_MPS2, m.force_y_mps2);
    record->force_body_mps2[2] = NAV_VALUE(FORCE_Z_MPS2, m.force_z_mps2);
    return 1;
}

void records_round_command(record_command_t *record)
{
    uint8_t data[8];
    records_pack_command(data, record);
    (void)records_unpack_command(record, data);
}

void records_round_status(record_status_t *record)
{
    uint8_t data[8];
    records_pack_status(data, record);
    (void)records_unpack_status(record, data);
    records_pack_gimbal(data, record);
    (void)records_unpack_gimbal(record, data);
}

void records_round_telemetry(record_telemetry_t *record)
{
    uint8_t data[8];
    for (uint32_t i = 0; i < RECORDS_TELEMETRY_FRAMES; ++i) {
        records_pack_telemetry(data, i, record);
        (void)records_unpack_telemetry(record, i, data);
    }
}

void records_round_nav(record_nav_t *record)
{
    uint8_t data[RECORDS_NAV_BYTES];
    uint8_t counter = 0;
    records_pack_nav(data, 0, record);
    (void)records_unpack_nav(record, &counter, data);
}
