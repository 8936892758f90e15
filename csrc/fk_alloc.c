/* Allocation: thrust and torque over the engines that are alive, the rest of the torque to the fins. */
#include "fk_math.h"
#include "fk_parts.h"

#define EFFICIENCY_LEAST 0.6
#define GIMBAL_FOLLOWS_S 0.1
#define ANEW_S 1.2 /* after engines have stopped */

static int32_t is_burning(const fk_engine_t *e, const fk_modes_t *modes, int32_t i)
{
    return modes->share[i] && e->running;
}

/* What each engine is asked to be: armed before the burn and again after a shutdown that nobody asked for (its board
 * starts from nothing else), started, run, or shut down; those that the finish does not use stay armed in case it
 * loses its own. */
static int32_t request_for(const fk_engine_t *e, const fk_modes_t *modes, int32_t i)
{
    const int32_t at_rest = e->state == FK_IF_ENGINE_SAFE || e->state == FK_IF_ENGINE_ARMED;
    const int32_t spare = e->stopped && !e->weak && modes->mode == FK_IF_TERMINAL && at_rest;
    const int32_t unarmed = e->state == FK_IF_ENGINE_SAFE || e->state == FK_IF_ENGINE_SHUTDOWN;
    if (e->failed || (e->stopped && !spare) || modes->mode >= FK_IF_TOUCHDOWN) {
        return FK_IF_REQUEST_SHUTDOWN;
    }
    if (modes->mode == FK_IF_COAST || spare || unarmed) {
        return FK_IF_REQUEST_ARM;
    }
    return is_burning(e, modes, i) ? FK_IF_REQUEST_RUN : FK_IF_REQUEST_START;
}

/* Valve position that gives `thrust` (at the ambient pressure) from an engine of this efficiency. */
static double valve_for(const fk_if_engine_config_t *e, double thrust, double pressure_ratio,
                        double efficiency)
{
    const double pressure_loss = e->thrust_vac_n - e->thrust_sl_n;
    const double fraction = (thrust + pressure_loss * pressure_ratio) / e->thrust_vac_n;
    return fk_clamp(fraction / fk_max(efficiency, EFFICIENCY_LEAST), e->throttle_floor, 1.0);
}

static double rated_thrust(const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                           const fk_modes_t *modes)
{
    double sum = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        sum += is_burning(&engine[i], modes, i) ? c->engine[i].thrust_sl_n * engine[i].efficiency : 0.0;
    }
    return sum;
}

/* Where the valves of an engine shall stand.  One that starts is already told where it will be wanted: its
 * board follows the command from the moment it burns. */
static double valve_command(const fk_if_config_t *c, const fk_stage_t *stage, const fk_engine_t *e, int32_t i,
                            int32_t request, double thrust)
{
    const double planned = c->brake_throttle * c->engine[i].thrust_sl_n;
    switch (request) {
    case FK_IF_REQUEST_RUN:
        return valve_for(&c->engine[i], thrust, stage->pressure_ratio, e->efficiency);
    case FK_IF_REQUEST_START:
        return valve_for(&c->engine[i], planned, stage->pressure_ratio, 1.0);
    default:
        return 0.0;
    }
}

static void set_thrust(fk_if_output_t *out, const fk_if_config_t *c, const fk_stage_t *stage,
                       const fk_engine_t engine[FK_ENGINES], const fk_demand_t *demand,
                       const fk_modes_t *modes)
{
    const double rated = rated_thrust(c, engine, modes);
    for (int32_t i = 0; i < c->engine_count; i++) {
        const fk_engine_t *e = &engine[i];
        fk_if_engine_command_t *command = &out->engine[i];
        const double part = rated > 0.0 ? c->engine[i].thrust_sl_n * e->efficiency / rated : 0.0;
        command->request = request_for(e, modes, i);
        command->failed = e->failed;
        command->share = modes->share[i] && command->request != FK_IF_REQUEST_SHUTDOWN;
        command->ox_valve_cmd = valve_command(c, stage, e, i, command->request, part * demand->thrust_n);
        command->fuel_valve_cmd = command->ox_valve_cmd;
    }
}

/* Sums over the burning engines that the gimbal allocation needs. */
typedef struct {
    double thrust, moment_x, moment_y, roll; /* thrust and roll of those that steer */
    int32_t sound;                           /* 1: any burns whose gimbal follows, and only such steer */
} cluster_t;

/* One whose gimbal does not follow is told to stand straight, where another steers: it stays out of the loop, and
 * shows whether it follows again. */
static int32_t steers(const fk_engine_t *e, const fk_modes_t *modes, int32_t i, int32_t sound)
{
    return is_burning(e, modes, i) && !(sound && e->lame);
}

static cluster_t cluster_of(const fk_if_config_t *c, const fk_stage_t *stage,
                            const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes)
{
    cluster_t s = {0.0, 0.0, 0.0, 0.0, 0};
    for (int32_t i = 0; i < c->engine_count; i++) {
        s.sound |= is_burning(&engine[i], modes, i) && !engine[i].lame;
    }
    for (int32_t i = 0; i < c->engine_count; i++) {
        const double *p = c->engine[i].pos_body_m;
        const double t = stage->thrust_n[i]; /* one that is shutting down or weak still turns the stage */
        s.moment_x += t * p[1];
        s.moment_y -= t * p[0];
        if (steers(&engine[i], modes, i, s.sound)) {
            s.thrust += t;
            s.roll += t * (p[0] * p[0] + p[1] * p[1]);
        }
    }
    return s;
}

static void set_fins(fk_if_output_t *out, const fk_if_config_t *c, const fk_stage_t *stage,
                     const double torque[3])
{
    const double force_per_rad = stage->dynamic_pressure_pa * c->fin_slope_m2_per_rad;
    const double authority = 2.0 * force_per_rad * (c->fin_z_m - stage->cm_z_m);
    const double roll_authority = 4.0 * force_per_rad * c->fin_arm_m;
    const double part = stage->fin_part;
    double x_force = 0.0; /* deflection that pushes towards +x: fins 3 and -1 */
    double y_force = 0.0;
    double roll = 0.0;
    if (c->fin_limit_rad > 0.0 && authority > FK_FINS_USEFUL_NM_PER_RAD) {
        x_force = part * torque[1] / authority;
        y_force = -part * torque[0] / authority;
        roll = torque[2] / fk_max(roll_authority, FK_FINS_USEFUL_NM_PER_RAD);
    }
    const double lim = c->fin_limit_rad;
    out->fin_cmd_rad[0] = fk_clamp(y_force + roll, -lim, lim);
    out->fin_cmd_rad[1] = fk_clamp(-x_force + roll, -lim, lim);
    out->fin_cmd_rad[2] = fk_clamp(-y_force + roll, -lim, lim);
    out->fin_cmd_rad[3] = fk_clamp(x_force + roll, -lim, lim);
}

/* How far the gimbals (all alike) stay behind an angle that they are asked for, by their stop or their rate. */
static double gimbals_lack(double *at, const fk_if_engine_config_t *e, double dt, double wanted)
{
    const double reach = e->gimbal_rate_radps * GIMBAL_FOLLOWS_S;
    const double told = fk_clamp(wanted, -e->gimbal_limit_rad, e->gimbal_limit_rad);
    const double moves = fk_clamp(told - *at, -reach, reach);
    const double lack = wanted - *at - moves;
    *at += fk_min(dt / GIMBAL_FOLLOWS_S, 1.0) * moves;
    return lack;
}

/* Angular acceleration that was asked for and will not come. */
static void find_unmet(fk_control_t *control, const fk_if_config_t *c, const fk_stage_t *stage, double lever,
                       double x, double y)
{
    const double per_rad = lever / stage->inertia_kgm2;
    control->unmet[0] = per_rad * gimbals_lack(&control->gimbal_rad[1], &c->engine[0], c->frame_s, y);
    control->unmet[1] = -per_rad * gimbals_lack(&control->gimbal_rad[0], &c->engine[0], c->frame_s, x);
}

static void set_gimbals(fk_if_output_t *out, const fk_if_config_t *c, const fk_stage_t *stage,
                        const fk_engine_t engine[FK_ENGINES], const fk_modes_t *modes, cluster_t s,
                        fk_control_t *control, const double torque[3])
{
    const double arm = stage->cm_z_m - c->gimbal_plane_z_m;
    const double lever = fk_max(s.thrust * arm, 1e3);
    const double x = -(torque[1] - s.moment_y) / lever;
    const double y = (torque[0] - s.moment_x) / lever;
    const double roll = s.roll > 1e4 ? torque[2] / s.roll : 0.0;
    find_unmet(control, c, stage, s.thrust * arm, x, y);
    for (int32_t i = 0; i < c->engine_count; i++) {
        const double lim = c->engine[i].gimbal_limit_rad;
        const int32_t on = steers(&engine[i], modes, i, s.sound);
        const double *p = c->engine[i].pos_body_m;
        out->engine[i].gimbal_x_cmd_rad = on ? fk_clamp(x - roll * p[1], -lim, lim) : 0.0;
        out->engine[i].gimbal_y_cmd_rad = on ? fk_clamp(y + roll * p[0], -lim, lim) : 0.0;
    }
}

/* Some engines stop and the others burn on: what turns the stage besides is learnt anew, and fast, where the gimbals do
 * what is asked.  What was held against a lame gimbal goes with its engine. */
static void notice_stop(fk_control_t *control, const fk_if_config_t *c, const fk_engine_t engine[FK_ENGINES],
                        const fk_modes_t *modes)
{
    int32_t burning = 0;
    int32_t fewer = 0;
    int32_t lame = 0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const int32_t burns = is_burning(&engine[i], modes, i);
        const int32_t burnt = (control->burning >> i) & 1;
        burning |= burns << i;
        fewer |= burnt && !burns;
        lame |= (burns || burnt) && (engine[i].lame || engine[i].stuck);
        if (burnt && !burns && engine[i].lame) {
            control->integral[0] = control->integral[1] = 0.0;
        }
    }
    control->anew_s = fewer && burning ? ANEW_S : fk_max(control->anew_s - c->frame_s, 0.0);
    control->anew_s = lame ? 0.0 : control->anew_s;
    control->burning = burning;
}

void fk_alloc_update(fk_if_output_t *out, const fk_if_config_t *c, const fk_stage_t *stage,
                     const fk_engine_t engine[FK_ENGINES], const fk_demand_t *demand, fk_control_t *control,
                     const fk_modes_t *modes)
{
    const double *torque = control->torque_body_nm;
    const cluster_t s = cluster_of(c, stage, engine, modes);
    set_thrust(out, c, stage, engine, demand, modes);
    const double part = stage->fin_part;
    set_fins(out, c, stage, torque);
    const double rest[3] = {(1.0 - part) * torque[0], (1.0 - part) * torque[1], torque[2]};
    set_gimbals(out, c, stage, engine, modes, s, control, rest);
    notice_stop(control, c, engine, modes);
}
