/* fc_logic.c - map, step the kernel, check, map back. */
#include "fc_logic.h"

#include <math.h>
#include <string.h>

#include "firmware.h"

#define KERNEL_OFFSET ((sizeof(fc_t) + 15u) & ~(size_t)15u)
#define MOST_KERNEL_STATE (64u * 1024u * 1024u)
#define MOST_COUNTED 255            /* as the telemetry frame */
#define RANGE_ALLOWANCE 1e-9        /* a limit that the kernel converts itself may differ in the last bits */
#define RATE_ALLOWANCE (1.0 + 1e-9) /* a step of exactly the rate limit passes */

static void *kernel_state(fc_t *fc)
{
    return (unsigned char *)fc + KERNEL_OFFSET;
}

size_t fc_state_size(const fc_kernel_t *kernel)
{
    fk_if_info_t info;
    memset(&info, 0, sizeof info);
    kernel->describe(&info);
    if (info.version != FK_IF_VERSION || info.input_size != sizeof(fk_if_input_t)
        || info.output_size != sizeof(fk_if_output_t) || info.config_size != sizeof(fk_if_config_t)
        || info.state_size > MOST_KERNEL_STATE) {
        return 0;
    }
    return KERNEL_OFFSET + ((info.state_size + 15u) & ~(size_t)15u);
}

int32_t fc_init(fc_t *fc, const fc_kernel_t *kernel, const fc_config_t *config)
{
    if (config->version != FC_CONFIG_VERSION) {
        return FIRMWARE_BAD_VERSION;
    }
    if (config->size != sizeof *config) {
        return FIRMWARE_BAD_SIZE;
    }
    if (config->kernel.engine_count < 1 || config->kernel.engine_count > FK_IF_MAX_ENGINES) {
        return FIRMWARE_BAD_VALUE;
    }
    for (int32_t i = 0; i < config->kernel.engine_count; ++i) {
        if (config->node[i] < 1 || config->node[i] > FK_IF_MAX_ENGINES) {
            return FIRMWARE_BAD_VALUE;
        }
    }
    const size_t size = fc_state_size(kernel);
    if (size == 0) {
        return FIRMWARE_BAD_KERNEL;
    }
    memset(fc, 0, size);
    fc->kernel = *kernel;
    fc->config = *config;
    return (kernel->init(kernel_state(fc), &fc->config.kernel) == 0) ? FIRMWARE_READY : FIRMWARE_REFUSED;
}

static void map_nav(fk_if_nav_t *to, const record_nav_t *from)
{
    to->fresh = from->fresh;
    if (!from->fresh) {
        return; /* the last one stays */
    }
    to->valid_t_ns = from->valid_t_ns;
    to->valid = from->valid;
    to->height_m = from->height_m;
    memcpy(to->pos_pad_m, from->pos_pad_m, sizeof to->pos_pad_m);
    memcpy(to->vel_pad_mps, from->vel_pad_mps, sizeof to->vel_pad_mps);
    memcpy(to->q_pad_from_body, from->q_pad_from_body, sizeof to->q_pad_from_body);
    memcpy(to->omega_body_radps, from->omega_body_radps, sizeof to->omega_body_radps);
    memcpy(to->force_body_mps2, from->force_body_mps2, sizeof to->force_body_mps2);
}

static void map_status(fk_if_engine_status_t *to, const record_status_t *from)
{
    to->fresh = from->fresh;
    if (!from->fresh) {
        return;
    }
    to->ox_valve_pos = from->ox_valve_pos;
    to->fuel_valve_pos = from->fuel_valve_pos;
    to->chamber_pa = from->chamber_pa;
    to->gimbal_x_rad = from->gimbal_x_rad;
    to->gimbal_y_rad = from->gimbal_y_rad;
    to->state = from->state;
    to->fault = from->fault;
}

static int32_t output_is_finite(const fk_if_output_t *out, int32_t engines)
{
    int32_t good = 1;
    for (int32_t i = 0; i < engines; ++i) {
        const fk_if_engine_command_t *e = &out->engine[i];
        good = good && isfinite(e->ox_valve_cmd) && isfinite(e->fuel_valve_cmd);
        good = good && isfinite(e->gimbal_x_cmd_rad) && isfinite(e->gimbal_y_cmd_rad);
    }
    for (int32_t i = 0; i < FK_IF_FINS; ++i) {
        good = good && isfinite(out->fin_cmd_rad[i]);
    }
    return good;
}

static int32_t telemetry_is_finite(const fk_if_telemetry_t *t)
{
    int32_t good = isfinite(t->time_to_go_s) && isfinite(t->thrust_cmd_n) && isfinite(t->mass_est_kg)
                   && isfinite(t->ignition_margin_m) && isfinite(t->ignition_margin_s)
                   && isfinite(t->plan_age_s) && isfinite(t->nav_age_s);
    for (int32_t i = 0; i < 3; ++i) {
        good = good && isfinite(t->accel_cmd_pad_mps2[i]);
    }
    return good;
}

static int32_t outside(double x, double low, double high)
{
    return isfinite(x) && (x < low - RANGE_ALLOWANCE || x > high + RANGE_ALLOWANCE);
}

static int32_t output_is_in_range(const fk_if_output_t *out, const fk_if_config_t *config)
{
    int32_t bad = out->telemetry.mode < FK_IF_COAST || out->telemetry.mode > FK_IF_ABORT
                  || out->telemetry.plan_source < 0 || out->telemetry.plan_source > FK_IF_ASIDE_OF_KEEP_OUT
                  || out->telemetry.work < 0;
    for (int32_t i = 0; i < config->engine_count; ++i) {
        const fk_if_engine_command_t *e = &out->engine[i];
        const double angle = config->engine[i].gimbal_limit_rad;
        bad = bad || outside(e->ox_valve_cmd, 0.0, 1.0) || outside(e->fuel_valve_cmd, 0.0, 1.0);
        bad =
            bad || outside(e->gimbal_x_cmd_rad, -angle, angle) || outside(e->gimbal_y_cmd_rad, -angle, angle);
        bad = bad || e->request < FK_IF_REQUEST_SAFE || e->request > FK_IF_REQUEST_SHUTDOWN;
    }
    for (int32_t i = 0; i < FK_IF_FINS; ++i) {
        bad = bad || outside(out->fin_cmd_rad[i], -config->fin_limit_rad, config->fin_limit_rad);
    }
    return !bad;
}

/* Counts what the kernel itself got wrong, before anything is made good. */
static void judge_kernel(fc_t *fc)
{
    const fk_if_config_t *config = &fc->config.kernel;
    fc_counters_t *n = &fc->counters;
    const int32_t finite =
        output_is_finite(&fc->out, config->engine_count) && telemetry_is_finite(&fc->out.telemetry);
    if (!finite && n->frames_not_finite < MOST_COUNTED) {
        ++n->frames_not_finite;
    }
    if (!output_is_in_range(&fc->out, config) && n->frames_out_of_range < MOST_COUNTED) {
        ++n->frames_out_of_range;
    }
}

/* What is flown instead of an output that cannot be used. */
static void stand_in(fc_t *fc)
{
    const fk_if_telemetry_t telemetry = fc->out.telemetry;
    ++fc->counters.not_finite;
    if (fc->bad_frames < FC_HOLD_FRAMES) {
        ++fc->bad_frames;
        fc->out = fc->good;
    } else {
        fc->out = fc->good;
        for (int32_t i = 0; i < fc->config.kernel.engine_count; ++i) {
            fc->out.engine[i].request = FK_IF_REQUEST_SHUTDOWN;
            fc->out.engine[i].ox_valve_cmd = 0.0;
            fc->out.engine[i].fuel_valve_cmd = 0.0;
        }
    }
    fc->out.telemetry = telemetry;
}

static double in_range(fc_counters_t *counters, double x, double low, double high)
{
    if (x < low || x > high) {
        ++counters->not_in_range;
        return (x < low) ? low : high;
    }
    return x;
}

static double in_rate(fc_counters_t *counters, double x, double last, double step)
{
    if (fabs(x - last) > step * RATE_ALLOWANCE) {
        ++counters->too_fast;
        return (x > last) ? last + step : last - step;
    }
    return x;
}

static void check_engine(fc_counters_t *n, const fk_if_engine_config_t *limits, double frame_s,
                         const fk_if_engine_command_t *last, fk_if_engine_command_t *e)
{
    const double valve_step = limits->valve_slew_per_s * frame_s;
    const double gimbal_step = limits->gimbal_rate_radps * frame_s;
    const double angle = limits->gimbal_limit_rad;
    e->ox_valve_cmd = in_range(n, e->ox_valve_cmd, 0.0, 1.0);
    e->fuel_valve_cmd = in_range(n, e->fuel_valve_cmd, 0.0, 1.0);
    e->gimbal_x_cmd_rad = in_range(n, e->gimbal_x_cmd_rad, -angle, angle);
    e->gimbal_y_cmd_rad = in_range(n, e->gimbal_y_cmd_rad, -angle, angle);
    e->ox_valve_cmd = in_rate(n, e->ox_valve_cmd, last->ox_valve_cmd, valve_step);
    e->fuel_valve_cmd = in_rate(n, e->fuel_valve_cmd, last->fuel_valve_cmd, valve_step);
    e->gimbal_x_cmd_rad = in_rate(n, e->gimbal_x_cmd_rad, last->gimbal_x_cmd_rad, gimbal_step);
    e->gimbal_y_cmd_rad = in_rate(n, e->gimbal_y_cmd_rad, last->gimbal_y_cmd_rad, gimbal_step);
    if (e->request < FK_IF_REQUEST_SAFE || e->request > FK_IF_REQUEST_SHUTDOWN) {
        ++n->not_in_range;
        e->request = FK_IF_REQUEST_SHUTDOWN;
    }
}

/* Finite, in range, within the rates: afterwards fc->out may go out. */
static void check_output(fc_t *fc)
{
    const fk_if_config_t *config = &fc->config.kernel;
    if (output_is_finite(&fc->out, config->engine_count)) {
        fc->bad_frames = 0;
    } else {
        stand_in(fc);
    }
    for (int32_t i = 0; i < config->engine_count; ++i) {
        check_engine(&fc->counters, &config->engine[i], config->frame_s, &fc->good.engine[i],
                     &fc->out.engine[i]);
    }
    for (int32_t i = 0; i < FK_IF_FINS; ++i) {
        const double step = config->fin_rate_radps * config->frame_s;
        double *fin = &fc->out.fin_cmd_rad[i];
        *fin = in_range(&fc->counters, *fin, -config->fin_limit_rad, config->fin_limit_rad);
        *fin = in_rate(&fc->counters, *fin, fc->good.fin_cmd_rad[i], step);
    }
    fc->good = fc->out;
}

static void map_telemetry(const fc_t *fc, record_telemetry_t *to)
{
    const fk_if_telemetry_t *from = &fc->out.telemetry;
    memcpy(to->accel_cmd_pad_mps2, from->accel_cmd_pad_mps2, sizeof to->accel_cmd_pad_mps2);
    to->time_to_go_s = from->time_to_go_s;
    to->thrust_cmd_n = from->thrust_cmd_n;
    to->mass_est_kg = from->mass_est_kg;
    to->ignition_margin_m = from->ignition_margin_m;
    to->ignition_margin_s = from->ignition_margin_s;
    to->ignition_margin_known = from->ignition_margin_known;
    to->work = from->work;
    to->plan_age_s = from->plan_age_s;
    to->nav_age_s = from->nav_age_s;
    to->mode = from->mode;
    to->plan_source = from->plan_source;
    to->engine_failed = 0;
    to->engine_share = 0;
    for (int32_t i = 0; i < fc->config.kernel.engine_count; ++i) {
        const uint64_t bit = (uint64_t)1 << (uint32_t)(fc->config.node[i] - 1);
        to->engine_failed |= (fc->out.engine[i].failed != 0) ? bit : 0;
        to->engine_share |= (fc->out.engine[i].share != 0) ? bit : 0;
    }
    to->kernel_not_finite = fc->counters.frames_not_finite;
    to->kernel_out_of_range = fc->counters.frames_out_of_range;
    to->fresh = 1;
}

void fc_step(fc_t *fc, int64_t t_ns, const fc_input_t *in, fc_output_t *out)
{
    const int32_t engines = fc->config.kernel.engine_count;
    fc->in.t_ns = t_ns;
    fc->in.abort = in->abort;
    map_nav(&fc->in.nav, &in->nav);
    for (int32_t i = 0; i < engines; ++i) {
        map_status(&fc->in.engine[i], &in->status[i]);
    }
    fc->kernel.step(kernel_state(fc), &fc->in, &fc->out);
    judge_kernel(fc);
    check_output(fc);
    for (int32_t i = 0; i < engines; ++i) {
        const fk_if_engine_command_t *from = &fc->out.engine[i];
        record_command_t *to = &out->command[i];
        to->request = from->request;
        to->ox_valve_cmd = from->ox_valve_cmd;
        to->fuel_valve_cmd = from->fuel_valve_cmd;
        to->gimbal_x_cmd_rad = from->gimbal_x_cmd_rad;
        to->gimbal_y_cmd_rad = from->gimbal_y_cmd_rad;
        to->fresh = 1;
    }
    memcpy(out->fin_cmd_rad, fc->out.fin_cmd_rad, sizeof out->fin_cmd_rad);
    map_telemetry(fc, &out->telemetry);
}
