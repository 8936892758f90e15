/* minimal.c - the smallest guidance kernel that lands `nominal`: an example to start from.
 *
 * Fall engines first; light when the stopping distance is reached; brake on all engines down to a
 * hand-over speed, then land on the centre one; steer by tilting the thrust.  It knows no failures.
 */
#include <math.h>
#include <string.h>

#include "fk_interface.h"

#define G 9.80665
#define HAND_OVER_MPS 40.0 /* the outer engines are shut down at this speed */
#define POS_GAIN 0.075     /* 1/s^2, sideways */
#define VEL_GAIN 0.36      /* 1/s */
#define TURN_GAIN 1.8      /* 1/s^2, attitude */
#define RATE_GAIN 2.4      /* 1/s */

typedef struct {
    fk_if_config_t c;
    double mass_kg;
    int32_t mode;
} state_t;

void fk_if_describe(fk_if_info_t *info)
{
    const fk_if_info_t mine = {FK_IF_VERSION,
                               sizeof(state_t),
                               sizeof(fk_if_input_t),
                               sizeof(fk_if_output_t),
                               sizeof(fk_if_config_t),
                               FK_IF_MAX_ENGINES,
                               "minimal"};
    *info = mine;
}

int32_t fk_if_init(void *state, const fk_if_config_t *config)
{
    state_t *s = state;
    memset(s, 0, sizeof *s);
    s->c = *config;
    s->mass_kg = config->mass_kg;
    return (config->version == FK_IF_VERSION && config->engine_count > 0) ? 0 : 1;
}

static double clamp(double x, double low, double high)
{
    return (x < low) ? low : (x > high) ? high : x;
}

/* Body components of the unit vector that the nose should point along, from a pad vector. */
static void to_body(const double q[4], const double v[3], double out[3])
{
    const double w = q[0], x = -q[1], y = -q[2], z = -q[3];
    const double tx = 2.0 * (y * v[2] - z * v[1]), ty = 2.0 * (z * v[0] - x * v[2]),
                 tz = 2.0 * (x * v[1] - y * v[0]);
    out[0] = v[0] + w * tx + y * tz - z * ty;
    out[1] = v[1] + w * ty + z * tx - x * tz;
    out[2] = v[2] + w * tz + x * ty - y * tx;
}

/* Commanded upward acceleration of the thrust; moves the mode on. */
static double vertical(state_t *s, const fk_if_nav_t *nav, double brake_mps2, double land_mps2, double lead_s,
                       int32_t light)
{
    const double down = -nav->vel_pad_mps[2], last = 0.5 * s->c.touchdown_speed_mps;
    const double slow = 0.8 * (land_mps2 - G); /* net deceleration of the last phase */
    const double drag = fabs(nav->force_body_mps2[2]) * s->c.plume_factor; /* mean over the braking */
    const double h1 = (HAND_OVER_MPS * HAND_OVER_MPS - last * last) / (2.0 * slow);
    const double h = fmax(nav->height_m, 0.1);
    const double stop = (down * down - HAND_OVER_MPS * HAND_OVER_MPS) / (2.0 * (brake_mps2 - G + drag));
    if (s->mode == FK_IF_COAST && (light || (down > 0.0 && h < h1 + stop + down * lead_s))) {
        s->mode = FK_IF_BRAKING;
    }
    if (s->mode == FK_IF_BRAKING && down < HAND_OVER_MPS) {
        s->mode = FK_IF_TERMINAL;
    }
    if (s->mode == FK_IF_TERMINAL && (h < 0.3 || down < -0.5)) {
        s->mode = FK_IF_SHUTDOWN_DONE;
    }
    if (s->mode == FK_IF_BRAKING) {
        return G + (down * down - HAND_OVER_MPS * HAND_OVER_MPS) / (2.0 * fmax(h - h1, 5.0));
    }
    return G + slow + 1.5 * (down - sqrt(last * last + 2.0 * slow * h));
}

/* Turning accelerations about body x, y, z wanted to bring the nose to `nose`. */
static void attitude(const fk_if_nav_t *nav, const double nose[3], double out[3])
{
    double b[3];
    to_body(nav->q_pad_from_body, nose, b);
    out[0] = TURN_GAIN * -b[1] - RATE_GAIN * nav->omega_body_radps[0];
    out[1] = TURN_GAIN * b[0] - RATE_GAIN * nav->omega_body_radps[1];
    out[2] = -0.5 * nav->omega_body_radps[2];
}

/* Thrust of all engines now, from their chamber pressures; *firing counts them. */
static double thrust_now(const fk_if_config_t *c, const fk_if_input_t *in, int32_t *firing)
{
    double sum = 0.0;
    *firing = 0;
    for (int32_t i = 0; i < c->engine_count; ++i) {
        *firing += in->engine[i].state == FK_IF_ENGINE_MAINSTAGE;
        sum += c->engine[i].thrust_sl_n * in->engine[i].chamber_pa / c->engine[i].chamber_pa;
    }
    return sum;
}

/* One engine: what is asked of it, and its throttle and gimbal where it is wanted. */
static void engine(const state_t *s, int32_t i, double throttle, const double angle_rad[2],
                   fk_if_engine_command_t *cmd)
{
    const fk_if_engine_config_t *e = &s->c.engine[i];
    const int32_t wanted = s->mode == FK_IF_BRAKING || (s->mode == FK_IF_TERMINAL && e->centre);
    cmd->share = wanted || s->mode == FK_IF_COAST;
    cmd->request = (s->mode == FK_IF_COAST) ? FK_IF_REQUEST_ARM : FK_IF_REQUEST_SHUTDOWN;
    if (wanted) {
        cmd->request = FK_IF_REQUEST_START;
        cmd->ox_valve_cmd = clamp(throttle, e->throttle_floor, 1.0);
        cmd->fuel_valve_cmd = cmd->ox_valve_cmd;
        cmd->gimbal_x_cmd_rad = clamp(angle_rad[0], -e->gimbal_limit_rad, e->gimbal_limit_rad);
        cmd->gimbal_y_cmd_rad = clamp(angle_rad[1], -e->gimbal_limit_rad, e->gimbal_limit_rad);
    }
}

static void fins(const fk_if_config_t *c, const double turn[3], double speed, double out[4])
{
    const double q = fmax(0.6 * speed * speed * c->fin_slope_m2_per_rad, 1e3);
    const double tilt = c->inertia_transverse_kgm2 / (2.0 * (c->fin_z_m - c->dry_cm_z_m) * q);
    const double roll = turn[2] * c->inertia_axial_kgm2 / (4.0 * c->fin_arm_m * q);
    const double each[4] = {-tilt * turn[0], -tilt * turn[1], tilt * turn[0], tilt * turn[1]};
    for (int32_t i = 0; i < FK_IF_FINS; ++i) {
        out[i] = clamp(each[i] + roll, -c->fin_limit_rad, c->fin_limit_rad);
    }
}

void fk_if_step(void *state, const fk_if_input_t *in, fk_if_output_t *out)
{
    state_t *s = state;
    const fk_if_config_t *c = &s->c;
    const fk_if_nav_t *nav = &in->nav;
    const double n = c->engine_count, full = c->engine[0].thrust_sl_n,
                 speed = fmax(-nav->vel_pad_mps[2], 1.0);
    double turn[3], nose[3] = {0.0, 0.0, 1.0};
    int32_t firing;
    memset(out, 0, sizeof *out);
    const double thrust = thrust_now(c, in, &firing);
    s->mass_kg = fmax(s->mass_kg - thrust / (c->engine[0].isp_vac_s * G) * c->frame_s, c->dry_mass_kg);
    const int32_t forced = c->ignition_forced && (double)in->t_ns * 1e-9 >= c->ignition_forced_t_s;
    const double gentle = fmin(c->land_throttle, 0.72); /* so that there is time to steer */
    const double a = vertical(s, nav, n * full * c->brake_throttle / s->mass_kg, full * gentle / s->mass_kg,
                              c->engine[0].start_s, forced);
    const int32_t burning = s->mode == FK_IF_BRAKING || s->mode == FK_IF_TERMINAL;
    const double most = 0.5 * c->tilt_limit_rad * clamp(1.5 - speed / 150.0, 0.1, 1.0);
    for (int32_t k = 0; k < 2; ++k) { /* lean against position and velocity, less where the air is fast */
        const double lean = -POS_GAIN * nav->pos_pad_m[k] - VEL_GAIN * nav->vel_pad_mps[k];
        nose[k] = burning ? clamp(lean / fmax(a, G), -most, most) : -nav->vel_pad_mps[k] / speed;
    }
    attitude(nav, nose, turn);
    const double lever = (c->dry_cm_z_m - c->gimbal_plane_z_m) * fmax(thrust, full * fmax(firing, 1.0) * 0.5);
    const double angle[2] = {-c->inertia_transverse_kgm2 * turn[1] / lever,
                             c->inertia_transverse_kgm2 * turn[0] / lever};
    const double sharing = (s->mode == FK_IF_TERMINAL) ? 1.0 : fmax(firing, 1.0);
    for (int32_t i = 0; i < c->engine_count; ++i) {
        engine(s, i, s->mass_kg * a / (sharing * full), angle, &out->engine[i]);
    }
    fins(c, turn, speed, out->fin_cmd_rad);
    out->telemetry.mode = s->mode;
    out->telemetry.mass_est_kg = s->mass_kg;
    out->telemetry.thrust_cmd_n = burning ? s->mass_kg * a : 0.0;
    out->telemetry.accel_cmd_pad_mps2[2] = burning ? a : 0.0;
    out->telemetry.nav_age_s = (double)(in->t_ns - nav->valid_t_ns) * 1e-9;
    out->telemetry.work = c->engine_count; /* turns of the longest loop; the bound is in the description */
    out->telemetry.plan_source = burning;
}
