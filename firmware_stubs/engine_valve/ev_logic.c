/* ev_logic.c - state machine first, then the loops that serve it. */
#include "ev_logic.h"

#include <math.h>
#include <string.h>

#include "firmware.h"

#define NS_PER_S 1e9
#define CLOSED_FRAMES 2      /* both valves on their stops for so long: the sequence is through */
#define STROKE_ALLOWANCE 1.5 /* of the stroke time, for a valve whose sensor is silent */

static int64_t to_ns(double seconds)
{
    return (int64_t)(seconds * NS_PER_S + 0.5);
}

static double clamp(double x, double limit)
{
    return (x > limit) ? limit : (x < -limit) ? -limit : x;
}

static int32_t between(double x, double low, double high)
{
    return isfinite(x) && x >= low && x <= high;
}

static int32_t times_usable(const ev_config_t *c)
{
    return between(c->frame_s, 1e-3, 0.1) && between(c->watchdog_s, 0.01, 1.0)
           && between(c->start_igniter_lead_s, 0.0, 60.0) && between(c->start_fuel_lead_s, 0.0, 60.0)
           && between(c->start_light_timeout_s, 0.0, 60.0) && between(c->shutdown_gap_s, 0.0, 60.0)
           && between(c->stroke_time_s, 1e-3, 60.0);
}

static int32_t usable(const ev_config_t *c)
{
    return times_usable(c) && between(c->valve_slew_per_s, 1e-3, 1e3)
           && between(c->valve_gain_per_s, 0.0, 1e4) && between(c->gimbal_rate_radps, 1e-4, 1e2)
           && between(c->gimbal_gain_per_s, 0.0, 1e4) && between(c->gimbal_limit_rad, 0.0, 1.0)
           && between(c->chamber_pa, 1.0, 1e9) && between(c->mainstage_chamber_fraction, 0.0, 1.0)
           && between(c->start_valve_pos, 0.0, 1.0) && between(c->closed_pos, 0.0, 1.0) && c->node >= 1
           && c->node <= RECORDS_MAX_ENGINES && (c->shutdown_first == EV_OX || c->shutdown_first == EV_FUEL);
}

int32_t ev_init(ev_t *ev, const ev_config_t *config)
{
    if (config->version != EV_CONFIG_VERSION) {
        return FIRMWARE_BAD_VERSION;
    }
    if (config->size != sizeof *config) {
        return FIRMWARE_BAD_SIZE;
    }
    if (!usable(config)) {
        return FIRMWARE_BAD_VALUE;
    }
    for (int32_t kind = 0; kind < EV_KINDS; ++kind) {
        if (!ev_limits_valid(&config->limit[kind])) {
            return FIRMWARE_BAD_VALUE;
        }
    }
    memset(ev, 0, sizeof *ev);
    ev->config = *config;
    ev->state = ENGINE_SAFE;
    ev->closed[EV_OX] = 1;
    ev->closed[EV_FUEL] = 1;
    return FIRMWARE_READY;
}

static void enter(ev_t *ev, int32_t state)
{
    ev->state = state;
    ev->entered_t_ns = ev->t_ns;
    ev->closed_frames = 0;
}

/* Starts the shutdown sequence; goes on with it when it already runs (as in FAULT). */
static void shut_down(ev_t *ev, int32_t state, int32_t cause)
{
    if (ev->state != ENGINE_SHUTDOWN && ev->state != ENGINE_FAULT) {
        const int32_t first = ev->config.shutdown_first;
        ev->close_t_ns[first] = ev->t_ns;
        ev->close_t_ns[1 - first] = ev->t_ns + to_ns(ev->config.shutdown_gap_s);
    }
    ev->cause = cause;
    enter(ev, state);
}

static int32_t has_leave(const ev_t *ev)
{
    return !ev->config.enable_demanded || ev->enable.mode != ENABLE_STOP;
}

void ev_hear_enable(ev_t *ev, int64_t t_ns, const record_enable_t *enable)
{
    const int32_t safe = ev->running && ev->sensed && ev_safe(ev);
    if (ev_enable_hear(&ev->enable, t_ns, to_ns(ev->config.watchdog_s), enable, safe)) {
        for (int32_t i = 0; i < EV_ACTUATORS; ++i) {
            ev_limits_new_run(&ev->usage[i]);
        }
        ev->limited = 0;
        ev->enable.two_benches = 0;
        ev->fault &= ~(FAULT_WATCHDOG | FAULT_ENABLE | FAULT_BENCHES | FAULT_LIMIT);
        for (int32_t v = 0; v < EV_VALVES; ++v) {
            ev->model_pos[v] = 0.0;
            ev->model_rad[v] = 0.0;
        }
    }
    ev->fault |= ev->enable.two_benches ? FAULT_BENCHES : 0;
}

/* COLD: the sensors of actuators that would move. */
static void as_modelled(const ev_t *ev, ev_sensors_t *sensors)
{
    for (int32_t v = 0; v < EV_VALVES; ++v) {
        sensors->valve_pos[v] = ev->model_pos[v];
        sensors->valve_valid[v] = 1;
        sensors->gimbal_rad[v] = ev->model_rad[v];
        sensors->gimbal_valid[v] = 1;
    }
}

static void move_model(ev_t *ev)
{
    for (int32_t v = 0; v < EV_VALVES; ++v) {
        const double stroke = ev->wanted.valve_drive[v] * ev->config.valve_slew_per_s * ev->config.frame_s;
        const double turn = ev->wanted.gimbal_drive[v] * ev->config.gimbal_rate_radps * ev->config.frame_s;
        const double pos = ev->model_pos[v] + stroke;
        ev->model_pos[v] = (pos < 0.0) ? 0.0 : (pos > 1.0) ? 1.0 : pos;
        ev->model_rad[v] = clamp(ev->model_rad[v] + turn, ev->config.gimbal_limit_rad);
    }
}

/* Keeps the newest valid readings and judges which valves are on their stops. */
static void look(ev_t *ev, const ev_sensors_t *sensors)
{
    const int32_t closing = (ev->state == ENGINE_SHUTDOWN || ev->state == ENGINE_FAULT);
    const int64_t allowed = to_ns(ev->config.stroke_time_s * STROKE_ALLOWANCE);
    for (int32_t v = 0; v < EV_VALVES; ++v) {
        if (sensors->valve_valid[v]) {
            ev->held_pos[v] = sensors->valve_pos[v];
            ev->closed[v] = sensors->valve_pos[v] <= ev->config.closed_pos;
        } else if (closing && ev->t_ns - ev->close_t_ns[v] >= allowed) {
            ev->closed[v] = 1;
        } else if (ev->state == ENGINE_START || ev->state == ENGINE_MAINSTAGE) {
            ev->closed[v] = 0;
        }
        if (!sensors->valve_valid[v] || !sensors->gimbal_valid[v] || !sensors->chamber_valid) {
            ev->fault |= FAULT_SENSOR;
        }
    }
    ev->sensed = sensors->valve_valid[EV_OX] && sensors->valve_valid[EV_FUEL];
    ev->closed_frames = (ev->closed[EV_OX] && ev->closed[EV_FUEL]) ? ev->closed_frames + 1 : 0;
    if (ev->closed_frames > CLOSED_FRAMES) {
        ev->closed_frames = CLOSED_FRAMES;
    }
}

/* The request is an edge where it starts something and a level where it keeps something running. */
static void obey(ev_t *ev, int32_t request)
{
    const int32_t keeps = (request == REQUEST_START || request == REQUEST_RUN);
    switch (ev->state) {
    case ENGINE_SAFE:
        if (request == REQUEST_ARM && has_leave(ev) && !ev->limited) {
            enter(ev, ENGINE_ARMED);
        }
        break;
    case ENGINE_ARMED:
        if (request == REQUEST_START) {
            enter(ev, ENGINE_START);
        } else if (request == REQUEST_SAFE) {
            enter(ev, ENGINE_SAFE);
        } else if (request == REQUEST_SHUTDOWN) {
            shut_down(ev, ENGINE_SHUTDOWN, EV_CAUSE_COMMAND);
        }
        break;
    case ENGINE_START:
    case ENGINE_MAINSTAGE:
        if (!keeps) {
            shut_down(ev, ENGINE_SHUTDOWN, EV_CAUSE_COMMAND);
        }
        break;
    case ENGINE_FAULT:
        if (request == REQUEST_SAFE) {
            shut_down(ev, ENGINE_SHUTDOWN, EV_CAUSE_NOT_LIT);
        }
        break;
    default: /* SHUTDOWN takes no request */
        break;
    }
}

static int32_t may_shut_down(const ev_t *ev)
{
    return ev->state != ENGINE_SAFE && ev->state != ENGINE_SHUTDOWN;
}

/* The dead-man: leave that is not renewed is lost, and without leave nothing stays open. */
static void watch_leave(ev_t *ev)
{
    const int64_t half_frame = to_ns(0.5 * ev->config.frame_s);
    const int64_t silent = ev->t_ns - ev->enable.heard_t_ns + half_frame;
    if (ev->enable.mode != ENABLE_STOP && silent >= to_ns(ev->config.watchdog_s)) {
        ev_enable_lose(&ev->enable, ev->state == ENGINE_SAFE);
    }
    if (!has_leave(ev) && may_shut_down(ev)) {
        ev->fault |= FAULT_ENABLE;
        shut_down(ev, ENGINE_SHUTDOWN, EV_CAUSE_ENABLE);
    }
}

/* Watchdog, chamber pressure and the end of the sequence: what happens without a request. */
static void watch(ev_t *ev, const ev_sensors_t *sensors)
{
    const int64_t half_frame = to_ns(0.5 * ev->config.frame_s);
    const int64_t silent = ev->t_ns - ev->heard_t_ns + half_frame;
    watch_leave(ev);
    if (may_shut_down(ev) && silent >= to_ns(ev->config.watchdog_s)) {
        ev->fault |= FAULT_WATCHDOG;
        shut_down(ev, ENGINE_SHUTDOWN, EV_CAUSE_WATCHDOG);
    }
    if (ev->state == ENGINE_START) {
        const double lit_pa = ev->config.mainstage_chamber_fraction * ev->config.chamber_pa;
        if (sensors->chamber_valid && sensors->chamber_pa >= lit_pa) {
            enter(ev, ENGINE_MAINSTAGE);
        } else if (ev->t_ns - ev->entered_t_ns >= to_ns(ev->config.start_light_timeout_s)) {
            ev->fault |= FAULT_NOT_LIT;
            shut_down(ev, ENGINE_FAULT, EV_CAUSE_NOT_LIT);
        }
    }
    if (ev->state == ENGINE_SHUTDOWN && ev->closed_frames >= CLOSED_FRAMES) {
        enter(ev, ENGINE_SAFE);
    }
}

/* Where a valve should be in START: shut until its lead is over. */
static double start_demand(const ev_t *ev, int32_t valve)
{
    double lead = ev->config.start_igniter_lead_s;
    if (valve == EV_OX) {
        lead += ev->config.start_fuel_lead_s;
    }
    return (ev->t_ns - ev->entered_t_ns >= to_ns(lead)) ? ev->config.start_valve_pos : 0.0;
}

static double valve_drive(const ev_t *ev, int32_t valve, int32_t valid)
{
    const double gain = ev->config.valve_gain_per_s / ev->config.valve_slew_per_s;
    const double pos = ev->held_pos[valve];
    if (ev->state == ENGINE_SHUTDOWN || ev->state == ENGINE_FAULT) {
        if (ev->t_ns < ev->close_t_ns[valve]) {
            return 0.0; /* its turn comes later: it stays where it is */
        }
        if (!ev->closed[valve]) {
            return -1.0;
        }
    }
    if (!valid) {
        return 0.0; /* no loop without its sensor */
    }
    if (ev->state == ENGINE_START) {
        return clamp(gain * (start_demand(ev, valve) - pos), 1.0);
    }
    if (ev->state == ENGINE_MAINSTAGE) {
        const double demand = (valve == EV_OX) ? ev->command.ox_valve_cmd : ev->command.fuel_valve_cmd;
        return clamp(gain * (demand - pos), 1.0);
    }
    const double drive = clamp(-gain * pos, 1.0);
    return (drive < 0.0) ? drive : 0.0; /* held on its stop, never opened */
}

static double gimbal_drive(const ev_t *ev, int32_t axis, double angle_rad, int32_t valid)
{
    const double limit = ev->config.gimbal_limit_rad;
    const double gain = ev->config.gimbal_gain_per_s / ev->config.gimbal_rate_radps;
    if (!valid || !has_leave(ev) || ev->state == ENGINE_SHUTDOWN || ev->state == ENGINE_FAULT) {
        return 0.0; /* holds until the valves are shut */
    }
    double demand = 0.0;
    if (ev->state == ENGINE_START || ev->state == ENGINE_MAINSTAGE) {
        demand = (axis == 0) ? ev->command.gimbal_x_cmd_rad : ev->command.gimbal_y_cmd_rad;
    }
    return clamp(gain * (clamp(demand, limit) - angle_rad), 1.0);
}

static void report(const ev_t *ev, const ev_sensors_t *sensors, record_status_t *status)
{
    status->state = ev->state;
    status->fault = ev->fault;
    status->ox_valve_pos = ev->held_pos[EV_OX];
    status->fuel_valve_pos = ev->held_pos[EV_FUEL];
    status->chamber_pa = sensors->chamber_valid ? sensors->chamber_pa : 0.0;
    status->gimbal_x_rad = sensors->gimbal_valid[0] ? sensors->gimbal_rad[0] : 0.0;
    status->gimbal_y_rad = sensors->gimbal_valid[1] ? sensors->gimbal_rad[1] : 0.0;
}

static void decide(ev_t *ev, const ev_sensors_t *sensors)
{
    for (int32_t i = 0; i < EV_VALVES; ++i) {
        ev->wanted.valve_drive[i] = valve_drive(ev, i, sensors->valve_valid[i]);
        ev->wanted.gimbal_drive[i] = gimbal_drive(ev, i, sensors->gimbal_rad[i], sensors->gimbal_valid[i]);
    }
    ev->wanted.igniter = (ev->state == ENGINE_START) ? 1.0 : 0.0;
}

/* Counts what is driven (in COLD: would be); one actuator over its limit shuts the board down. */
static void spend_limits(ev_t *ev, const ev_sensors_t *sensors)
{
    const double valve = ev->config.valve_slew_per_s;
    const double travel_rad = 2.0 * ev->config.gimbal_limit_rad;
    const double gimbal = (travel_rad > 0.0) ? ev->config.gimbal_rate_radps / travel_rad : 0.0;
    const double drive[EV_ACTUATORS] = {ev->wanted.valve_drive[EV_OX], ev->wanted.valve_drive[EV_FUEL],
                                        ev->wanted.gimbal_drive[0], ev->wanted.gimbal_drive[1],
                                        ev->wanted.igniter};
    const double speed[EV_ACTUATORS] = {valve, valve, gimbal, gimbal, 0.0};
    const int32_t kind[EV_ACTUATORS] = {EV_KIND_VALVE, EV_KIND_VALVE, EV_KIND_GIMBAL, EV_KIND_GIMBAL,
                                        EV_KIND_IGNITER};
    int32_t within = 1;
    for (int32_t i = 0; i < EV_ACTUATORS; ++i) {
        const ev_limit_t *limit = &ev->config.limit[kind[i]];
        within &= ev_limits_use(&ev->usage[i], limit, drive[i], speed[i], ev->config.frame_s);
    }
    if (!within && may_shut_down(ev)) {
        ev->limited = 1;
        ev->fault |= FAULT_LIMIT;
        shut_down(ev, ENGINE_SHUTDOWN, EV_CAUSE_LIMIT);
        decide(ev, sensors);
    }
}

/* What really goes out: nothing in COLD, and no igniter that is not allowed. */
static void put_out(const ev_t *ev, ev_drives_t *drives)
{
    if (ev->enable.mode == ENABLE_COLD) {
        memset(drives, 0, sizeof *drives);
        return;
    }
    *drives = ev->wanted;
    if (ev->config.enable_demanded && !ev->enable.igniter) {
        drives->igniter = 0.0;
    }
}

void ev_step(ev_t *ev, int64_t t_ns, const record_command_t *command, const ev_sensors_t *sensors,
             ev_drives_t *drives, record_status_t *status)
{
    ev_sensors_t seen = *sensors;
    ev->t_ns = t_ns;
    if (!ev->running) {
        ev->running = 1;
        ev->heard_t_ns = t_ns;
        ev->entered_t_ns = t_ns;
    }
    if (ev->enable.mode == ENABLE_COLD) {
        as_modelled(ev, &seen);
    }
    look(ev, &seen);
    if (command->fresh) {
        ev->command = *command;
        ev->heard_t_ns = t_ns;
        obey(ev, command->request);
    }
    watch(ev, &seen);
    decide(ev, &seen);
    spend_limits(ev, &seen);
    put_out(ev, drives);
    report(ev, &seen, status);
    move_model(ev);
}

void ev_drive_record(const ev_t *ev, record_drive_t *record)
{
    record->ox_drive = ev->wanted.valve_drive[EV_OX];
    record->fuel_drive = ev->wanted.valve_drive[EV_FUEL];
    record->gimbal_x_drive = ev->wanted.gimbal_drive[0];
    record->gimbal_y_drive = ev->wanted.gimbal_drive[1];
    record->igniter = (ev->wanted.igniter > 0.0) ? 1 : 0;
    record->mode = ev->enable.mode;
    record->nonce = ev->enable.nonce;
}

int32_t ev_safe(const ev_t *ev)
{
    return ev->state == ENGINE_SAFE && ev->closed[EV_OX] && ev->closed[EV_FUEL];
}

const char *ev_describe(const ev_t *ev)
{
    static const char *const shutdown_text[] = {"SHUTDOWN",
                                                "SHUTDOWN cause command",
                                                "SHUTDOWN cause watchdog",
                                                "SHUTDOWN cause not lit",
                                                "SHUTDOWN cause enable",
                                                "SHUTDOWN cause limit"};
    switch (ev->state) {
    case ENGINE_SAFE:
        return ev_safe(ev) ? "SAFE valves closed" : "SAFE valves open";
    case ENGINE_ARMED:
        return "ARMED";
    case ENGINE_START:
        return "START";
    case ENGINE_MAINSTAGE:
        return "MAINSTAGE";
    case ENGINE_FAULT:
        return "FAULT cause not lit";
    default:
        return shutdown_text[ev->cause];
    }
}
